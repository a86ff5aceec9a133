"""Contestants take turns; ratios are taken within rounds, so that what else the machine does meets all of them."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from equinotes.support.progress import bar

PAUSE = 0.25
"""Seconds between turns: threads of the last contestant stop spinning."""
LEAST = 3
"""Rounds that quartiles need."""


@dataclass
class Timings:
    """Seconds of one contestant, round by round."""

    rounds: list[float] = field(default_factory=list)

    def spread(self) -> tuple[float, float, float]:
        """Median, and quartiles: NaN for fewer than three rounds."""
        return _spread(self.rounds)

    def ratio(self, other: "Timings") -> tuple[float, float, float]:
        """Median of self / other within rounds, and quartiles: NaN for fewer than three rounds."""
        return _spread(np.divide(self.rounds, other.rounds))


def _spread(values: ArrayLike) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return (middle, low, high) if np.size(values) >= LEAST else (middle, math.nan, math.nan)


def take_turns(
    turns: Sequence[Callable[[int], float]], *, rounds: int, seconds: float, least: int = LEAST, desc: str = ""
) -> list[Timings]:
    """Call every turn once in each round; a turn gets the round's number and returns the seconds that count.

    Ends after so many rounds, or when the next one would outlast `seconds`, but not before `least` rounds.
    """
    timings = [Timings() for _ in turns]
    start = time.monotonic()
    for done in bar(range(rounds), desc=desc):
        for turn, timing in zip(turns, timings, strict=True):
            timing.rounds.append(turn(done))
            time.sleep(PAUSE)
        if done + 1 >= least and (time.monotonic() - start) * (done + 2) / (done + 1) > seconds:
            break
    return timings
