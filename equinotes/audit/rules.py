"""The rules of the claims, as they were written down before the runs, applied to what the stored tables show."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from equinotes.audit import evidence
from equinotes.audit.claims import (
    ARTEFACT,
    DAMAGE,
    DOMINANT,
    EQUIVALENT,
    MARGIN,
    NOT_REPRODUCED,
    OPEN,
    REPRODUCED,
    SIGNIFICANT,
)
from equinotes.audit.evidence import MANY, Orders
from equinotes.audit.report import Tables, change_text, listed, orders_name, percent
from equinotes.audit.statistics import Change, agree


class Judgement(NamedTuple):
    """What a rule says under one reference; `verdict` is None where the reference does not count, and `text` says why."""

    verdict: str | None
    text: str
    seeds: str = ""


@dataclass(frozen=True)
class Evidence:
    """The stored tables, and what the rules look at, each put together when it is first asked for."""

    tables: Tables

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """See `equinotes.audit.evidence`, as for the others."""
        return evidence.comparisons(self.tables)

    @cached_property
    def used(self) -> pd.DataFrame:
        return evidence.orders_used(self.tables)

    @cached_property
    def structured(self) -> pd.DataFrame:
        return evidence.orders_structured(self.tables)

    @cached_property
    def dominance(self) -> pd.DataFrame:
        return evidence.dominance(self.tables)


def _c1(known: Evidence, reference: str) -> Judgement:
    rows = _compared(known, "C1", reference)
    lower = [row for row in rows if row["counts"] and row["high"] < -MARGIN]
    above = [row for row in rows if row["counts"] and row["low"] > -EQUIVALENT]
    best = min((row for row in rows if row["counts"]), key=lambda row: row["change"], default=None)
    if best is None or (not lower and not all(row["counts"] for row in rows)):
        return Judgement(None, _reasons(known, "C1", reference))
    text = (
        f"of {len(rows)} added sets {len(lower)} lie wholly below {percent(-MARGIN)} and {len(above)} wholly above "
        f"{percent(-EQUIVALENT)}; the lowest is {_said(best)}"
    )
    verdict = NOT_REPRODUCED if lower else REPRODUCED if len(above) == len(rows) else OPEN
    return Judgement(verdict, text, _seeds(rows))


def _c2(known: Evidence, reference: str) -> Judgement:
    used, structured = (_of_many(table, reference) for table in (known.used, known.structured))
    trained, planned = structured["trained"].astype(bool), len(evidence.planned_seeds(MANY, 16, reference))
    structured, before = structured[trained], structured[~trained]
    if reason := _shortcoming_of_many(known, reference):
        return Judgement(None, reason)
    if any(not (table[table["l"] == l]["seeds"] >= planned).any() for table in (used, structured) for l in (1, 2)):
        return Judgement(None, "its networks have not all been examined")
    words, findings = [], []
    for l in (1, 2):
        shown, at = structured[structured["l"] == l].iloc[0], used[used["l"] == l].sort_values(["hits", "damage"]).iloc[-1]
        findings.append((bool(shown["structured"]), bool(at["used"])))
        already = before[before["l"] == l]["hits"].sum()
        words.append(
            f"l = {l} is {'' if findings[-1][0] else 'not '}structured (p < {SIGNIFICANT} in {shown['hits']} of {planned} seeds, "
            f"and before training in {already}) and {'' if findings[-1][1] else 'not '}used (shuffling it behind block "
            f"{at['block']} costs {percent(at['damage'])}, at least {percent(DAMAGE, sign=False)} in {at['hits']} of {planned})"
        )
    verdict = ARTEFACT if all(map(all, findings)) else OPEN if any(map(any, findings)) else REPRODUCED
    return Judgement(verdict, "; ".join(words), f"{planned} seeds")


def _c3(known: Evidence, reference: str) -> Judgement:
    rows = _compared(known, "C3", reference)
    if not rows[0]["counts"]:
        return Judgement(None, _reasons(known, "C3", reference))
    (row,) = rows
    verdict = REPRODUCED if row["high"] < 0 and row["change"] < -MARGIN else NOT_REPRODUCED if row["low"] > -MARGIN else OPEN
    change = change_text(row["change"], row["low"], row["high"])
    text = (
        f"from {orders_name(row['first'])} to {orders_name(row['second'])} at {row['mul']} channels the error changes by {change}"
    )
    return Judgement(verdict, text, _seeds(rows))


def _c4(known: Evidence, reference: str) -> Judgement:
    table = known.dominance
    table, planned = table[table["reference"] == reference], len(evidence.planned_seeds(MANY, 16, reference))
    if reason := _shortcoming_of_many(known, reference):
        return Judgement(None, reason)
    if len(table) < planned:
        return Judgement(None, "its networks have not all been examined")
    dominates, others = table["flow"] & table["damage"], table["blocks_of_others"] >= 2
    text = (
        f"l = 0 holds more than {percent(DOMINANT, sign=False)} of the gradient flow at every block in {table['flow'].sum()} of "
        f"{planned} seeds (at least {percent(table['least_flow'].min(), sign=False)} everywhere), shuffling it costs most at "
        f"every block in {table['damage'].sum()}, and some other order holds more flow at two blocks in {others.sum()}"
    )
    verdict = REPRODUCED if agree(dominates, planned) else NOT_REPRODUCED if agree(others, planned) else OPEN
    return Judgement(verdict, text, f"{planned} seeds")


def _c5(known: Evidence, reference: str) -> Judgement:
    rows = _compared(known, "C5", reference)
    if not all(row["counts"] for row in rows):
        return Judgement(None, _reasons(known, "C5", reference))
    outside = [row for row in rows if row["low"] > EQUIVALENT or row["high"] < -EQUIVALENT]
    same = [row for row in rows if _change(row).within(-EQUIVALENT, EQUIVALENT)]
    words = "; ".join(f"{orders_name(row['first'])} to {_said(row)}" for row in rows)
    if len(outside) == len(rows):
        return Judgement(NOT_REPRODUCED, f"all errors differ: {words}", _seeds(rows))
    used = known.used
    used = used[(used["reference"] == reference) & (used["mul"] == 16) & (used["l"] > 0)]
    examined = set(used[used["seeds"] >= used["planned"]]["ls"].map(tuple))
    if not {row[side] for row in same for side in SIDES} <= examined:
        return Judgement(None, "the networks have not all been examined")
    for row in same:
        own = [_used_alone(used, row["first"], row["second"]), _used_alone(used, row["second"], row["first"])]
        if all(own):
            orders = listed([f"{orders_name(row[side])} uses l = {found[0]}" for side, found in zip(SIDES, own, strict=True)])
            text = f"the same error from {orders_name(row['first'])} to {_said(row)}, though {orders} (all pairs: {words})"
            return Judgement(REPRODUCED, text, _seeds(rows))
    return Judgement(OPEN, f"no pair has the same error from different orders, and not all errors differ: {words}", _seeds(rows))


SIDES = ("first", "second")
RULES: dict[str, Callable[[Evidence, str], Judgement]] = {"C1": _c1, "C2": _c2, "C3": _c3, "C4": _c4, "C5": _c5}
"""The rule of each claim that has one: what it says under one reference of the target."""


def _used_alone(used: pd.DataFrame, ls: Orders, other: Orders) -> list[int]:
    """Orders above 0 that a set uses and the other lacks."""
    found = used[(used["ls"].map(tuple) == ls) & used["used"].astype(bool)]["l"]
    return sorted(set(found.tolist()) - set(other))


def _compared(known: Evidence, claim: str, reference: str) -> list[dict]:
    table = known.comparisons
    return table[(table["claim"] == claim) & (table["reference"] == reference)].to_dict("records")


def _change(row: dict) -> Change:
    return Change(row["change"], row["low"], row["high"], row["seeds"])


def _said(row: dict) -> str:
    return f"{orders_name(row['second'])} at {row['mul']} channels, {change_text(row['change'], row['low'], row['high'])}"


def _seeds(rows: list[dict]) -> str:
    counts = sorted({row["seeds"] for row in rows if row["counts"]})
    return f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else f"{counts[0]} seeds"


def _reasons(known: Evidence, claim: str, reference: str) -> str:
    """Why comparisons of a claim do not count."""
    found = [
        lack
        for pair in evidence.pairs()
        if pair.claim == claim
        for lack in evidence.lacks(known.tables, pair[1:3], pair.mul, reference, evidence.seeds_of(pair, reference))
    ]
    return evidence.reason(found, evidence.baseline_of(known.tables))


def _of_many(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    return table[(table["reference"] == reference) & (table["ls"].map(tuple) == MANY)]


def _shortcoming_of_many(known: Evidence, reference: str) -> str:
    found = evidence.lacks(known.tables, [MANY], 16, reference, evidence.planned_seeds(MANY, 16, reference))
    return evidence.reason(found, evidence.baseline_of(known.tables))
