"""Columns of the stored tables of the comparison (results/networks), in the kinds of `equinotes.audit.tables`.

Errors stand in the column of their target's unit, and are missing in the other. Diagnostics speak of a network by its run;
`trained` is False for the same network before its first step.
"""

from equinotes.audit.tables import ERRORS, NETWORK
from equinotes.audit.tables import SCHEMAS as FIRST
from equinotes.config import TARGETS
from equinotes.runs.store import error_columns

OTHER = dict.fromkeys(error_columns(TARGETS["alpha_anisotropy"]).values(), "float")
BOTH = ERRORS | OTHER
WATCHED = {f"{part}_{name}": "float" for part, kinds in (("train", ("mae",)), ("val", ("mae", "rmse", "average_mae")))
           for name in [f"{kind}_bohr3" for kind in kinds]}  # fmt: skip
CELL = {"layer": "int", "name": "str", "irrep": "str"}
"""The number and the name of a layer, and an irrep of its features."""
DAMAGE = {"draw": "int", "whole_mae": "float", "mae": "float", "damage": "float"}
"""Errors in the target's unit, without and with the edit, both recalibrated; damage = log(mae / whole_mae)."""

FOLDER = "results/networks"
SCHEMAS: dict[str, dict[str, str]] = {
    "runs": FIRST["runs"] | OTHER | {f"average_{name}": kind for name, kind in BOTH.items()},
    "metrics": FIRST["metrics"] | {"val_average_mae_eV": "float"} | WATCHED,
    "predictions": FIRST["predictions"],
    "predictions_anisotropy": {"qm9_index": "int", "target_bohr3": "float"},
    "baselines": {"baseline": "str", "num_train": "int", **BOTH},
    "uses": {**NETWORK, **CELL, **DAMAGE},
    # what reaches the output at all, by automatic differentiation
    "reach": {**NETWORK, **CELL, "reaches": "bool"},
    # beside the rules: the same damage where an order acts beside the features, and how sharp attention is
    "sides": {**NETWORK, "side": "str", "irrep": "str", **DAMAGE},
    "attention": {**NETWORK, "side": "str", "ends": "str", "atoms": "int", "edges": "int", "weight": "float", "entropy": "float"},
    "norms": FIRST["norms"],
    "gradients": FIRST["gradients"],
}
"""Columns of every table and their kinds."""
