"""Can training make a network use all orders? Claims and thresholds (`claims`), runs (`runs`) and the choice of coefficients
among them, how a network is measured (`measures`), estimates and verdicts (`rules`).
"""

from pathlib import Path
from typing import Any

from equinotes.audit.protocol import Protocol
from equinotes.audit.protocols.second.tables import SCHEMAS
from equinotes.audit.protocols.strategies.claims import CLAIMS, THRESHOLDS
from equinotes.audit.protocols.strategies.runs import FOLDER, PLAIN, experiments, subjects


def _examine(*args: Any, **options: Any) -> Any:
    """`measures.examine`; torch takes seconds to import."""
    from equinotes.audit.protocols.strategies.measures import examine

    return examine(*args, **options)


def _judge(tables: Any) -> Any:
    """`rules.judge`; the table library and scipy take a second to import."""
    from equinotes.audit.protocols.strategies.rules import judge

    return judge(tables)


PROTOCOL = Protocol(
    name="strategies",
    folder=Path(FOLDER),
    thresholds=THRESHOLDS,
    claims=CLAIMS,
    schemas={name: SCHEMAS[name] for name in ("runs", "predictions", "baselines", "uses")}
    | {"metrics": SCHEMAS["metrics"] | {"train_term": "float"}},
    experiments=experiments,
    planned=("choose", "plain", "pretraining", "curriculum", "skips"),
    apart=("choose", "plain", "terms", "pretraining", "curriculum", "skips"),
    scales=(PLAIN,),
    judge=_judge,
    subjects=subjects,
    examine=_examine,
)
"""`equinotes audit run --protocol strategies` trains all experiments but one. When `choose` is stored, coefficients are chosen,
and `equinotes audit run terms --protocol strategies` trains the terms and their controls."""
