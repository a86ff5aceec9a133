"""The stored tables of the comparison: one row at a time, each with where its numbers come from."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from equinotes.comparison.measure import measure
from equinotes.comparison.rows import ROWS
from equinotes.data.qm9 import load_qm9
from equinotes.runs import provenance
from equinotes.support.files import read_json, write_atomically, write_json
from equinotes.support.repository import find_root

TABLES = ("errors", "costs", "confusions")


def folder_of(folder: Path | str | None = None) -> Path:
    """The folder of the stored tables: the one given, or the repository's."""
    return Path(folder) if folder else find_root() / "results" / "bases"


def load(folder: Path | str | None = None) -> dict[str, pd.DataFrame]:
    """Every stored table by its name, rows in the order of `ROWS`; empty tables where nothing is stored."""
    place = folder_of(folder)
    tables = {}
    for name in TABLES:
        path = place / f"{name}.parquet"
        table = pd.read_parquet(path) if path.is_file() else pd.DataFrame(columns=["basis"])
        order = {basis: number for number, basis in enumerate(ROWS)}
        tables[name] = table.sort_values("basis", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    return tables


def run(
    name: str, folder: Path | str | None = None, *, size: int | None = None, progress: bool = True
) -> dict[str, pd.DataFrame]:
    """Measure one row and store it in place of what was stored of it; returns its tables."""
    new = measure(name, load_qm9(progress=progress), size=size, progress=progress)
    place = folder_of(folder)
    place.mkdir(parents=True, exist_ok=True)
    for table, rows in new.items():
        old = load(place)[table]
        whole = pd.concat([part for part in (old[old["basis"] != name], rows) if len(part)], ignore_index=True)
        write_atomically(place / f"{table}.parquet", partial(whole.to_parquet, index=False))
    path = place / "provenance.json"
    known: dict[str, Any] = read_json(path) if path.is_file() else {}
    known[name] = {
        "commit": provenance.commit(), "date": provenance.now(), "versions": provenance.versions(), **provenance.machine("cpu"),
    }  # fmt: skip
    write_json(path, {basis: known[basis] for basis in ROWS if basis in known})
    return new
