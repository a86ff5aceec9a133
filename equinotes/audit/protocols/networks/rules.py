"""The rules of the comparison: parts of each claim, and verdicts from them."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from equinotes.analysis.inference import UNKNOWN, Estimate
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.networks.claims import CLAIMS
from equinotes.audit.protocols.networks.evidence import Evidence
from equinotes.audit.protocols.networks.runs import ANISOTROPY, ENERGY, FIELDS, PRODUCTS, WITHOUT, Place
from equinotes.audit.protocols.second.evidence import INTERVAL, LOG_MARGIN, lowered, raised
from equinotes.audit.protocols.second.parts import NOT_EXAMINED, OPPOSITE, RATIO, SHOWN, Part
from equinotes.audit.protocols.second.rules import verdict_of_all


def ignored(target: str, evidence: Evidence) -> list[Part]:
    """N1 and N2: l = 1 and 2 are ignored in each network."""
    parts = []
    for network in FIELDS:
        place = Place(network, target)
        use = evidence.use(place)
        for l in WITHOUT:
            name = f"{network}: l = {l} is ignored"
            if l in use:
                of = use[l]
                parts.append(Part(name, of.damage, RATIO, of.p_unused, of.p_used, f"{of.seeds}", f"layer {of.layer}"))
            else:
                parts.append(Part(name, UNKNOWN, RATIO, 1.0, 1.0, why=NOT_EXAMINED))
    return parts


def costless(target: str, evidence: Evidence) -> list[Part]:
    """N3 and N4: leaving out l = 1 and 2 does not raise the error of a network."""
    parts = []
    for network in FIELDS:
        cost, last = (evidence.cost(Place(network, target), average=average) for average in (True, False))
        ratio, seeds = cost.counted, " and ".join(map(str, cost.seeds))
        name = f"{network}: not worse without l = 1 and 2"
        parts.append(Part(name, cost.ratio, RATIO, ratio.p_below(LOG_MARGIN), raised(ratio), seeds, target, cost.why, last.ratio))
    return parts


def worth_by_graph(evidence: Evidence) -> list[Part]:
    """N5: what l = 1 and 2 are worth is less on the radius graph."""
    return [_worth_less(evidence, Place(network, graph="radius"), "on the radius graph") for network in FIELDS]


def worth_with_products(evidence: Evidence) -> list[Part]:
    """N6: what l = 1 and 2 are worth is less with many-body products."""
    return [_worth_less(evidence, Place(network, body_order=3), "with many-body products") for network in PRODUCTS]


def _worth_less(evidence: Evidence, place: Place, where: str) -> Part:
    change, why = evidence.change_of_cost(Place(place.network), place)
    name = f"{place.network}: l = 1 and 2 are worth less {where}"
    return Part(name, change, RATIO, lowered(change), change.p_above(-LOG_MARGIN), why=why)


PARTS: dict[str, Callable[[Evidence], list[Part]]] = {
    "N1": partial(ignored, ENERGY), "N2": partial(ignored, ANISOTROPY),
    "N3": partial(costless, ENERGY), "N4": partial(costless, ANISOTROPY),
    "N5": worth_by_graph, "N6": worth_with_products,
}  # fmt: skip
"""The parts of each claim."""


def judge(tables: Tables) -> pd.DataFrame:
    """One row per claim: `claim`, `verdict`, and of the part that decides `part`, `estimate`, `low`, `high` (relative changes),
    `seeds`, `why`; `shown` and `opposite`: how many of the `parts` are shown on their own, and of how many the opposite is.
    """
    evidence, rows = Evidence(tables), []
    for claim in CLAIMS:
        parts = PARTS[claim.name](evidence)
        verdict, decides = verdict_of_all(parts)
        counted = [part.outcome for part in parts]
        about = {"shown": counted.count(SHOWN), "opposite": counted.count(OPPOSITE), "parts": len(parts)}
        rows.append({"claim": claim.name, "verdict": verdict, **_described(parts[decides]), **about})
    return pd.DataFrame(rows)


def parts_table(tables: Tables) -> pd.DataFrame:
    """Every part of every claim: `claim`, `part`, `outcome` on its own, the estimate as in `judge`, `p_for`, `p_against`, `last`
    (the same from the last iterates, where errors are compared).
    """
    evidence = Evidence(tables)
    return pd.DataFrame([
        {"claim": claim, "outcome": part.outcome, **_described(part), "p_for": part.p_for, "p_against": part.p_against,
         "last": float(np.expm1(part.last.value))}
        for claim, parts in PARTS.items() for part in parts(evidence)
    ])  # fmt: skip


def _described(part: Part) -> dict:
    return {"part": part.name, **_changes(part.estimate), "seeds": part.seeds, "why": part.why}


def _changes(ratio: Estimate) -> dict[str, float]:
    low, high = ratio.interval(INTERVAL)
    values = {"estimate": ratio.value, "low": low, "high": high}
    return {name: float(np.expm1(value)) for name, value in values.items()}
