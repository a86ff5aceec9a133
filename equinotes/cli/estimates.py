"""How long work takes, judged by what was stored of earlier work."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

from equinotes.config import RunConfig

COSTLY = (
    *("network", "ls", "mul", "num_blocks", "atom_dim", "num_basis", "radial", "graph", "cutoff", "gate", "last_block"),
    *("heads", "channels_div", "attribute_lmax"),
    *("batch_size", "auxiliary", "terms"),
)
"""Fields of `RunConfig` that decide the time per molecule and epoch."""


def duration(seconds: float) -> str:
    """A rough duration.

    >>> duration(0.4), duration(32), duration(150), duration(20000)
    ('1 s', '32 s', '2 min', '5.6 h')
    """
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def training_time(configs: Iterable[RunConfig], runs_dir: Path) -> str:
    """The time of training, one run after another, at the median speed of complete runs that cost the same per molecule."""
    speeds = defaultdict[tuple, list[float]](list)
    for config, seconds in _trained(runs_dir):
        speeds[_cost(config)].append(seconds / (config.epochs * config.num_train))
    known = [median(speeds[_cost(config)]) * config.epochs * config.num_train for config in configs if _cost(config) in speeds]
    unknown = sum(1 for config in configs if _cost(config) not in speeds)
    said = [f"about {duration(sum(known))} of training, one run after another"] if known else []
    said += [f"no stored run tells how long {unknown} of them take"] if unknown else []
    return "; ".join(said)


def _trained(runs_dir: Path) -> Iterator[tuple[RunConfig, float]]:
    from equinotes.runs.store import CONFIG, Run

    for path in sorted(runs_dir.glob(f"*/{CONFIG}")):
        run = Run(path.parent)
        if run.complete:
            yield run.config, run.provenance["seconds"]


def _cost(config: RunConfig) -> tuple:
    return tuple(getattr(config, name) for name in COSTLY)
