"""Sets of orders compared: errors with their intervals, and relative changes paired by seed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from equinotes.audit import protocol
from equinotes.audit.evidence import comparisons
from equinotes.audit.report import Tables, change_text, markdown_table, orders_name, rows_of, spread_text
from equinotes.audit.statistics import relative_change, student

GRAPHS = {"bonds": "bonds", "radius": "pairs"}
"""How a reader meets the two graphs."""
REDUCED, SMALL = int(protocol.REDUCED["num_train"]), int(protocol.SMALL["num_train"])
"""Molecules that the experiments train on."""


def set_name(ls: Sequence[int], mul: int | None = None) -> str:
    """A set of orders with its channels.

    >>> set_name((0, 1, 2), 32)
    '0–2 (32)'
    """
    return orders_name(ls) + (f" ({mul})" if mul is not None else "")


def named(runs: pd.DataFrame, *experiments: str, channels: bool = True) -> pd.DataFrame:
    """Runs of some experiments, once each, with a column `name` for the set of orders, and for its channels where asked for."""
    found = runs[runs["experiment"].isin(experiments)].drop_duplicates("run_id")
    names = [set_name(ls, mul if channels else None) for ls, mul in zip(found["ls"], found["mul"], strict=True)]
    return found.assign(name=pd.Series(names, index=found.index, dtype=object))


def intervals(runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Mean error of each named set and reference, with its interval: `name`, `reference`, `seeds`, `mean`, `low`, `high` [eV]."""
    rows = []
    for reference in protocol.REFERENCES:
        for name in names:
            errors = runs[(runs["name"] == name) & (runs["reference"] == reference)]["mae_eV"].to_numpy()
            rows.append((name, reference, len(errors), *student(errors)[:3]))
    return pd.DataFrame(rows, columns=["name", "reference", "seeds", "mean", "low", "high"])


def baselines_of(tables: Tables, num_train: int) -> pd.DataFrame:
    """The linear baselines fitted to so many molecules, by name."""
    table = tables["baselines"]
    return table[table["num_train"] == num_train].set_index("baseline")


def strongest(tables: Tables, num_train: int) -> float:
    """MAE of the best linear baseline fitted to so many molecules [eV]; infinite where there is none."""
    return float(min(baselines_of(tables, num_train)["mae_eV"], default=np.inf))


def compared(tables: Tables, *claims: str) -> pd.DataFrame:
    """The comparisons that the rules of some claims name, as the verdicts judge them, with columns as of `changes_between`."""
    table = comparisons(tables)
    table = table[table["claim"].isin(claims)]
    names = [f"{set_name(row.first, row.mul)} → {set_name(row.second, row.mul)}" for row in rows_of(table)]
    return table.assign(name=pd.Series(names, index=table.index, dtype=object))


def changes_between(
    runs: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, label: str = "{first} → {second}", baseline: float = np.inf,
    references: Sequence[str] = protocol.REFERENCES,
) -> pd.DataFrame:  # fmt: skip
    """Relative change of the MAE from one named set to another, paired by seed, for each reference.

    Returns `name`, `reference`, `seeds`, `change`, `low`, `high` (fractions; NaN where nothing was run) and `counts`: whether
    both mean errors lie below the linear baseline [eV].
    """
    rows = []
    for reference in references:
        errors = runs[runs["reference"] == reference].pivot_table(index="seed", columns="name", values="mae_eV")
        for first, second in pairs:
            both = errors.reindex(columns=[first, second]).dropna()
            counts = len(both) > 0 and bool((both.mean() < baseline).all())
            change = relative_change(dict(both[first]), dict(both[second]))
            name = label.format(first=first, second=second)
            rows.append((name, reference, len(both), *change[:3], counts))
    return pd.DataFrame(rows, columns=["name", "reference", "seeds", "change", "low", "high", "counts"])


def changes_table(changes: pd.DataFrame) -> str:
    """`changes_between` as Markdown."""
    rows = [
        [row.name, row.reference, row.seeds, change_text(row.change, row.low, row.high), "yes" if row.counts else "no"]
        for row in rows_of(changes)
    ]
    columns = ["sets (channels)", "reference", "seeds", "relative change of the MAE", "counts"]
    return markdown_table(columns, rows, "llrrr")


def factor_runs(tables: Tables) -> pd.DataFrame:
    """Runs of the factors experiment, with their `condition` and the set of orders as `name`."""
    runs = named(tables["runs"], "factors", channels=False)
    words = [
        f"{GRAPHS[graph]}, {'gated' if gate else 'linear'}, {'energy and two more' if len(more) else 'energy'}"
        for graph, gate, more in zip(runs["graph"], runs["gate"], runs["auxiliary"], strict=True)
    ]
    return runs.assign(condition=pd.Series(words, index=runs.index, dtype=object))


def conditions() -> list[str]:
    """All conditions of the factors experiment, in their order."""
    graphs, gates, targets = GRAPHS.values(), ("linear", "gated"), ("energy", "energy and two more")
    return [f"{graph}, {gate}, {target}" for graph in graphs for gate in gates for target in targets]


def factor_changes(tables: Tables) -> pd.DataFrame:
    """What orders 3 and 4 change in each condition: as `changes_between`, the condition as `name`."""
    runs, parts = factor_runs(tables), []
    baseline = strongest(tables, SMALL)
    for condition in conditions():
        part = runs[runs["condition"] == condition]
        parts.append(changes_between(part, [("0–2", "0–4")], label=condition, baseline=baseline, references=["composition"]))
    return pd.concat(parts, ignore_index=True)


def factor_sentence(tables: Tables) -> str:
    """What the factors decide, in one sentence."""
    table = factor_changes(tables)
    run = table[table["change"].notna()]
    apart = int(((run["low"] > 0) | (run["high"] < 0)).sum())
    verdict = "" if apart and run["counts"].any() else ": **open**"
    return (
        f"In {apart} of {len(run)} conditions the interval excludes zero, and {int(run['counts'].sum())} of the {len(run)} count "
        f"(both errors below the linear baseline of {strongest(tables, SMALL):.3f} eV){verdict}. Whether an order is *used* was "
        "not asked of these networks."
    )


def factor_table(tables: Tables) -> str:
    """Errors of both sets in each condition, as Markdown."""
    runs, rows = factor_runs(tables), []
    for condition in conditions():
        row: list[object] = [condition]
        for name in ("0–2", "0–4"):
            errors = runs[(runs["condition"] == condition) & (runs["name"] == name)]["mae_eV"].to_numpy()
            mean, _, high, _ = student(errors)
            row += [spread_text(errors, high - mean), len(errors)]
        rows.append(row)
    return markdown_table(["condition", "MAE of 0–2 [eV]", "seeds", "MAE of 0–4 [eV]", "seeds"], rows)
