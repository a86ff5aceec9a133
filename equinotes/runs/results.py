"""Tables over the stored runs: an overview, the comparison of two sets of orders, and files for other programs."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from equinotes.config import SEQUENCES, RunConfig
from equinotes.support.errors import UserError
from equinotes.support.files import write_atomically

FIELDS = [field.name for field in fields(RunConfig)]
ALWAYS = ["ls", "mul", "num_train", "epochs", "seed"]


def orders_text(ls: object) -> str:
    """A set of orders, or names, as the command line writes it; empty where a run cannot be read.

    >>> orders_text((0, 1, 2))
    '0,1,2'
    """
    return ",".join(map(str, ls)) if isinstance(ls, list | tuple | np.ndarray) else ""


def as_listed(stored: pd.DataFrame) -> pd.DataFrame:
    """The audit's stored runs (`results/audit/runs.parquet`) with columns as of `list_runs`, each run once.

    A run that serves several experiments names all of them in `experiment`.
    """
    stored = with_new_fields(stored)
    errors = [name for name in stored.columns if name.removeprefix("average_").startswith(("mae_", "rmse_", "mse_"))]
    runs = stored.rename(columns={name: f"test_{name}" for name in errors})
    runs["experiment"] = runs.groupby("run_id")["experiment"].transform(", ".join)
    return runs.drop_duplicates("run_id", ignore_index=True).assign(status="stored", complete=True)


def with_new_fields(table: pd.DataFrame) -> pd.DataFrame:
    """A table of runs with the fields of `RunConfig` that it was stored without: they had their defaults."""
    missing = {field.name: field.default for field in fields(RunConfig) if field.name not in table}
    return table.assign(**{name: pd.Series([value] * len(table), table.index, object) for name, value in missing.items()})


def error_columns_of(runs: pd.DataFrame) -> list[str]:
    """The columns with test errors, in whatever units the targets of these runs have."""
    return [name for name in runs.columns if name.startswith("test_")]


def overview(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of `list_runs` as a reader wants it: what differs between the runs, their errors, and their state.

    A table without rows comes back empty.
    """
    if runs.empty:
        return pd.DataFrame()
    known = [name for name in FIELDS if name in runs]
    differing = [name for name in known if runs[name].map(orders_text if name in SEQUENCES else str).nunique() > 1]
    shown = [name for name in ["experiment", *known] if name in runs and (name in {"experiment", *ALWAYS} or name in differing)]
    rest = [name for name in [*error_columns_of(runs), "seconds", "status"] if name in runs]
    table = runs[[*shown, *rest]].copy()
    for name in SEQUENCES & set(shown):
        table[name] = table[name].map(orders_text)
    for name in (name for name in shown if pd.api.types.is_float_dtype(table[name]) and name in INTEGERS):
        table[name] = table[name].astype("Int64")  # whole numbers became floats beside a damaged run
    return table.sort_values(shown, kind="stable", ignore_index=True)


INTEGERS = {field.name for field in fields(RunConfig) if field.type is int}


COMPARED = """\
difference  second less first, mean over the pairs
low, high   interval of the difference at 95 % (Student's t over the pairs)
same_sign   pairs whose difference has the sign of the mean, and how many pairs there are"""
"""What the columns of `compare` mean."""


def compare(
    runs: pd.DataFrame, first: tuple[int, ...], second: tuple[int, ...], mul: tuple[int, int] | None = None
) -> pd.DataFrame:
    """Test errors of two sets of orders, paired over runs that agree in every other setting, seed included.

    With `mul`, the channels of the first and of the second set, these may differ as well.

    One row per error measure: `error`, `pairs`, the two means, their `difference` (second less first) and its interval at
    95 % by Student's t over the pairs, `low` to `high`, which takes two pairs; `same_sign`: in how many of the pairs the
    difference has the sign of the mean, such as 3/3. Pairs of other settings than the seed, such as another number of channels,
    are told apart: they have rows of their own, and columns that name these settings.

    Raises ValueError where no pair of complete runs differs in its orders only.
    """
    complete = runs[runs["complete"]] if len(runs) else runs
    complete = complete.assign(**{name: complete[name].map(orders_text) for name in SEQUENCES & set(complete)})
    wanted = [(orders_text(ls), number) for ls, number in zip((first, second), mul or (None, None), strict=True)]
    names = [_side(*side) for side in wanted]
    others = [name for name in FIELDS if name != "ls" and not (mul and name == "mul")]
    sides = [_runs_of(complete, *side) for side in wanted]
    pairs = sides[0].merge(sides[1], on=others, suffixes=("_1", "_2")) if all(map(len, sides)) else pd.DataFrame()
    if pairs.empty:
        sets = {
            _side(ls, int(number) if mul else None)
            for ls, number in zip(complete.get("ls", ()), complete.get("mul", ()), strict=True)
        }
        there = ", ".join(sorted(name.removeprefix("ls=") for name in sets)) or "none"
        raise UserError(
            f"no complete runs with {' and '.join(names)} that agree in all other settings; complete sets of orders: {there}"
        )
    apart = [name for name in others if name != "seed" and pairs[name].map(str).nunique() > 1]
    groups = pairs.groupby(apart, sort=False) if apart else [((), pairs)]
    rows = [
        dict(zip(apart, values, strict=True)) | {"error": name} | found
        for values, group in groups
        for name in error_columns_of(runs)
        if (found := _paired(group, name, names))
    ]
    return pd.DataFrame(rows)


def _side(orders: str, mul: int | None) -> str:
    return f"ls={orders}" + ("" if mul is None else f":{mul}")


def _runs_of(complete: pd.DataFrame, orders: str, mul: int | None) -> pd.DataFrame:
    if complete.empty:
        return complete
    return complete[(complete["ls"] == orders) & (mul is None or complete["mul"] == mul)]


def _paired(pairs: pd.DataFrame, name: str, sides: list[str]) -> dict[str, float | str]:
    from scipy import stats

    both = pairs[[f"{name}_1", f"{name}_2"]].dropna().to_numpy()
    if not len(both):
        return {}
    difference = both[:, 1] - both[:, 0]
    half = stats.t.ppf(0.975, len(both) - 1) * stats.sem(difference) if len(both) > 1 else np.nan
    means = dict(zip(sides, both.mean(axis=0), strict=True))
    mean = difference.mean()
    alike = int((np.sign(difference) == np.sign(mean)).sum())
    found = {"pairs": len(both), **means, "difference": mean, "low": mean - half, "high": mean + half}
    return {**found, "same_sign": f"{alike}/{len(both)}"}


def export(runs: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, by the name's ending, whole or not at all; orders become text in CSV."""
    writers: dict[str, Callable[[Path], object]] = {
        ".csv": lambda beside: runs.assign(**{name: runs[name].map(orders_text) for name in SEQUENCES & set(runs)}).to_csv(
            beside, index=False
        ),
        ".parquet": lambda beside: runs.to_parquet(beside, index=False),
    }
    if path.suffix not in writers:
        raise UserError(f"a table is written as .csv or .parquet, got {path.name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, writers[path.suffix])
