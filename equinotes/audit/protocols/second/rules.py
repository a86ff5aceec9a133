"""The rules of protocol 2: verdicts from the parts of each claim, and the tables that pages print."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from equinotes.analysis.inference import Estimate, holm
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.second.claims import ALPHA, CLAIMS, NOT_SUPPORTED, OPEN, PARTLY, SUPPORTED
from equinotes.audit.protocols.second.evidence import BESIDE, INTERVAL, JUDGED, LOG_MARGIN, Evidence, Network, lowered, raised
from equinotes.audit.protocols.second.parts import PARTS, RATIO, Part, without_error
from equinotes.audit.protocols.second.runs import FOUR, LOW, SIX, WITHOUT, matched
from equinotes.support.text import listed

ONE_REFUTES = ("C1",)
"""Claims that a single part refutes; the others are refuted by the opposite of every part."""
LADDER = (
    ("C3", Network(FOUR, 16), Network(WITHOUT, 16)),
    ("C3", Network(SIX, 16), Network(WITHOUT, 16)),
    ("C3", Network(SIX, 16), Network(*matched(WITHOUT, SIX, 16))),
    ("C1", Network(LOW, 16), Network(SIX, 16)),
    ("C1", Network(LOW, 16), Network(FOUR, 16)),
)
"""Comparisons that are shown at every rung; the first of a claim is the one that its verdict is followed along."""
CARRYING = {claim: (first, second) for claim, first, second in reversed(LADDER)}
"""That first comparison of each claim that has one."""


def verdict_of_all(parts: Sequence[Part]) -> tuple[str, int]:
    """Verdict of a claim with several parts, and which part decides.

    P(supported) is at most ALPHA while one part does not hold, and P(not supported) while one opposite does not
    (intersection-union tests: the weakest part decides). "In part" needs a part and an opposite after Holm's correction.
    """
    fors, againsts = np.array([part.p_for for part in parts]), np.array([part.p_against for part in parts])
    if fors.max() <= ALPHA:
        return SUPPORTED, int(fors.argmax())
    if againsts.max() <= ALPHA:
        return NOT_SUPPORTED, int(againsts.argmax())
    if holm(fors).min() <= ALPHA and holm(againsts).min() <= ALPHA:
        return PARTLY, int(againsts.argmin())
    return OPEN, int(np.minimum(fors, againsts).argmax())


def verdict_of_any(parts: Sequence[Part]) -> tuple[str, int]:
    """Verdict of a claim that a single part refutes, and which part decides.

    P(not supported) is at most ALPHA while every part holds (Holm), and P(supported) while one does not.
    """
    fors, againsts = np.array([part.p_for for part in parts]), np.array([part.p_against for part in parts])
    if holm(againsts).min() <= ALPHA:
        return NOT_SUPPORTED, int(againsts.argmin())
    return (SUPPORTED if fors.max() <= ALPHA else OPEN), int(fors.argmax())


def judged(evidence: Evidence, claim: str) -> tuple[str, list[Part], int]:
    """Verdict of one claim, its parts, and which of them decides."""
    parts = PARTS[claim](evidence)
    verdict, decides = (verdict_of_any if claim in ONE_REFUTES else verdict_of_all)(parts)
    return verdict, parts, decides


def judge(tables: Tables, claims: Iterable[str] = tuple(PARTS)) -> pd.DataFrame:
    """One row per claim.

    Columns: `claim`, `verdict`; the deciding part: `part`, `estimate`, `low`, `high`, `unit` ("log ratio" is given as a
    relative change, exp(x) - 1), `seeds`, `scale`, `why` (where it cannot be judged), `outcome` (what it says on its own);
    `refuted_by` (words), `opposites` (names of the parts whose opposite is shown on their own), `opposite` (how many these are),
    `parts` (how many there are), `nearest` (the part nearest to its opposite) and `nearest_p`; `ladder`: what the comparison
    `along` the ladder says at each rung, `changes`: whether two rungs contradict each other.
    """
    evidence, rows = Evidence(tables), []
    for claim in (claim for claim in CLAIMS if claim.name in set(claims)):
        verdict, parts, decides = judged(evidence, claim.name)
        againsts = [part.p_against for part in parts]
        nearest = int(np.argmin(againsts))
        steps = rungs(evidence, claim.name)
        opposites = [part.name for part in parts if part.p_against <= ALPHA]
        rows.append(
            {"claim": claim.name, "verdict": verdict, **_described(parts[decides]), "outcome": parts[decides].outcome,
             "refuted_by": claim.refuted_by, "opposite": len(opposites), "opposites": opposites, "parts": len(parts),
             "nearest": parts[nearest].name, "nearest_p": againsts[nearest],
             "along": _along(claim.name), "ladder": _by_outcome(steps),
             "changes": len({outcome for _, outcome in steps} - {"open"}) > 1}
        )  # fmt: skip
    return pd.DataFrame(rows)


def parts_table(tables: Tables) -> pd.DataFrame:
    """Every part of every claim: `claim`, `part`, `outcome` on its own, the estimate as in `judge`, `p_for`, `p_against`, and
    beside it `last` (the last iterate) and `matched` (the parameter-matched control), as relative changes.
    """
    evidence = Evidence(tables)
    rows = [
        {"claim": claim, "outcome": part.outcome, **_described(part), "p_for": part.p_for, "p_against": part.p_against,
         "last": float(np.expm1(part.last.value)), "matched": float(np.expm1(part.matched.value))}
        for claim, parts_of in PARTS.items() for part in parts_of(evidence)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def ladder_table(tables: Tables) -> pd.DataFrame:
    """The comparisons that have several rungs: `claim`, `first`, `second`, `scale`, relative change `estimate`, `low`, `high`,
    `last` (of the last iterate), `seeds`, `outcome` ("lower", "higher", "same", "open"), `why` (where it does not count).
    """
    evidence, rows = Evidence(tables), []
    for claim, first, second in LADDER:
        for rung in evidence.ladder(first, second):
            low, high = rung.ratio.interval(INTERVAL)
            rows.append(
                {"claim": claim, "first": str(rung.first), "second": str(rung.second), "scale": rung.scale,
                 **_changes(estimate=rung.ratio.value, low=low, high=high, last=rung.last.value),
                 "seeds": " and ".join(map(str, rung.seeds)), "outcome": direction(rung.counted), "why": rung.why}
            )  # fmt: skip
    return pd.DataFrame(rows)


def baseline_table(tables: Tables) -> pd.DataFrame:
    """Has a network left the linear baseline behind? One row per reference, training size and network.

    Columns: `reference`, `num_train`, `epochs`, `ls`, `mul`, `seeds`, `average_mae_eV` and `mae_eV` (means over seeds),
    `baseline_eV`, `below` (whether the averaged weights' error is the smaller one).
    """
    evidence, rows = Evidence(tables), []
    key = ["reference", "num_train", "epochs", "ls", "mul"]
    for of, runs in evidence.runs.groupby(key):
        baseline = evidence.baselines.get(int(runs["num_train"].iloc[0]), np.nan)
        errors = {column: float(runs[column].mean()) for column in (JUDGED, BESIDE)}
        about = dict(zip(key, of, strict=True)) | {"seeds": len(runs)} | errors
        rows.append(about | {"baseline_eV": baseline, "below": errors[JUDGED] < baseline})
    return pd.DataFrame(rows)


def rungs(evidence: Evidence, claim: str) -> list[tuple[str, str]]:
    """What the comparison that carries a claim up the ladder says at each rung where it counts: C3's error, C1's 0-6."""
    if claim not in CARRYING:
        return []
    ladder = [rung for rung in evidence.ladder(*CARRYING[claim]) if not rung.why]
    return [(rung.scale, without_error(rung).outcome if claim == "C3" else direction(rung.ratio)) for rung in ladder]


def _along(claim: str) -> str:
    """The comparison that carries a claim up the ladder; empty where there is none."""
    first, second = CARRYING.get(claim, ("", ""))
    return f"{second} against {first}" if second else ""


def _by_outcome(steps: Iterable[tuple[str, str]]) -> str:
    """What a comparison says at each rung, neighbouring rungs that say the same together.

    >>> _by_outcome([("500 steps", "lower"), ("4,000 steps", "lower"), ("paper's settings", "open")])
    "lower after 500 steps and 4,000 steps; open under the paper's settings"
    """
    said = []
    for outcome, of in groupby(steps, key=lambda step: step[1]):
        scales = [scale for scale, _ in of]
        places = [f"under the {scale}" if scale.startswith("paper") else f"after {scale}" for scale in scales]
        said.append(f"{outcome} {listed(places)}".replace(", after ", ", ").replace(" and after ", " and "))
    return "; ".join(said)


def direction(ratio: Estimate) -> str:
    """Lower or higher by the margin or more, the same within it, or open."""
    if lowered(ratio) <= ALPHA:
        return "lower"
    if raised(ratio) <= ALPHA:
        return "higher"
    return "same" if ratio.p_within(LOG_MARGIN) <= ALPHA else "open"


def _described(part: Part) -> dict[str, object]:
    low, high = part.estimate.interval(INTERVAL)
    ends = {"estimate": part.estimate.value, "low": low, "high": high}
    ends = _changes(**ends) if part.unit == RATIO else ends
    return {"part": part.name, **ends, "unit": part.unit, "seeds": part.seeds, "scale": part.scale, "why": part.why}


def _changes(**logs: float) -> dict[str, float]:
    return {name: float(np.expm1(value)) for name, value in logs.items()}
