"""Protocol 2: evidence that decides. Claims and thresholds (`claims`), runs (`runs`), columns of the stored tables (`tables`),
how a network is measured (`measures`), estimates (`evidence`), tests (`parts`) and verdicts (`rules`).
"""

from equinotes.audit.protocols.base import Protocol
from equinotes.audit.protocols.second.claims import CLAIMS, THRESHOLDS
from equinotes.audit.protocols.second.rules import judge
from equinotes.audit.protocols.second.runs import experiments
from equinotes.audit.protocols.second.tables import SCHEMAS

PROTOCOL = Protocol(name="protocol2", thresholds=THRESHOLDS, claims=CLAIMS, schemas=SCHEMAS, experiments=experiments, judge=judge)
