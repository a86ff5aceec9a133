"""Statistics over seeds: intervals, relative changes paired by seed, and how many seeds show a finding."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from equinotes.audit.claims import AGREEING, LEVEL


class Change(NamedTuple):
    """Mean of a quantity over seeds with Student's interval; NaN where too few seeds are there."""

    mean: float
    low: float
    high: float
    seeds: int

    def within(self, low: float, high: float) -> bool:
        """Whether the whole interval lies strictly between two values; no for an interval that is not known."""
        return bool(low < self.low and self.high < high)


def student(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Change:
    """Mean over seeds and the interval that holds the true mean with probability `level`, for normal scatter.

    >>> [round(value, 3) for value in student([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484, 3]
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return Change(np.nan, np.nan, np.nan, 0)
    mean = float(numbers.mean())
    if len(numbers) == 1:
        return Change(mean, np.nan, np.nan, 1)
    half = _quantile(level, len(numbers) - 1) * float(numbers.std(ddof=1)) / len(numbers) ** 0.5
    return Change(mean, mean - half, mean + half, len(numbers))


@cache
def _quantile(level: float, freedom: int) -> float:
    return float(stats.t.ppf((1 + level) / 2, freedom))


def relative_change(first: Mapping[int, float], second: Mapping[int, float], level: float = LEVEL) -> Change:
    """Change from the first error to the second as a share of the first, over the seeds that both have.

    >>> round(relative_change({0: 1.0, 1: 2.0, 2: 9.0}, {0: 1.1, 1: 2.2}).mean, 6)
    0.1
    """
    shared = sorted(set(first) & set(second))
    return student([second[seed] / first[seed] - 1 for seed in shared], level)


def agree(shown: Iterable[bool], planned: int, share: float = AGREEING) -> bool:
    """Whether all planned seeds are there and a finding shows in at least `share` of them.

    >>> agree([True] * 4 + [False], 5), agree([True] * 3 + [False] * 2, 5), agree([True] * 4, 5)
    (True, False, False)
    """
    found = [bool(one) for one in shown]
    return len(found) >= planned > 0 and sum(found) >= share * len(found) - 1e-9
