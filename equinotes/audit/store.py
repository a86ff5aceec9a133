"""From run folders to stored tables: runs, their learning curves and predictions, and the linear baselines."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equinotes.analysis.controls import linear_baselines
from equinotes.audit.protocol import Protocol, named
from equinotes.audit.tables import folder_of, load, merged, schema_of, write
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.data.splits import draw_split
from equinotes.runs.store import Run, unit_suffix
from equinotes.support.errors import UserError
from equinotes.support.progress import bar

AVERAGE = "average_"
"""Start of the names of columns that belong to averaged weights."""


def store(
    runs_dir: Path | str = "runs", out: Path | str | None = None, *, protocol: Protocol | None = None, progress: bool = True
) -> pd.DataFrame:
    """Store the complete runs of a version that lie in a folder; what was stored of other runs stays.

    Writes `runs`, `metrics`, `curves` (long runs that have not ended, where the version has this table), `predictions` (with
    further tables for experiments that have test molecules of their own) and `baselines` into `out`; returns `state(out)`.
    Raises ValueError where runs of one table were not tested on the same molecules.
    """
    protocol = protocol or named()
    place, names = folder_of(out, protocol), protocol.run_ids()
    runs = {run_id: Run(Path(runs_dir) / run_id) for run_id in names}
    runs = {run_id: run for run_id, run in runs.items() if run.tabled}
    rows, metrics = [], []
    predictions: dict[str, list[pd.DataFrame]] = {}
    for run_id, run in bar(runs.items(), desc="runs", progress=progress):
        rows += [{"experiment": experiment, **_row(run, protocol)} for experiment in names[run_id]]
        curve = run.metrics.assign(run_id=run_id)
        kinds = schema_of("metrics", protocol=protocol)
        if "train_term" in kinds:  # the value of the first additional term, in the epochs that have it
            named_one = f"train_{run.config.terms[0]}" if run.config.terms else ""
            curve = curve.rename(columns={named_one: "train_term"})
        averaged = [column for column in curve if column.startswith("val_average_") and column not in kinds]
        metrics.append(curve.reindex(columns=[*kinds, *averaged]))
        alone = names[run_id][0] if len(names[run_id]) == 1 and names[run_id][0] in protocol.apart else None
        table = f"predictions_{alone}" if alone else "predictions"
        unit = unit_suffix(run.config.unit)
        names_of_columns = {f"prediction_{unit}": run_id, f"average_prediction_{unit}": f"{AVERAGE}{run_id}"}
        predictions.setdefault(table, []).append(run.predictions.rename(columns=names_of_columns))
    place.mkdir(parents=True, exist_ok=True)
    if rows:
        order = {run_id: number for number, run_id in enumerate(names)}
        for name, new in (("runs", pd.DataFrame(rows)), ("metrics", pd.concat(metrics).astype({"epoch": int}))):
            whole = merged(name, new, set(names), place, protocol)
            whole = whole.sort_values("run_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True)
            write(name, whole, place, protocol)
    if "curves" in protocol.schemas:
        write("curves", _curves(Path(runs_dir), place, protocol), place, protocol)
    for name, parts in predictions.items():
        write(name, _side_by_side(parts, load(name, place, protocol), list(names)), place, protocol)
    write("baselines", baselines(load_qm9(progress=progress), protocol), place, protocol)
    return state(place, protocol)


def _curves(runs_dir: Path, place: Path, protocol: Protocol) -> pd.DataFrame:
    """Runs of the experiments apart that have not ended, as far as they are; those stored before stay until they end."""
    planned = {config.run_id: config for name in protocol.apart for config in protocol.experiments()[name]}
    ended = set(load("runs", place, protocol)["run_id"]) if place.is_dir() else set()
    tables = [load("curves", place, protocol).iloc[:0]]
    for run_id, config in planned.items():
        if run_id not in ended and len(curve := Run(runs_dir / run_id).curve):
            about: dict[str, Any] = {"run_id": run_id, "mul": config.mul, "seed": config.seed, "epochs": config.epochs}
            tables.append(
                curve.assign(**about, ls=pd.Series([config.ls] * len(curve), dtype=object)).reindex(columns=tables[0].columns)
            )
    new = pd.concat(tables, ignore_index=True)
    return merged("curves", new.astype({"epoch": int}), set(planned) - ended, place, protocol)


def state(folder: Path | str | None = None, protocol: Protocol | None = None) -> pd.DataFrame:
    """How far the experiments are: `experiment`, `planned` runs and `stored` ones."""
    protocol = protocol or named()
    stored = stored_runs(folder, protocol)["experiment"].tolist()
    rows = [(name, len(configs), stored.count(name)) for name, configs in protocol.experiments().items()]
    return pd.DataFrame(rows, columns=["experiment", "planned", "stored"])


def stored_runs(folder: Path | str | None, protocol: Protocol) -> pd.DataFrame:
    """The table of runs; empty where there is no folder of tables yet."""
    place = folder_of(folder, protocol)
    return load("runs", place, protocol) if place.is_dir() else pd.DataFrame(columns=["experiment", "run_id"])


def baselines(qm9: QM9, protocol: Protocol | None = None) -> pd.DataFrame:
    """Test errors of the linear baselines, fitted to the training molecules of each scale of a version."""
    tables, columns = [], list(schema_of("baselines", protocol))
    for config in (protocol or named()).scales:
        sizes = {name: getattr(config, name) for name in ("num_train", "num_val", "num_test", "split_seed")}
        tables.append(linear_baselines(qm9, draw_split(qm9, **sizes), config.target).assign(num_train=config.num_train))
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return found.reindex(columns=columns)


def _row(run: Run, protocol: Protocol) -> dict[str, Any]:
    """A run's row; errors that the version stores in other units than this run's are missing."""
    known = run.provenance
    errors = [name for name in schema_of("runs", protocol) if name.removeprefix(AVERAGE).startswith(("mae_", "rmse_", "mse_"))]
    names = ("parameters", "seconds", "device", "device_name", "threads", "commit", "started", "data_sha256")
    versions = {f"version_{library}": version for library, version in known["versions"].items()}
    about = {name: known[name] for name in names} | {"numerics": known.get("numerics", 1)}
    return {"run_id": run.run_id, **run.config.to_dict(), **dict.fromkeys(errors, np.nan), **run.errors, **about, **versions}


def _side_by_side(parts: list[pd.DataFrame], old: pd.DataFrame, run_ids: list[str]) -> pd.DataFrame:
    """One table with a column per run, in the order given; ValueError where the test molecules or their targets differ."""
    molecules = ["qm9_index", *(column for column in parts[0] if str(column).startswith("target_"))]
    new = {column for part in parts for column in part}
    run_ids = [column for run_id in run_ids for column in (run_id, f"{AVERAGE}{run_id}")]
    kept = old[[*molecules, *(column for column in old if column in set(run_ids) - new)]]
    tables = [*([kept] if len(kept.columns) > len(molecules) else []), *parts]
    for table in tables[1:]:
        if not all(np.array_equal(table[name], tables[0][name]) for name in molecules):
            raise UserError(f"{table.columns[-1]} and {tables[0].columns[-1]} were not tested on the same molecules")
    columns = pd.concat([tables[0][molecules], *(table.drop(columns=molecules) for table in tables)], axis=1)
    return columns[[*molecules, *(run_id for run_id in run_ids if run_id in columns)]]
