"""Beside the rules: what they do not see, computed from the same tables.

Written after the runs; nothing here changes a verdict.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from equinotes.audit.changes import set_name
from equinotes.audit.claims import EQUIVALENT, LEVEL, MARGIN, SIGNIFICANT
from equinotes.audit.evidence import FEW, MANY, Orders, Pair, comparisons, errors_of, last_block, orders_structured, pairs
from equinotes.audit.orders import damages, examined
from equinotes.audit.released import what_panels_hold
from equinotes.audit.report import Tables, change_text, listed, orders_name, percent
from equinotes.audit.scale import counted_parameters
from equinotes.audit.statistics import Change, relative_change
from equinotes.irreps import irreps_of

REFERENCE = "composition"
"""The reference that all remarks are about."""
PAPERS_PAIR = Pair("C3", MANY, (0, 3, 4, 5, 6), 16)
"""What the slides compare for C3: all orders, and the same without 1 and 2."""


def remarks(tables: Tables, claim: str) -> list[str]:
    """Sentences to be read beside a claim's verdict; none where its runs are not stored, or for a claim without a rule."""
    table = comparisons(tables)
    of_claim = table[(table["claim"] == claim) & (table["reference"] == REFERENCE)]
    if claim not in SENTENCES or not of_claim["counts"].all():
        return []
    return SENTENCES[claim](tables)


def centred_errors(tables: Tables, ls: Orders, mul: int, reference: str) -> dict[int, float]:
    """Test MAE [eV] by seed after each network's median error was subtracted: what a common offset of all molecules leaves."""
    predicted, runs = tables["predictions"], tables["runs"]
    chosen = runs[(runs["ls"] == ls) & (runs["mul"] == mul) & (runs["reference"] == reference)]
    chosen = chosen[chosen["experiment"].isin(["table", "substitutes"])].drop_duplicates("run_id")
    errors = {
        seed: (predicted[run] - predicted["target_eV"]).to_numpy()
        for seed, run in zip(chosen["seed"], chosen["run_id"], strict=True)
    }
    return {seed: float(np.abs(error - np.median(error)).mean()) for seed, error in errors.items()}


def centred_change(tables: Tables, pair: Pair) -> Change:
    """Relative change of the centred MAE, paired by seed as the rules pair."""
    first, second = (centred_errors(tables, ls, pair.mul, REFERENCE) for ls in (pair.first, pair.second))
    return relative_change(first, second)


def unpaired_change(first: Mapping[int, float], second: Mapping[int, float]) -> Change:
    """Relative change of the geometric mean error from all seeds of both sides, with Welch's interval.

    >>> same = unpaired_change({0: 1.0, 1: 1.1, 2: 0.9}, {5: 0.9, 6: 1.0, 7: 1.1})
    >>> abs(same.mean) < 1e-12 and same.low < 0 < same.high
    True
    """
    logs = [np.log(list(side.values())) for side in (first, second)]
    between = stats.ttest_ind(logs[1], logs[0], equal_var=False).confidence_interval(LEVEL)
    low, high = np.expm1([between.low, between.high])
    return Change(float(np.expm1(logs[1].mean() - logs[0].mean())), float(low), float(high), min(map(len, logs)))


def _paired(tables: Tables, pair: Pair) -> Change:
    first, second = (errors_of(tables, ls, pair.mul, REFERENCE) for ls in (pair.first, pair.second))
    return relative_change(first, second)


def _unpaired(tables: Tables, pair: Pair) -> Change:
    first, second = (errors_of(tables, ls, pair.mul, REFERENCE) for ls in (pair.first, pair.second))
    return unpaired_change(first, second)


def _text(change: Change) -> str:
    return change_text(change.mean, change.low, change.high)


def _of(claim: str) -> list[Pair]:
    return [pair for pair in pairs() if pair.claim == claim]


def _of_many(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["set"] == orders_name(MANY)) & (table["reference"] == REFERENCE)]


def _names(pairs: list[Pair]) -> str:
    return f" ({listed([set_name(pair.second, pair.mul) for pair in pairs])})" if pairs else ""


def _c1(tables: Tables) -> list[str]:
    added = _of("C1")
    below = [pair for pair in added if _paired(tables, pair).high < 0]
    free = [(pair, _unpaired(tables, pair)) for pair in added]
    clear = [f"{set_name(pair.second, pair.mul)} ({_text(change)})" for pair, change in free if change.high < -MARGIN]
    centred = [centred_change(tables, pair) for pair in added]
    wide = [pair for pair in added if pair.mul == 16]
    error = {pair.second: float(np.mean([*errors_of(tables, pair.second, 16, REFERENCE).values()])) for pair in wide}
    best, of_few = min(error, key=error.__getitem__), np.mean([*errors_of(tables, FEW, 32, REFERENCE).values()])
    sizes = sorted(counted_parameters(pair.second, pair.mul) for pair in wide)
    return [
        f"{len(below)} of the {len(added)} intervals lie wholly below zero{_names(below)}. They are not corrected for their "
        f"number: where nothing differs, at least one of {len(added)} independent intervals misses zero with probability "
        f"{1 - LEVEL ** len(added):.0%}.",
        "Pairing leaves out seeds that only one set has. With all seeds, unpaired (Welch, on logarithms), wholly below "
        f"{percent(-MARGIN)} lie: {listed(clear)}.",
        f"Orders come with parameters: {set_name(FEW, 16)} has {counted_parameters(FEW, 16):,}, the sets beside it {sizes[0]:,} "
        f"to {sizes[-1]:,}. With more channels instead, {set_name(FEW, 32)} has {counted_parameters(FEW, 32):,} and an error of "
        f"{of_few:.3f} eV; the lowest of those beside it is {error[best]:.3f} eV ({set_name(best, 16)}).",
        f"With each network's median error subtracted first, {sum(change.high < -MARGIN for change in centred)} of {len(added)} "
        f"lie wholly below {percent(-MARGIN)} and {sum(change.low > -EQUIVALENT for change in centred)} wholly above "
        f"{percent(-EQUIVALENT)}.",
    ]


