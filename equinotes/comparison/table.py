"""The table of the comparison: one line for each basis, a number in every cell."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from equinotes.comparison import networks
from equinotes.comparison.confusions import PAIRS, ROUNDING
from equinotes.comparison.rows import REFERENCE, ROWS
from equinotes.comparison.store import LABELS

COLUMNS = ["basis", "label", "columns", "mae_eV", "spread_eV", "ms", "cost", "turned_eV", "tops_eV", "blind"]
GRID = 1e-4
"""Relative difference below which wavelets on their grid do not see one."""


def table(tables: Mapping[str, pd.DataFrame], of: Iterable[str] = ROWS) -> pd.DataFrame:
    """From the stored tables, those of the rows `of` that are stored. For networks, `columns` are parameters.

    Columns: `label`, number of `columns`, mean and spread (standard deviation) of the errors over seeds, `cost` as a
    multiple of the reference's (median of rounds in turns), `ms`: this multiple of the reference's milliseconds per molecule
    (median of all its rounds, for a machine's load changes from row to row), change of predictions of turned molecules,
    change for shaken symmetric tops, and `blind`: the pairs that it cannot tell apart.
    """
    of, rows = set(of), []
    if not len(tables["errors"]):
        return pd.DataFrame(columns=COLUMNS)
    of_network = tables["costs"]["basis"].isin(networks.NETWORKS)
    unit = {kind: tables["costs"][of_network == kind]["reference_ms"].median() for kind in (False, True)}
    for name, errors in tables["errors"].groupby("basis", sort=False):
        if name not in of:
            continue
        costs = tables["costs"].query("basis == @name")
        mae = errors["mae_eV"]
        cost = 1.0 if name in (REFERENCE, networks.REFERENCE) else (costs["ms"] / costs["reference_ms"]).median()
        rows.append({
            "basis": name,
            "label": LABELS[str(name)],
            "columns": int(errors["columns"].iloc[0]),
            "mae_eV": mae.mean(),
            "spread_eV": mae.std(ddof=1),
            "ms": cost * unit[name in networks.NETWORKS],
            "cost": cost,
            "turned_eV": errors["turned_eV"].mean(),
            "tops_eV": errors["shaken_tops_eV"].mean(),
            "blind": ", ".join(blind(tables["confusions"], str(name))) or "none of them",
        })  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def blind(confusions: pd.DataFrame, name: str) -> list[str]:
    """The pairs that a basis cannot tell apart; the turned copy is none of them."""
    limit = GRID if name in ROWS and ROWS[name].seedless else ROUNDING
    own = confusions[(confusions["basis"] == name) & (confusions["difference"] < limit)]
    return [pair for pair in PAIRS if pair != "turned" and pair in set(own["pair"])]


def paired_change(errors: pd.DataFrame, name: str, other: str) -> tuple[float, float]:
    """Mean difference of the errors of two rows over seeds [eV], and its standard error; their test molecules are the same."""
    by_seed = errors.pivot_table(index="seed", columns="basis", values="mae_eV")
    change = by_seed[name] - by_seed[other]
    return float(change.mean()), float(change.std(ddof=1) / np.sqrt(len(change)))
