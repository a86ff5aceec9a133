"""Inference from few runs: estimates with their uncertainty, one-sided tests, equivalence, and corrections for many tests.

A run gives one number, so that the sample is the seeds. Errors are compared as log ratios: a factor counts the same in both
directions, and scatter that grows with the error becomes constant. An estimate is tested against any bound, not only against 0,
since a difference has to exceed a margin before it matters.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

Values = Sequence[float] | Float[np.ndarray, "_"]


class Estimate(NamedTuple):
    """A mean, or a difference of means, whose error follows Student's distribution.

    `value`, its standard `error`, and the degrees of `freedom`; NaN where too few values are there. Without an error nothing is
    shown: every p is then 1.
    """

    value: float
    error: float
    freedom: float

    def p_above(self, bound: float = 0.0) -> float:
        """One-sided p of the hypothesis that the true value is at most `bound`: small values show that it lies above."""
        return self._tail(self.value - bound)

    def p_below(self, bound: float = 0.0) -> float:
        """One-sided p of the hypothesis that the true value is at least `bound`: small values show that it lies below."""
        return self._tail(bound - self.value)

    def p_within(self, margin: float) -> float:
        """p of two one-sided tests that the true value lies between -margin and margin (Schuirmann 1987, TOST)."""
        return max(self.p_above(-margin), self.p_below(margin))

    def p_beside(self, bound: float = 0.0) -> float:
        """Two-sided p of the hypothesis that the true value is `bound`."""
        return min(1.0, 2 * min(self.p_above(bound), self.p_below(bound)))

    def interval(self, level: float) -> tuple[float, float]:
        """Ends of the central interval at this level.

        One-sided tests at alpha reject exactly the bounds outside the interval at level 1 - 2 alpha.
        """
        if not self.error > 0:
            return (self.value, self.value) if self.error == 0 else (np.nan, np.nan)
        half = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    def relative(self, level: float) -> dict[str, float]:
        """Of a log ratio: the relative `change`, and the ends of its interval, `low` and `high`.

        >>> {name: round(end, 3) for name, end in Estimate(float(np.log(1.1)), 0.1, 4).relative(0.9).items()}
        {'change': 0.1, 'low': -0.111, 'high': 0.361}
        """
        ends = np.expm1([self.value, *self.interval(level)]).tolist()
        return dict(zip(("change", "low", "high"), ends, strict=True))

    def _tail(self, distance: float) -> float:
        if not self.error > 0:
            return 0.0 if self.error == 0 and distance > 0 else 1.0
        return float(stats.t.sf(distance / self.error, self.freedom))


UNKNOWN = Estimate(np.nan, np.nan, np.nan)
"""What is known of something that was not measured."""


def mean(values: Values) -> Estimate:
    """The mean of a sample; two values or more give it an error.

    >>> [round(end, 3) for end in mean([1.0, 2.0, 3.0]).interval(0.95)]
    [-0.484, 4.484]
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return UNKNOWN
    if len(numbers) == 1:
        return Estimate(float(numbers[0]), np.nan, np.nan)
    return Estimate(float(numbers.mean()), float(numbers.std(ddof=1)) / len(numbers) ** 0.5, len(numbers) - 1)


def paired(first: Values, second: Values) -> Estimate:
    """Mean of second - first, value by value: for pairs whose errors are correlated."""
    return mean(np.asarray(second, np.float64) - np.asarray(first, np.float64))


def welch(first: Values, second: Values) -> Estimate:
    """Difference of the means, second - first, of two independent samples of any scatter (Welch 1947).

    >>> round(welch([1.0, 1.1, 0.9], [2.0, 2.2, 1.8]).freedom, 2)
    2.94
    """
    return difference(mean(first), mean(second))


def difference(first: Estimate, second: Estimate) -> Estimate:
    """second - first of two independent estimates, degrees of freedom as Welch and Satterthwaite have them.

    >>> [round(number, 3) for number in difference(Estimate(1.0, 0.3, 4), Estimate(3.0, 0.4, 4))]
    [2.0, 0.5, 7.418]
    """
    return Estimate(second.value - first.value, *_combined([first, second]))


def averaged(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of independent estimates, each of the same weight; degrees of freedom as Welch and Satterthwaite have them.

    >>> [round(number, 3) for number in averaged([Estimate(1.0, 0.3, 4), Estimate(3.0, 0.4, 4)])]
    [2.0, 0.25, 7.418]
    """
    error, freedom = _combined(estimates)
    return Estimate(float(np.mean([each.value for each in estimates])), error / len(estimates), freedom)


def _combined(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Standard error and degrees of freedom of a sum of independent estimates."""
    errors, freedoms = np.array([(each.error, each.freedom) for each in estimates]).T
    variances = errors**2
    total = float(variances.sum())
    freedom = total**2 / float((variances**2 / freedoms).sum()) if total > 0 else float(freedoms.sum())
    return total**0.5, freedom


def log_ratio(first: Values, second: Values, *, pairs: bool = False) -> Estimate:
    """log(second / first) of two samples of positive numbers, paired value by value or not.

    >>> round(float(np.exp(log_ratio([1.0, 1.2], [1.1, 1.32], pairs=True).value)), 6)
    1.1
    """
    return (paired if pairs else welch)(np.log(np.asarray(first, np.float64)), np.log(np.asarray(second, np.float64)))


def against_sample(value: float, sample: Values) -> Estimate:
    """One further value less the mean of a sample, with the scatter of a single value: a prediction interval's estimate."""
    known = mean(sample)
    return Estimate(value - known.value, known.error * (len(sample) + 1) ** 0.5, known.freedom)


def holm(ps: Values) -> Float[np.ndarray, " ps"]:
    """p values adjusted so that testing all of them errs with the level's probability (Holm 1979, step-down).

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(ps, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    adjusted = np.empty(len(given))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, given[order] * np.arange(len(given), 0, -1)))
    return adjusted
