"""Columns of the stored tables of protocol 2 (results/protocol2), in the kinds of `equinotes.audit.tables`.

Diagnostics speak of a network by `run_id`, orders, channels and seed; `trained` is False for the same network before its first
step. `foundation` is about published models: `weights` is "trained" or "random".
"""

from equinotes.audit.tables import SCHEMAS as FIRST

ERRORS = {"mae_eV": "float", "rmse_eV": "float", "mse_eV2": "float"}
AVERAGED = {f"average_{name}": kind for name, kind in ERRORS.items()}
NETWORK = {"run_id": "str", "ls": "ints", "mul": "int", "seed": "int", "trained": "bool"}
MODEL = {"model": "str", "weights": "str", "seed": "int", "layer": "int", "irrep": "str"}

FOLDER = "results/protocol2"
SCHEMAS: dict[str, dict[str, str]] = {
    # errors of the last iterate, then of the averaged weights; further fields as in protocol 1
    "runs": FIRST["runs"] | AVERAGED,
    "metrics": FIRST["metrics"] | {"val_average_mae_eV": "float"},
    # runs of `full` that have not ended: the epochs done, of how many
    "curves": {"run_id": "str", "ls": "ints", "mul": "int", "seed": "int", "epoch": "int", "epochs": "int",
               **{f"val_{name}": "float" for name in ("mae_eV", "rmse_eV", "average_mae_eV", "average_rmse_eV")}},
    # further columns: a run's predictions [eV] under its name, those of averaged weights under `average_` and its name
    "predictions": FIRST["predictions"],
    "baselines": FIRST["baselines"],
    # one row per network, block, irrep and draw; damage = log(mae / whole_mae), both recalibrated
    "uses": {**NETWORK, "layer": "int", "irrep": "str", "draw": "int", "whole_mae_eV": "float", "mae_eV": "float",
             "damage": "float"},
    "structure": FIRST["structure"],
    # one row per model, layer, irrep and group of molecules, mean over the draws; shares as `share_of_spread` gives them
    "foundation": {**MODEL, "group": "int", "damage_share": "float"},
    "foundation_structure": {**MODEL, "measure": "str", "value": "float"},
    # beside the rules: what the page shows of the same networks
    "foundation_norms": {**MODEL, "mean_square": "float", "share": "float"},
    "foundation_pictures": {**MODEL, "qm9_index": "int", "score": "float", "phate1": "float32", "phate2": "float32"},
    "foundation_models": {"model": "str", "weights": "str", "seed": "int", "parameters": "int", "molecules": "int",
                          "draws": "int", "spread_eV": "float", "agreement": "float", "mirror_eV": "float"},
}  # fmt: skip
"""Columns of every table and their kinds."""