def _c2(tables: Tables) -> list[str]:
    panels = what_panels_hold(irreps_of(MANY, 16)).query("cut == 'released'")
    right = [str(named) for named, holds in zip(panels["named"], panels["holds"], strict=True) if holds == (named,)]
    found = orders_structured(tables)
    found = found[(found["reference"] == REFERENCE) & (found["ls"].map(tuple) == MANY) & found["l"].isin([1, 2])]
    hits = {bool(trained): (int(rows["hits"].sum()), int(rows["seeds"].sum())) for trained, rows in found.groupby("trained")}
    if len(hits) < 2:
        return []
    return [
        "The verdict's name says more than its rule tests: that the cut made the paper's picture is inferred. By "
        f"[A1](#finding-a1) the panels {listed(right)} hold the orders that they are named after even so. What "
        "the cut can explain is the panel named 2, and not the one named 1, for which frames and cancellation are left "
        "([A6](#finding-a6), [A11](#finding-a11)).",
        f"*Structured* does not tell what was learned: p < {SIGNIFICANT} in {hits[True][0]} of {hits[True][1]} latents of l = 1 "
        f"and 2 after training, and in {hits[False][0]} of {hits[False][1]} before. What decides is *used*.",
    ]


def _c3(tables: Tables) -> list[str]:
    (pair,) = _of("C3")
    return [
        "The claim's second half, that the features are then better structured, has no rule and is not judged.",
        f"The slides also set the networks with all orders beside those without 1 and 2. From {orders_name(PAPERS_PAIR.first)} "
        f"to {orders_name(PAPERS_PAIR.second)} the error changes by {_text(_paired(tables, PAPERS_PAIR))}.",
        f"With each network's median error subtracted first, the change that is judged is {_text(centred_change(tables, pair))}, "
        f"that from {orders_name(MANY)} {_text(centred_change(tables, PAPERS_PAIR))}.",
    ]


def _c4(tables: Tables) -> list[str]:
    inner, costs = range(1, last_block(tables)), _of_many(damages(tables))
    costs = costs.pivot_table(index=["block", "seed"], columns="l", values="value")
    if costs.empty:
        return []
    more = (costs.drop(columns=0).max(axis=1) > costs[0]).groupby("block").agg(list)
    flow = _of_many(examined(tables, "gradients")).query("l == 0")
    shares = flow.groupby(["block", "trained"])["share"].mean()
    counts = [f"{sum(more[block])} of {len(more[block])} seeds behind block {block}" for block in inner]
    falls = [f"{shares[block, False]:.2f} to {shares[block, True]:.2f} (block {block})" for block in inner]
    return [
        "What would refute the claim names damage beside gradient flow; the rule's clause for *not reproduced* asks for flow "
        f"alone. Some order above 0 costs more than l = 0 when it is shuffled in {listed(counts)}.",
        f"Training takes flow from l = 0: its mean share goes from {listed(falls)}.",
    ]


def _c5(tables: Tables) -> list[str]:
    found = _of("C5")
    same = [pair for pair in found if _paired(tables, pair).within(-EQUIVALENT, EQUIVALENT)]
    apart = [pair for pair in found if (change := _paired(tables, pair)).low > 0 or change.high < 0]
    free = [f"{orders_name(pair.first)} to {orders_name(pair.second)} {_text(_unpaired(tables, pair))}" for pair in found]
    centred = [f"{_text(centred_change(tables, pair))}" for pair in found]
    return [
        f"The rule asks for some pair. Of the {len(found)} pairs {len(same)} lie within {percent(EQUIVALENT, sign=False)}, and "
        f"{len(apart)} exclude zero.",
        "The sets have no order above 0 in common, so *each uses one that the other lacks* says no more than that each uses some "
        "order above 0.",
        "At equal seed these networks start from the same numbers, as they have equally many weights, and their errors go "
        f"together. Unpaired (Welch, on logarithms) the changes are {listed(free)}.",
        f"With each network's median error subtracted first they are, paired, {listed(centred)}.",
    ]


SENTENCES: dict[str, Callable[[Tables], list[str]]] = {"C1": _c1, "C2": _c2, "C3": _c3, "C4": _c4, "C5": _c5}
