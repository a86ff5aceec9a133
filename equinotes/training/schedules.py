"""Learning rates over a run: a factor of `lr` for each step, so that a resumed run needs no state for it."""

import math
from collections.abc import Callable


def constant(step: int, steps: int) -> float:
    """The same rate throughout, as in the paper."""
    return 1.0


def cosine(step: int, steps: int) -> float:
    """Half a cosine, from 1 at the first step (0) towards 0 after the last.

    >>> [round(cosine(step, 4), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    return (1 + math.cos(math.pi * step / steps)) / 2


SCHEDULES: dict[str, Callable[[int, int], float]] = {"constant": constant, "cosine": cosine}
"""By the values of `RunConfig.schedule`; steps count from 0."""
