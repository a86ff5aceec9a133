"""Contestants take turns; ratios are taken within rounds, so that what else the machine does meets all of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from equinotes.progress import bar

PAUSE = 0.25
"""Seconds between turns: threads of the last contestant stop spinning."""


@dataclass
class Timings:
    """Seconds of one contestant, round by round."""

    rounds: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """The time below which this share of the rounds lies."""
        return float(np.quantile(self.rounds, share))

    def ratio(self, other: "Timings") -> tuple[float, float, float]:
        """Median of self / other within rounds, and its quartiles."""
        ratios = np.divide(self.rounds, other.rounds)
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        return float(middle), float(low), float(high)


def take_turns(
    turns: Sequence[Callable[[int], float]], *, rounds: int, seconds: float, least: int = 3, desc: str = ""
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
