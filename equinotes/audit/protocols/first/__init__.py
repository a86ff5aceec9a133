"""The first protocol: few steps, seeds, both references of the target.

Claims and thresholds (`claims`), runs (`runs`), what the rules look at (`evidence`), verdicts (`rules`), and numbers that the
rules do not see (`beside`). The commit that wrote claims and runs down came before the first run; `equinotes.audit.history`
shows it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from equinotes.audit.protocol import Protocol, Tables, judged
from equinotes.audit.protocols.first import claims, runs

if TYPE_CHECKING:
    import pandas as pd


def judge(tables: Tables) -> "pd.DataFrame":
    """One row per claim, as `equinotes.audit.protocol.judged`."""
    from equinotes.audit.protocols.first.rules import RULES

    return judged(PROTOCOL.claims, RULES, tables)


PROTOCOL = Protocol(
    name="first",
    folder=Path("results", "audit"),
    experiments=runs.experiments,
    planned=("table", "substitutes", "factors", "scalars"),
    subjects=runs.subjects,
    others=runs.others,
    apart=("full",),
    scales=runs.SCALES,
    thresholds=claims.THRESHOLDS,
    claims=claims.CLAIMS,
    judge=judge,
)
