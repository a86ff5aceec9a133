"""What else could decide: the factors experiment of the first protocol (graph, non-linearity, further targets)."""

from typing import Any

import pandas as pd

from equinotes.audit.measures import baseline
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.first import runs as first
from equinotes.audit.report.errors import changes_between, named_runs
from equinotes.audit.statistics import student

SMALL = int(first.SMALL["num_train"])
"""Molecules that these networks are fitted to."""
CONDITION = ("graph", "gate", "auxiliary")
"""Fields of a run that make its condition."""


def factor_runs(tables: Tables) -> pd.DataFrame:
    """Runs of the factors experiment, with their `condition` (graph, gate, whether further targets) and the set as `name`."""
    runs = named_runs(tables, "factors", channels=False)
    words = [(graph, bool(gate), bool(len(more))) for graph, gate, more in zip(*(runs[c] for c in CONDITION), strict=True)]
    return runs.assign(condition=pd.Series(words, index=runs.index, dtype=object))


def conditions() -> list[tuple[str, bool, bool]]:
    """All conditions of the factors experiment, in their order: graph, gated, further targets."""
    return [(graph, gate, more) for graph in ("bonds", "radius") for gate in (False, True) for more in (False, True)]


def factor_changes(tables: Tables, names: dict[tuple[str, bool, bool], str]) -> pd.DataFrame:
    """What orders 3 and 4 change in each condition: as `changes_between`, with `names` of the conditions."""
    runs, limit, parts = factor_runs(tables), baseline(tables, SMALL), []
    for condition in conditions():
        part = runs[runs["condition"] == condition]
        parts.append(changes_between(part, [("0–2", "0–4")], label=names[condition], limit=limit, references=["composition"]))
    return pd.concat(parts, ignore_index=True)


def factor_errors(tables: Tables, names: dict[tuple[str, bool, bool], str]) -> pd.DataFrame:
    """Errors of both sets in each condition: `condition`, and for each set `seeds`, `mean`, `half` [eV], as lists."""
    runs, rows = factor_runs(tables), []
    for condition in conditions():
        sets = []
        for name in ("0–2", "0–4"):
            found = runs[(runs["condition"] == condition) & (runs["name"] == name)]["mae_eV"].to_numpy()
            mean, _, high, _ = student(found)
            sets.append({"seeds": len(found), "mean": mean, "half": high - mean})
        rows.append((names[condition], sets))
    return pd.DataFrame(rows, columns=["condition", "sets"])


def factor_summary(tables: Tables, changes: pd.DataFrame) -> dict[str, Any]:
    """Of the conditions that were `run`, in how many the interval excludes zero (`apart`) and how many count."""
    run = changes[changes["change"].notna()]
    apart = int(((run["low"] > 0) | (run["high"] < 0)).sum())
    return {"run": len(run), "apart": apart, "counts": int(run["counts"].sum()), "baseline_eV": baseline(tables, SMALL)}
