"""Stored tables of an audit that never ran: the right form, made-up numbers, so that pages and verdicts can be tested on them."""

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from equinotes.audit.protocols.first.runs import experiments
from equinotes.audit.reported import counted_parameters
from equinotes.audit.tables import SCHEMAS, TYPES, _further
from equinotes.config import RunConfig

MOLECULES = 40
BASELINES = {"composition": 0.9, "bond counts": 0.7, "bond lengths": 0.45}
TARGETS = ("composition-residual energy", "dipole", "alpha", "alpha_anisotropy")
MEASURES = ("neighbours", "neighbours given size", "distance")


def write_tables(folder: Path, names: Iterable[str] = ("table", "substitutes", "factors", "scalars"), *, seeds: int = 5) -> Path:
    """Write every stored table to `folder`; `names` are the experiments that have run, for seeds below `seeds`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = [
        (name, config) for name, configs in experiments().items() if name in names for config in configs if config.seed < seeds
    ]
    runs = pd.DataFrame([_run(name, config, rng) for name, config in rows], columns=list(_run("table", RunConfig(), rng)))
    configs = {config.run_id: config for _, config in rows}
    tables = {"runs": runs, "metrics": _metrics(runs), "predictions": _predictions(list(configs), rng), "baselines": _baselines()}
    tables |= _diagnostics([config for config in configs.values() if config.mul == 16 and config.num_train == 2000], rng)
    for name, table in tables.items():
        write(name, table, folder)
    return folder


def write(name: str, table: pd.DataFrame, folder: Path) -> None:
    """Write one table in its stored form."""
    kinds = SCHEMAS[name] | {column: _further(name, column) or "str" for column in table if column not in SCHEMAS[name]}
    schema = pa.schema([(column, TYPES[kind]) for column, kind in kinds.items()])
    pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), folder / f"{name}.parquet")


def _run(experiment: str, config: RunConfig, rng: np.random.Generator) -> dict:
    mae = (0.25 + 0.004 * len(config.ls)) * (1 if config.reference == "composition" else 1.3) * (1 + 0.02 * rng.normal())
    row = {"experiment": experiment, "run_id": config.run_id, **config.to_dict()}
    row |= {
        "mae_eV": mae,
        "rmse_eV": 1.4 * mae,
        "mse_eV2": (1.4 * mae) ** 2,
        "parameters": counted_parameters(config.ls, config.mul),
    }
    row |= {"seconds": 90.0, "device": "cpu", "device_name": "none", "threads": 1, "commit": "0" * 40, "numerics": 1}
    row |= {"started": "2026-01-01T00:00:00+00:00", "data_sha256": "0" * 64}
    return row | {f"version_{name}": "0" for name in ("equinotes", "python", "torch", "e3nn", "numpy", "pandas")}


def _metrics(runs: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for run in runs.itertuples():
        for epoch in range(1, run.epochs + 1):
            mae = run.mae_eV * (1 + 2 * np.exp(-epoch))
            rows.append((run.run_id, epoch, 0.1 * mae, mae, mae, 1.4 * mae, 100.0, 20.0))
    columns = ["run_id", "epoch", "train_loss", "train_mae_eV", "val_mae_eV", "val_rmse_eV", "molecules_per_s", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def _predictions(ids: list[str], rng: np.random.Generator) -> pd.DataFrame:
    target = rng.normal(-76, 10, MOLECULES)
    columns = {run_id: (target + rng.normal(0, 0.3, MOLECULES)).astype(np.float32) for run_id in ids}
    return pd.DataFrame({"qm9_index": np.arange(1, MOLECULES + 1), "target_eV": target, **columns})


def _baselines() -> pd.DataFrame:
    rows = [(name, size, mae, 1.3 * mae, (1.3 * mae) ** 2) for size in (2000, 1000, 104665) for name, mae in BASELINES.items()]
    return pd.DataFrame(rows, columns=["baseline", "num_train", "mae_eV", "rmse_eV", "mse_eV2"])


def _diagnostics(configs: list[RunConfig], rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    tables: dict[str, list[dict]] = {
        name: []
        for name in ("gradients", "norms", "ablations", "structure", "probes", "pictures", "ranks", "similarity", "weights")
    }
    for config in configs:
        for trained in (True, False):
            about = {"run_id": config.run_id, "ls": list(config.ls), "mul": config.mul, "seed": config.seed, "trained": trained}
            for name, rows in _of_network(config, trained, rng).items():
                tables[name] += [about | row for row in rows]
    irreps = {config.ls: [f"{l}{'eo'[l % 2]}" for l in config.ls] for config in configs}
    for ls, names in irreps.items():
        found = sorted({config.seed for config in configs if config.ls == ls})
        for irrep in names:
            for a, b in combinations(found, 2):
                for trained in (True, False):
                    row = {"ls": list(ls), "mul": 16, "irrep": irrep, "seed_a": a, "seed_b": b, "trained": trained}
                    tables["similarity"].append(row | {"cka": rng.uniform(0.3, 1)})
    return {name: pd.DataFrame(rows, columns=COLUMNS[name]) for name, rows in tables.items()}


def _of_network(config: RunConfig, trained: bool, rng: np.random.Generator) -> dict[str, list[dict]]:
    """Rows of one network; every order is used at blocks 1 to 4 alike, and nothing above l = 0 at the last."""
    rows: dict[str, list[dict]] = {name: [] for name in COLUMNS if name != "similarity"}
    for block in range(1, config.num_blocks + 1):
        read = [l for l in config.ls if l == 0 or block < config.num_blocks]
        for l in config.ls:
            irrep, place = f"{l}{'eo'[l % 2]}", {"layer": f"block{block}"}
            share = 1 / len(read) if l in read else 0.0
            flow = {"feature_norm": 1.0, "gradient_norm": share, "flow": share, "zero_fraction": float(not share), "share": share}
            rows["gradients"].append(place | {"irrep": irrep} | flow)
            rows["norms"].append(place | {"irrep": irrep, "mean_square": 1.0, "share": 1 / len(config.ls)})
            if block == config.num_blocks - 1 and config.seed < 2:
                drawn = {"qm9_index": range(1, 21), "score": rng.uniform(5, 30, 20), "phate1": rng.normal(size=20)}
                molecules = pd.DataFrame(drawn).assign(phate2=rng.normal(size=20))
                rows["pictures"] += [place | {"irrep": irrep, **molecule} for molecule in molecules.to_dict("records")]
            rows["ranks"].append(place | {"irrep": irrep, "effective_rank": rng.uniform(2, 12)})
            for measure in MEASURES:
                value = {
                    "value": 0.4 if trained else 0.3,
                    "null_mean": 0.2,
                    "null_low": 0.15,
                    "null_high": 0.25,
                    "p": 0.005 if trained else 0.2,
                }
                value |= {"molecules": 400, "movable": 390}
                rows["structure"].append(place | {"irrep": irrep, "measure": measure, **value})
            for target in TARGETS:
                r2 = (0.6 if trained else 0.3) + 0.02 * rng.normal()
                rows["probes"].append(place | {"irrep": irrep, "target": target, "r2": r2, "sd": 0.02, "folds": "formula"})
            dead = {"weights": 4096, "dead": 0 if l in read else 4096, "dead_share": float(l not in read)}
            rows["weights"].append({"block": block, "l3": l, **dead})
            for mode in ("zero", "shuffle", "direction"):
                if trained and not (mode == "direction" and l == 0):
                    change = 0.1 * (l in read) * (1 + 0.1 * rng.normal())
                    edge = {"low_eV": change - 0.005, "high_eV": change + 0.005, "repeat_sd_eV": 0.01, "draws": 3}
                    row = {"layer": block, "irrep": irrep, "mode": mode, "mae_eV": 0.3 + change, "delta_mae_eV": change}
                    rows["ablations"].append(row | edge)
    return rows


ABOUT = ["run_id", "ls", "mul", "seed", "trained"]
COLUMNS = {
    "gradients": [*ABOUT, "layer", "irrep", "feature_norm", "gradient_norm", "flow", "zero_fraction", "share"],
    "norms": [*ABOUT, "layer", "irrep", "mean_square", "share"],
    "ablations": [*ABOUT, "layer", "irrep", "mode", "mae_eV", "delta_mae_eV", "low_eV", "high_eV", "repeat_sd_eV", "draws"],
    "structure": [
        *ABOUT,
        "layer",
        "irrep",
        "measure",
        "value",
        "null_mean",
        "null_low",
        "null_high",
        "p",
        "molecules",
        "movable",
    ],
    "probes": [*ABOUT, "layer", "irrep", "target", "r2", "sd", "folds"],
    "pictures": [*ABOUT, "layer", "irrep", "qm9_index", "score", "phate1", "phate2"],
    "ranks": [*ABOUT, "layer", "irrep", "effective_rank"],
    "similarity": ["ls", "mul", "irrep", "seed_a", "seed_b", "trained", "cka"],
    "weights": [*ABOUT, "block", "l3", "weights", "dead", "dead_share"],
}
