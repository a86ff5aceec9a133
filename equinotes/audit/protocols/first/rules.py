"""The rules of the first protocol: from stored tables to verdicts, and the numbers that decide.

Each rule is applied under both references of the target. A reference counts where all runs that the rule needs are there and
their networks have left the linear baseline behind; a finding that refutes a claim counts on its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from equinotes.audit import measures
from equinotes.audit.measures import Orders
from equinotes.audit.protocol import NOT_REPRODUCED, OPEN, REPRODUCED, Judgement, Rule, Tables
from equinotes.audit.protocols.first.claims import ARTEFACT, EQUIVALENT, MARGIN, THRESHOLDS
from equinotes.audit.protocols.first.evidence import (
    MANY,
    MUL,
    baseline_of,
    compare,
    count_planned,
    dominance,
    lacks,
    orders_structured,
    orders_used,
    pairs,
    planned_seeds,
    seeds_of,
)
from equinotes.audit.protocols.first.runs import REFERENCES
from equinotes.audit.statistics import agree


class OneReference(NamedTuple):
    """What a rule says under one reference; `verdict` is None where the reference does not count, and `numbers` say why."""

    verdict: str | None
    numbers: dict[str, Any]


def _compared(tables: Tables, claim: str, reference: str) -> list[dict[str, Any]]:
    return [compare(tables, pair, reference) for pair in pairs(claim)]


def _out(tables: Tables, claim: str, reference: str) -> OneReference:
    """The reference does not count: which networks of a claim's comparisons do not, each once."""
    found = [
        lack for pair in pairs(claim)
        for lack in lacks(tables, (pair.first, pair.second), pair.mul, reference, seeds_of(pair, reference))
    ]  # fmt: skip
    return OneReference(None, _reason(tables, found))


def _reason(tables: Tables, found: list[dict[str, Any]]) -> dict[str, Any]:
    by_name = {(lack["ls"], lack["mul"]): lack for lack in found}
    return {"lacks": list(by_name.values()), "baseline_eV": baseline_of(tables)}


