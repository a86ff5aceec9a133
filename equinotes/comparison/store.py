"""The stored tables of the comparison: one row at a time, each with where its numbers come from."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from equinotes.comparison.measure import BATCH, costs, measure, pool
from equinotes.comparison.networks import NETWORKS
from equinotes.comparison.rows import ROWS
from equinotes.comparison.trained import measure_trained, network_costs, trained
from equinotes.data.qm9 import load_qm9
from equinotes.runs import provenance
from equinotes.support.errors import check_names
from equinotes.support.files import read_json, write_atomically, write_json
from equinotes.support.repository import find_root

TABLES = ("errors", "costs", "confusions")
LABELS = {name: row.label for name, row in ROWS.items()} | {name: row.label for name, row in NETWORKS.items()}
"""Every row of both tables: regressions, then networks."""


def folder_of(folder: Path | str | None = None) -> Path:
    """The folder of the stored tables: the one given, or the repository's."""
    return Path(folder) if folder else find_root() / "results" / "bases"


def load(folder: Path | str | None = None) -> dict[str, pd.DataFrame]:
    """Every stored table by its name, rows in the order of `LABELS`; empty tables where nothing is stored."""
    place = folder_of(folder)
    tables = {}
    for name in TABLES:
        path = place / f"{name}.parquet"
        table = pd.read_parquet(path) if path.is_file() else pd.DataFrame(columns=["basis"])
        order = {basis: number for number, basis in enumerate(LABELS)}
        tables[name] = table.sort_values("basis", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    return tables


def measured(name: str, folder: Path | str | None = None) -> str | None:
    """When a row, or the "costs" of all, were measured; None where they are not stored."""
    path = folder_of(folder) / "provenance.json"
    known = read_json(path) if path.is_file() else {}
    return known[name]["date"] if name in known else None


def run(
    name: str,
    folder: Path | str | None = None,
    *,
    runs_dir: Path | str = "runs/bases",
    size: int | None = None,
    progress: bool = True,
) -> dict[str, pd.DataFrame]:
    """Measure one row and store it in place of what was stored of it; returns its tables.

    A network's runs are those in `runs_dir`; the ones that are missing are trained there first.
    """
    check_names("basis of the comparison", [name], LABELS)
    qm9 = load_qm9(progress=progress)
    record = _here()
    if name in NETWORKS:
        runs = trained(name, qm9, runs_dir, progress=progress)
        record["runs"] = {each.run_id: _made(each.provenance) for each in runs}
        new = measure_trained(name, qm9, runs)
    else:
        new = measure(name, qm9, size=size, progress=progress)
    _put(new, [name], folder_of(folder), {name: record})
    return new


def run_costs(folder: Path | str | None = None, *, progress: bool = True) -> pd.DataFrame:
    """Measure the costs of all stored rows again, one after the other in one process, each in turns with its reference."""
    qm9, place = load_qm9(progress=progress), folder_of(folder)
    names = list(dict.fromkeys(load(place)["errors"]["basis"]))
    rows = pool(qm9)[:BATCH]
    new = pd.concat([network_costs(name, qm9) if name in NETWORKS else costs(name, qm9, rows) for name in names])
    _put({"costs": new}, names, place, {"costs": _here()})
    return new


def _put(new: Mapping[str, pd.DataFrame], names: Iterable[str], place: Path, records: Mapping[str, Any]) -> None:
    """Tables in place of what is stored of these rows, and where they come from."""
    place.mkdir(parents=True, exist_ok=True)
    for table, rows in new.items():
        old = load(place)[table]
        whole = pd.concat([part for part in (old[~old["basis"].isin(list(names))], rows) if len(part)], ignore_index=True)
        write_atomically(place / f"{table}.parquet", partial(whole.to_parquet, index=False))
    path = place / "provenance.json"
    known: dict[str, Any] = (read_json(path) if path.is_file() else {}) | dict(records)
    write_json(path, {basis: known[basis] for basis in (*LABELS, "costs") if basis in known})


def _here() -> dict[str, Any]:
    return {
        "commit": provenance.commit(), "date": provenance.now(), "versions": provenance.versions(), **provenance.machine("cpu"),
    }  # fmt: skip


def _made(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a trained run's provenance says, without the sizes of its files."""
    return {name: value for name, value in record.items() if name != "files"}
