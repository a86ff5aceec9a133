"""Beside the first protocol's rules: numbers that they do not see, from the same tables.

Written after the runs; nothing here changes a verdict. All are about the reference `composition`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from equinotes.audit import measures
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.first.claims import EQUIVALENT, LEVEL, MARGIN, THRESHOLDS
from equinotes.audit.protocols.first.evidence import (
    FEW,
    JUDGED,
    MANY,
    MUL,
    Pair,
    compare,
    errors_of,
    orders_structured,
    pairs,
)
from equinotes.audit.released import what_panels_hold
from equinotes.audit.reported import counted_parameters
from equinotes.audit.statistics import Change, relative_change, unpaired_change
from equinotes.irreps import irreps_of
from equinotes.support.text import set_name

REFERENCE = "composition"
PAPERS_PAIR = Pair("C3", MANY, (0, 3, 4, 5, 6), MUL)
"""What the slides compare for C3: all orders, and the same without 1 and 2."""


def beside(tables: Tables, claim: str) -> dict[str, Any]:
    """Numbers to be read beside a claim's verdict; none where its runs are not stored, or for a claim without any."""
    if claim not in BESIDE or not all(compare(tables, pair, REFERENCE)["counts"] for pair in pairs(claim)):
        return {}
    numbers = BESIDE[claim](tables)
    return {**numbers, "thresholds": dict(THRESHOLDS)} if numbers else {}


def centred_change(tables: Tables, pair: Pair) -> Change:
    """Relative change of the centred MAE, paired by seed as the rules pair."""
    one, other = (measures.centred_errors(tables, ls, pair.mul, REFERENCE, JUDGED) for ls in (pair.first, pair.second))
    return relative_change(one, other)


def _sides(tables: Tables, pair: Pair) -> tuple[dict[int, float], dict[int, float]]:
    return errors_of(tables, pair.first, pair.mul, REFERENCE), errors_of(tables, pair.second, pair.mul, REFERENCE)


def _paired(tables: Tables, pair: Pair) -> Change:
    return relative_change(*_sides(tables, pair))


def _unpaired(tables: Tables, pair: Pair) -> Change:
    return unpaired_change(*_sides(tables, pair))


def _c1(tables: Tables) -> dict[str, Any]:
    added = pairs("C1")
    free = [(pair, _unpaired(tables, pair)) for pair in added]
    centred = [centred_change(tables, pair) for pair in added]
    wide = [pair for pair in added if pair.mul == MUL]
    error = {pair.second: float(np.mean([*errors_of(tables, pair.second, MUL, REFERENCE).values()])) for pair in wide}
    best, sizes = min(error, key=error.__getitem__), sorted(counted_parameters(pair.second, MUL) for pair in wide)
    return {
        "sets": len(added),
        "below": [set_name(pair.second, pair.mul) for pair in added if _paired(tables, pair).high < 0],
        "by_chance": 1 - LEVEL ** len(added),
        "clearly_below": [
            {"name": set_name(pair.second, pair.mul), **change._asdict()} for pair, change in free if change.high < -MARGIN
        ],
        "few": {"name": set_name(FEW, MUL), "parameters": counted_parameters(FEW, MUL)},
        "sizes": (sizes[0], sizes[-1]),
        "wide": {
            "name": set_name(FEW, 32), "parameters": counted_parameters(FEW, 32),
            "mae_eV": float(np.mean([*errors_of(tables, FEW, 32, REFERENCE).values()])),
        },
        "best": {"name": set_name(best, MUL), "mae_eV": error[best]},
        "centred_below": sum(change.high < -MARGIN for change in centred),
        "centred_above": sum(change.low > -EQUIVALENT for change in centred),
    }  # fmt: skip


def _c2(tables: Tables) -> dict[str, Any]:
    held = what_panels_hold(irreps_of(MANY, MUL)).query("cut == 'released'")
    right = [named for named, holds in zip(held["named"], held["holds"], strict=True) if holds == (named,)]
    last, counts = measures.last_block(tables), {}
    for when, trained in (("after", True), ("before", False)):
        found = orders_structured(tables, trained=trained)
        found = found[(found["reference"] == REFERENCE) & (found["ls"] == MANY) & (found["block"] == last)]
        found = found[found["l"].isin([1, 2])]
        counts[when] = (int(found["hits"].sum()), int(found["seeds"].sum()))
    return {"right_panels": right, **counts} if all(seeds for _, seeds in counts.values()) else {}


def _c3(tables: Tables) -> dict[str, Any]:
    (pair,) = pairs("C3")
    return {
        "first": PAPERS_PAIR.first, "second": PAPERS_PAIR.second, "change": _paired(tables, PAPERS_PAIR),
        "centred": centred_change(tables, pair), "centred_papers": centred_change(tables, PAPERS_PAIR),
    }  # fmt: skip


def _c4(tables: Tables) -> dict[str, Any]:
    inner = range(1, measures.last_block(tables))

    def of_many(cells: pd.DataFrame) -> pd.DataFrame:
        return cells[(cells["ls"] == MANY) & (cells["mul"] == MUL) & (cells["reference"] == REFERENCE)]

    costs = of_many(measures.damage(tables, THRESHOLDS)).pivot_table(index=["block", "seed"], columns="l", values="value")
    if costs.empty:
        return {}
    more = (costs.drop(columns=0).max(axis=1) > costs[0]).groupby("block").agg(["sum", "count"])
    flows = {
        when: of_many(measures.flow(tables, THRESHOLDS, trained=trained)).query("l == 0").groupby("block")["value"].mean()
        for when, trained in (("before", False), ("after", True))
    }
    return {
        "dearer": [{"block": k, "seeds": int(more["sum"][k]), "of": int(more["count"][k])} for k in inner],
        "flow": [{"block": k, "before": flows["before"][k], "after": flows["after"][k]} for k in inner],
    }


def _c5(tables: Tables) -> dict[str, Any]:
    found = pairs("C5")
    paired = [_paired(tables, pair) for pair in found]
    return {
        "pairs": len(found),
        "same": sum(change.within(-EQUIVALENT, EQUIVALENT) for change in paired),
        "apart": sum(change.low > 0 or change.high < 0 for change in paired),
        "unpaired": [{**pair._asdict(), **_unpaired(tables, pair)._asdict()} for pair in found],
        "centred": [centred_change(tables, pair) for pair in found],
    }


BESIDE: dict[str, Callable[[Tables], dict[str, Any]]] = {"C1": _c1, "C2": _c2, "C3": _c3, "C4": _c4, "C5": _c5}