def _of_many(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    return table[(table["reference"] == reference) & (table["ls"] == MANY) & (table["mul"] == MUL)]


def _shortcoming_of_many(tables: Tables, reference: str) -> OneReference | None:
    found = lacks(tables, [MANY], MUL, reference, planned_seeds(MANY, MUL, reference))
    return OneReference(None, _reason(tables, found)) if found else None


NOT_EXAMINED = OneReference(None, {"examined": False})


def _c1(tables: Tables, reference: str) -> OneReference:
    rows = _compared(tables, "C1", reference)
    counting = [row for row in rows if row["counts"]]
    lower = [row for row in counting if row["high"] < -MARGIN]
    above = [row for row in counting if row["low"] > -EQUIVALENT]
    if not counting or (not lower and len(counting) < len(rows)):
        return _out(tables, "C1", reference)
    verdict = NOT_REPRODUCED if lower else REPRODUCED if len(above) == len(rows) else OPEN
    best = min(counting, key=lambda row: row["change"])
    return OneReference(verdict, {"sets": len(rows), "lower": len(lower), "above": len(above), "best": best, **_seeds(rows)})


def _c2(tables: Tables, reference: str) -> OneReference:
    if shortcoming := _shortcoming_of_many(tables, reference):
        return shortcoming
    last, planned = measures.last_block(tables), count_planned(MANY, MUL, reference)
    used = measures.at_best_block(_of_many(orders_used(tables), reference), last).set_index("l")
    after, before = (_of_many(orders_structured(tables, trained=trained), reference) for trained in (True, False))
    after, before = (table[table["block"] == last].set_index("l") for table in (after, before))
    if any(l not in table.index or table["seeds"][l] < planned for table in (used, after) for l in (1, 2)):
        return NOT_EXAMINED
    orders = [
        {
            "l": l, "structured": bool(after["shown"][l]), "structured_seeds": int(after["hits"][l]),
            "structured_before": int(before["hits"].get(l, 0)), "used": bool(used["shown"][l]), "block": int(used["block"][l]),
            "damage": float(used["value"][l]), "used_seeds": int(used["hits"][l]),
        }
        for l in (1, 2)
    ]  # fmt: skip
    findings = [(order["structured"], order["used"]) for order in orders]
    verdict = ARTEFACT if all(map(all, findings)) else OPEN if any(map(any, findings)) else REPRODUCED
    return OneReference(verdict, {"orders": orders, "fewest": planned, "most": planned})


def _c3(tables: Tables, reference: str) -> OneReference:
    (row,) = rows = _compared(tables, "C3", reference)
    if not row["counts"]:
        return _out(tables, "C3", reference)
    verdict = REPRODUCED if row["high"] < 0 and row["change"] < -MARGIN else NOT_REPRODUCED if row["low"] > -MARGIN else OPEN
    return OneReference(verdict, {"pair": row, **_seeds(rows)})


def _c4(tables: Tables, reference: str) -> OneReference:
    if shortcoming := _shortcoming_of_many(tables, reference):
        return shortcoming
    table, planned = dominance(tables), count_planned(MANY, MUL, reference)
    table = table[table["reference"] == reference]
    if len(table) < planned:
        return NOT_EXAMINED
    dominates, others = table["flow"] & table["damage"], table["blocks_of_others"] >= 2
    verdict = REPRODUCED if agree(dominates, planned) else NOT_REPRODUCED if agree(others, planned) else OPEN
    counts = {"flow": int(table["flow"].sum()), "damage": int(table["damage"].sum()), "others": int(others.sum())}
    return OneReference(verdict, {**counts, "least_flow": float(table["least_flow"].min()), "fewest": planned, "most": planned})


def _c5(tables: Tables, reference: str) -> OneReference:
    rows = _compared(tables, "C5", reference)
    if not all(row["counts"] for row in rows):
        return _out(tables, "C5", reference)
    apart = all(row["low"] > EQUIVALENT or row["high"] < -EQUIVALENT for row in rows)
    numbers: dict[str, Any] = {"pairs": rows, "same": None, "all_differ": apart, **_seeds(rows)}
    if apart:
        return OneReference(NOT_REPRODUCED, numbers)
    used = orders_used(tables)
    used = used[(used["reference"] == reference) & (used["mul"] == MUL) & (used["l"] > 0)]
    examined = set(used[used["seeds"] >= used["planned"]]["ls"])
    same = [row for row in rows if row["low"] > -EQUIVALENT and row["high"] < EQUIVALENT]
    if not {row[side] for row in same for side in ("first", "second")} <= examined:
        return NOT_EXAMINED
    for row in same:
        own = [_used_alone(used, *sides) for sides in ((row["first"], row["second"]), (row["second"], row["first"]))]
        if all(own):
            return OneReference(REPRODUCED, numbers | {"same": row, "first_uses": own[0], "second_uses": own[1]})
    return OneReference(OPEN, numbers)


def _used_alone(used: pd.DataFrame, ls: Orders, other: Orders) -> list[int]:
    """Orders above 0 that a set uses and the other lacks."""
    found = used[(used["ls"] == ls) & used["shown"].astype(bool)]["l"]
    return sorted(set(found.tolist()) - set(other))


def _seeds(rows: list[dict[str, Any]]) -> dict[str, int]:
    counts = [row["seeds"] for row in rows if row["counts"]]
    return {"fewest": min(counts), "most": max(counts)}


def under_both(rule: Callable[[Tables, str], OneReference]) -> Rule:
    """A rule for one reference, applied under both: open where none counts, and where those that count disagree.

    Numbers: `references` (name to the numbers of those that count, or of all where none does), `counting` and `left` (names of
    references), `disagree` (the verdicts), `full_runs` (stored beside them), `thresholds`.
    """

    def judge(tables: Tables) -> Judgement:
        said = {reference: rule(tables, reference) for reference in REFERENCES}
        counting = {reference: one for reference, one in said.items() if one.verdict is not None}
        found = list(dict.fromkeys(str(one.verdict) for one in counting.values()))
        numbers = {
            "references": {reference: one.numbers for reference, one in (counting or said).items()},
            "counting": list(counting),
            "left": [reference for reference in said if reference not in counting],
            "disagree": found if len(found) > 1 else [],
            "full_runs": int((tables["runs"]["experiment"] == "full").sum()),
            "thresholds": dict(THRESHOLDS),
        }
        return Judgement(found[0] if len(found) == 1 else OPEN, numbers)

    return judge


RULES: dict[str, Rule] = {
    name: under_both(rule) for name, rule in {"C1": _c1, "C2": _c2, "C3": _c3, "C4": _c4, "C5": _c5}.items()
}
"""The rule of each claim that has one."""
