"""How a network is measured: the calibrated damage of every order behind every block but the last."""

from pathlib import Path
from typing import Any

import pandas as pd

from equinotes.audit.protocols.second.measures import uses
from equinotes.config import RunConfig
from equinotes.data.qm9 import load_qm9
from equinotes.data.splits import draw_split
from equinotes.runs.store import Run

FITTED, TESTED, DRAWS = 300, 300, 2
"""Validation molecules that recalibrate, test molecules that show the damage, and permutations of each edit."""


def examine(
    config: RunConfig, runs_dir: Path | str, *, trained: bool, full: bool
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The table `uses` of a run's averaged weights. Untrained networks are not measured: both sides of a comparison share theirs,
    but for skips, where the difference of two untrained networks is part of what skips do. Networks with dense skips are not
    measured either (`runs.UNMEASURED`).
    """
    if not trained:
        return {}, {}
    sizes = {name: getattr(config, name) for name in ("num_train", "num_val", "num_test", "split_seed")}
    split = draw_split(load_qm9(), **sizes)
    net = Run(Path(runs_dir) / config.run_id).network(average=True)
    return {"uses": uses(net, split.val[:FITTED], split.test[:TESTED], draws=DRAWS)}, {}
