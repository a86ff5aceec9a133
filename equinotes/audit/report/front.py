"""Numbers of the front page and of the README's result."""

from typing import Any

from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.second.claims import NEEDED, REPLACEABLE, USED
from equinotes.audit.protocols.second.runs import FOUR, MAIN
from equinotes.audit.report import ledger
from equinotes.audit.report.deciding import Chart, chart, six_rows, size_of, without_low
from equinotes.audit.report.structure import structured


def front(tables: Tables) -> dict[str, Any]:
    """What the front page states by protocol 2, whose stored tables are given.

    `claims` (rows of `claim`, `verdict`), `molecules` and `steps` of a run, `orders` of the network that is examined, `shown`:
    for each of its orders above 0 `l` the relative changes `damage` (one order shuffled) and `cost` (trained without it), each
    NaN where it is not known, with the ends of their intervals (`damage_low`, ...); `used`: how many of them are shown to be
    used; `seeds` that were examined. Of the network with `many` orders: `gained`, orders above 0 whose latents gain structure by
    training (interval above 0), and `level`, the others; `ignored`: whether orders 1 and 2 may still be ignored by it. `ladder`:
    the error without orders 1 and 2 by rung (see `without_low`), and `full`, that under the paper's settings while the rule does
    not count it (see `six_rows`).
    """
    own, found, rows = size_of(MAIN), chart(tables, FOUR), six_rows(tables)
    shown = [_shown(found, l) for l in FOUR[1:]]
    (second,) = (row["opposing"] for row in rows if row["claim"].name == "C2")
    return {
        "claims": [{"claim": row["claim"].name, "verdict": row["verdict"]} for row in rows],
        "molecules": own["molecules"],
        "steps": own["steps"],
        "orders": FOUR,
        "seeds": int(found.uses["seeds"].max()) if len(found.uses) else 0,
        "used": int(found.uses["answer"].isin([NEEDED, REPLACEABLE, USED]).sum()) if len(found.uses) else 0,
        "shown": shown,
        "ignored": not {"l = 1 is ignored", "l = 2 is ignored"} <= {part["part"] for part in second},
        **structured(tables),
        "full": next(row["full"] for row in rows if row["claim"].name == "C3"),
        "ladder": without_low(tables),
    }


def _shown(found: Chart, l: int) -> dict[str, float]:
    """Damage and cost of one order, each with its interval; NaN where it is not known."""
    numbers: dict[str, float] = {"l": l}
    for name, table, chosen in (("damage", found.uses, l), ("cost", found.costs, str(l))):
        rows = table[table["l" if name == "damage" else "name"] == chosen] if len(table) else table
        values = rows.iloc[0][[name, "low", "high"]].tolist() if len(rows) else [float("nan")] * 3
        numbers |= dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
    return numbers


def before(tables: Tables) -> dict[str, Any]:
    """What protocol 1 said, whose stored tables are given: `claims` (rows of `claim`, `verdict`), `molecules` and `steps`."""
    found = ledger.headline(tables)
    claims = [{"claim": claim, "verdict": verdict} for claim, verdict in found["judged"].items()]
    return {"claims": claims, "molecules": found["molecules"], "steps": found["steps"]}
