"""The comparison of networks: does what the paper says of its own network hold for others?

Claims (`claims`), runs (`runs`), columns of the stored tables (`tables`), how a network is measured (`measures`), estimates
(`evidence`) and verdicts (`rules`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from equinotes.audit.protocol import Protocol, Tables
from equinotes.audit.protocols.networks.claims import CLAIMS, THRESHOLDS
from equinotes.audit.protocols.networks.runs import TARGETS, Place, configuration, experiments, subjects
from equinotes.audit.protocols.networks.tables import FOLDER, SCHEMAS

if TYPE_CHECKING:
    import pandas as pd


def _examine(*args: Any, **options: Any) -> Any:
    """`measures.examine`; torch takes seconds to import."""
    from equinotes.audit.protocols.networks.measures import examine

    return examine(*args, **options)


def judge(tables: Tables) -> "pd.DataFrame":
    """One row per claim; see `rules.judge`."""
    from equinotes.audit.protocols.networks.rules import judge

    return judge(tables)


PROTOCOL = Protocol(
    name="networks",
    folder=Path(FOLDER),
    thresholds=THRESHOLDS,
    claims=CLAIMS,
    schemas=SCHEMAS,
    experiments=experiments,
    apart=("anisotropy",),
    scales=tuple(configuration(Place("paper", target), (0,), 0) for target in TARGETS),
    judge=judge,
    subjects=subjects,
    examine=_examine,
)
