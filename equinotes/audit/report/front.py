"""Numbers of the front page and of the README's result."""

from typing import Any

from equinotes.audit.protocol import Tables
from equinotes.audit.report.ledger import headline


def front(tables: Tables) -> dict[str, Any]:
    """What the front page states, of the protocol whose verdicts it shows.

    `claims` (rows of `claim`, `verdict`), `molecules` and `steps` of a run, `orders` of the network that is examined, `damage`
    (rows of `l` and the largest mean relative change of the error behind one block; empty before it is examined), `seeds`.
    """
    found = headline(tables)
    worst = found["worst"] or {"orders": [], "seeds": 0}
    return {
        "claims": [{"claim": claim, "verdict": verdict} for claim, verdict in found["judged"].items()],
        "molecules": found["molecules"],
        "steps": found["steps"],
        "orders": found["many"],
        "seeds": int(worst["seeds"]),
        "damage": worst["orders"],
    }
