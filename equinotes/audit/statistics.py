"""Statistics over seeds: intervals, relative changes, and how many seeds show a finding."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
"""Level of all intervals."""
AGREEING = 0.8
"""Share of the seeds that must show a finding of one network."""


class Change(NamedTuple):
    """Mean of a quantity over seeds with its interval; NaN where too few seeds are there."""

    mean: float
    low: float
    high: float
    seeds: int

    def within(self, low: float, high: float) -> bool:
        """Whether the whole interval lies strictly between two values; no for an interval that is not known."""
        return bool(low < self.low and self.high < high)


def student(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Change:
    """Mean over seeds and Student's interval, which holds the true mean with probability `level` for normal scatter.

    >>> [round(value, 3) for value in student([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484, 3]
    """
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        return Change(float(numbers[0]) if len(numbers) else np.nan, np.nan, np.nan, len(numbers))
    mean, half = float(numbers.mean()), _quantile(level, len(numbers) - 1) * float(stats.sem(numbers))
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


def unpaired_change(first: Mapping[int, float], second: Mapping[int, float], level: float = LEVEL) -> Change:
    """Relative change of the geometric mean error from all seeds of both sides, with Welch's interval on logarithms.

    >>> same = unpaired_change({0: 1.0, 1: 1.1, 2: 0.9}, {5: 0.9, 6: 1.0, 7: 1.1})
    >>> abs(same.mean) < 1e-12 and same.low < 0 < same.high
    True
    """
    logs = [np.log(list(side.values())) for side in (first, second)]
    between = stats.ttest_ind(logs[1], logs[0], equal_var=False).confidence_interval(level)
    low, high = np.expm1([between.low, between.high])
    return Change(float(np.expm1(logs[1].mean() - logs[0].mean())), float(low), float(high), min(map(len, logs)))


def agree(shown: Iterable[bool], planned: int, share: float = AGREEING) -> bool:
    """Whether all planned seeds are there and a finding shows in at least `share` of them.

    >>> agree([True] * 4 + [False], 5), agree([True] * 3 + [False] * 2, 5), agree([True] * 4, 5)
    (True, False, False)
    """
    found = [bool(one) for one in shown]
    return len(found) >= planned > 0 and sum(found) >= share * len(found) - 1e-9
