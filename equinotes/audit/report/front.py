"""Numbers of the front page and of the README's result."""

from typing import Any

from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.second.claims import NEEDED, REPLACEABLE, USED
from equinotes.audit.protocols.second.runs import FOUR, MAIN
from equinotes.audit.report import ledger
from equinotes.audit.report.deciding import chart, six_rows, size_of, structured


def front(tables: Tables) -> dict[str, Any]:
    """What the front page states by protocol 2, whose stored tables are given.

    `claims` (rows of `claim`, `verdict`), `molecules` and `steps` of a run, `orders` of the network that is examined, `shown`:
    for each of its orders above 0 `l` the relative changes `damage` (one order shuffled) and `cost` (trained without it), each
    NaN where it is not known; `used`: how many of them are shown to be used; `seeds` that were examined. Of the network with
    `many` orders: `gained`, orders above 0 whose latents gain structure by training (interval above 0), and `level`, the others.
    """
    own, found = size_of(MAIN), chart(tables, FOUR)
    damages = dict(zip(found.uses.get("l", ()), found.uses.get("damage", ()), strict=True))
    costs = dict(zip(found.costs["name"], found.costs["cost"], strict=True))
    shown = [{"l": l, "damage": damages.get(l, float("nan")), "cost": costs.get(str(l), float("nan"))} for l in FOUR[1:]]
    return {
        "claims": [{"claim": row["claim"].name, "verdict": row["verdict"]} for row in six_rows(tables)],
        "molecules": own["molecules"],
        "steps": own["steps"],
        "orders": FOUR,
        "seeds": int(found.uses["seeds"].max()) if len(found.uses) else 0,
        "used": int(found.uses["answer"].isin([NEEDED, REPLACEABLE, USED]).sum()) if len(found.uses) else 0,
        "shown": shown,
        **structured(tables),
    }


def before(tables: Tables) -> dict[str, Any]:
    """What protocol 1 said, whose stored tables are given: `claims` (rows of `claim`, `verdict`), `molecules` and `steps`."""
    found = ledger.headline(tables)
    claims = [{"claim": claim, "verdict": verdict} for claim, verdict in found["judged"].items()]
    return {"claims": claims, "molecules": found["molecules"], "steps": found["steps"]}
