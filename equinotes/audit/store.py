"""From run folders to the audit's stored tables: runs, their learning curves and predictions, and the linear baselines."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equinotes.analysis.controls import linear_baselines
from equinotes.audit import protocol
from equinotes.audit.tables import SCHEMAS, folder_of, load, load_all, merged, provenance_of, write
from equinotes.config import PRESETS, RunConfig
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.data.splits import draw_split
from equinotes.runs.store import Run
from equinotes.support.errors import UserError, unknown
from equinotes.support.progress import bar

__all__ = ["SCHEMAS", "load", "load_all", "planned", "provenance_of", "selected", "state", "store"]


def planned() -> dict[str, list[str]]:
    """Every run of the protocol, and the experiments that it stands in."""
    found: dict[str, list[str]] = {}
    for experiment, configs in protocol.experiments().items():
        for config in configs:
            found.setdefault(config.run_id, []).append(experiment)
    return found


def selected(experiments: tuple[str, ...]) -> list[RunConfig]:
    """Configurations of some experiments; ValueError names the nearest where one is unknown."""
    known = protocol.experiments()
    for name in experiments:
        if name not in known:
            raise UserError(unknown("experiment", name, list(known)))
    return [config for name in experiments for config in known[name]]


def store(runs_dir: Path | str = "runs", out: Path | str | None = None, *, progress: bool = True) -> pd.DataFrame:
    """Store the complete runs of the protocol that lie in a folder; what was stored of other runs stays.

    Writes `runs`, `metrics`, `predictions` (of the full scale apart) and `baselines` into `out` and returns `state(out)`.
    Raises ValueError where runs of one table were not tested on the same molecules.
    """
    place, names = folder_of(out), planned()
    runs = {run_id: Run(Path(runs_dir) / run_id) for run_id in names}
    runs = {run_id: run for run_id, run in runs.items() if run.complete}
    rows, metrics = [], []
    predictions: dict[str, list[pd.DataFrame]] = {"predictions": [], "predictions_full": []}
    for run_id, run in bar(runs.items(), desc="runs", progress=progress):
        rows += [{"experiment": experiment, **_row(run)} for experiment in names[run_id]]
        metrics.append(run.metrics.assign(run_id=run_id)[list(SCHEMAS["metrics"])])
        table = "predictions_full" if names[run_id] == ["full"] else "predictions"
        predictions[table].append(run.predictions.rename(columns={"prediction_eV": run_id}))
    place.mkdir(parents=True, exist_ok=True)
    keep = set(names)
    if rows:
        order = {run_id: number for number, run_id in enumerate(names)}
        for name, new in (("runs", pd.DataFrame(rows)), ("metrics", pd.concat(metrics).astype({"epoch": int}))):
            whole = merged(name, new, keep, place)
            write(name, whole.sort_values("run_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True), place)
    for name, parts in predictions.items():
        if parts:
            write(name, _side_by_side(name, parts, keep, place), place)
    write("baselines", baselines(load_qm9(progress=progress)), place)
    return state(place)


def state(folder: Path | str | None = None) -> pd.DataFrame:
    """How far the experiments are: `experiment`, `planned` runs and `stored` ones."""
    place = folder_of(folder)
    stored = load("runs", place)["experiment"].tolist() if place.is_dir() else []
    rows = [(name, len(configs), stored.count(name)) for name, configs in protocol.experiments().items()]
    return pd.DataFrame(rows, columns=["experiment", "planned", "stored"])


def baselines(qm9: QM9) -> pd.DataFrame:
    """Test errors of the linear baselines, fitted to the training molecules of each scale of the protocol."""
    tables = []
    for scale in (protocol.REDUCED, protocol.SMALL, PRESETS["paper"]):
        config = RunConfig.from_dict(scale)
        sizes = {name: getattr(config, name) for name in ("num_train", "num_val", "num_test", "split_seed")}
        tables.append(linear_baselines(qm9, draw_split(qm9, **sizes), config.target).assign(num_train=config.num_train))
    return pd.concat(tables, ignore_index=True)[list(SCHEMAS["baselines"])]


def _row(run: Run) -> dict[str, Any]:
    known = run.provenance
    names = ("parameters", "seconds", "device", "device_name", "threads", "commit", "started", "data_sha256")
    versions = {f"version_{library}": version for library, version in known["versions"].items()}
    return {"run_id": run.run_id, **run.config.to_dict(), **run.errors, **{name: known[name] for name in names}, **versions}


def _side_by_side(name: str, parts: list[pd.DataFrame], keep: set[str], place: Path) -> pd.DataFrame:
    """One table with a column per run; ValueError where the test molecules or their targets differ."""
    molecules = ["qm9_index", "target_eV"]
    old = load(name, place)
    new = {column for part in parts for column in part}
    kept = old[[*molecules, *(column for column in old if column in keep - new)]]
    tables = [*([kept] if len(kept.columns) > len(molecules) else []), *parts]
    for table in tables[1:]:
        if not all(np.array_equal(table[name], tables[0][name]) for name in molecules):
            raise UserError(f"{table.columns[-1]} and {tables[0].columns[-1]} were not tested on the same molecules")
    columns = pd.concat([tables[0][molecules], *(table.drop(columns=molecules) for table in tables)], axis=1)
    return columns[[*molecules, *(run_id for run_id in planned() if run_id in columns)]]
