"""Protocol 2: evidence that decides. Claims and thresholds (`claims`), runs (`runs`), columns of the stored tables (`tables`),
how a network is measured (`measures`), estimates (`evidence`), tests (`parts`) and verdicts (`rules`).
"""

from pathlib import Path
from typing import Any

from equinotes.audit.protocol import Protocol
from equinotes.audit.protocols.second.claims import CLAIMS, THRESHOLDS
from equinotes.audit.protocols.second.rules import judge
from equinotes.audit.protocols.second.runs import SCALES, experiments, subjects
from equinotes.audit.protocols.second.tables import FOLDER, SCHEMAS
from equinotes.config import RunConfig


def _examine(*args: Any, **options: Any) -> Any:
    """`measures.examine`; torch takes seconds to import."""
    from equinotes.audit.protocols.second.measures import examine

    return examine(*args, **options)


PROTOCOL = Protocol(
    name="second",
    folder=Path(FOLDER),
    thresholds=THRESHOLDS,
    claims=CLAIMS,
    schemas=SCHEMAS,
    experiments=experiments,
    planned=("table", "substitutes", "matched", "retrain", "ladder", "scalars", "mean"),
    apart=("full",),
    scales=tuple(RunConfig.from_dict(scale) for scale in SCALES.values()),
    judge=judge,
    subjects=subjects,
    examine=_examine,
)
