"""Statistics over seeds, on numbers whose answer is known: a planted effect is found, and none is found where none is."""

import numpy as np
import pytest
from scipy import stats

from equinotes.audit.protocols.first.claims import AGREEING, EQUIVALENT, MARGIN
from equinotes.audit.statistics import agree, relative_change, student, unpaired_change


def scattered(rng, mean, spread, seeds=5):
    """Errors by seed."""
    return dict(enumerate(mean * (1 + spread * rng.normal(size=seeds))))


def test_interval_is_scipys():
    values = np.random.default_rng(0).normal(size=7)
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert student(values) == pytest.approx((values.mean(), interval.low, interval.high, 7))


@pytest.mark.parametrize("seeds", [3, 5])
def test_interval_holds_the_truth_as_often_as_it_says(seeds):
    rng = np.random.default_rng(seeds)
    changes = [student(rng.normal(0.3, 0.1, seeds)) for _ in range(4000)]
    assert np.mean([change.low < 0.3 < change.high for change in changes]) == pytest.approx(0.95, abs=0.012)


def test_the_interval_of_an_unpaired_change_holds_the_true_one_as_often_as_it_says():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        first, second = ({k: float(v) for k, v in enumerate(np.exp(rng.normal(m, 0.1, n)))} for m, n in ((0, 5), (0.2, 3)))
        change = unpaired_change(first, second)
        inside += change.low < np.expm1(0.2) < change.high
    assert inside / 2000 == pytest.approx(0.95, abs=0.02)


def test_a_planted_change_is_found_with_its_size():
    rng = np.random.default_rng(1)
    changes = [relative_change(scattered(rng, 0.3, 0.03), scattered(rng, 0.3 * 0.8, 0.03)) for _ in range(300)]
    assert np.mean([change.mean for change in changes]) == pytest.approx(-0.2, abs=0.01)
    assert np.mean([change.high < -MARGIN for change in changes]) > 0.95


def test_no_change_is_rarely_taken_for_one():
    """The rule of a clear change asks for more than a test at 5 % does, so that it errs less often."""
    rng = np.random.default_rng(2)
    changes = [relative_change(scattered(rng, 0.3, 0.03), scattered(rng, 0.3, 0.03)) for _ in range(2000)]
    assert np.mean([change.high < -MARGIN for change in changes]) < 0.005
    assert np.mean([change.high < 0 for change in changes]) == pytest.approx(0.025, abs=0.012)
    assert np.mean([change.low > -EQUIVALENT for change in changes]) > 0.95


def test_seeds_are_paired_so_that_what_they_share_drops_out():
    rng = np.random.default_rng(3)
    first = scattered(rng, 0.3, 0.3)
    second = {seed: 0.9 * error * (1 + 0.01 * rng.normal()) for seed, error in first.items()}
    paired = relative_change(first, second)
    assert -0.13 < paired.low < paired.high < -0.07
    mixed = relative_change(first, dict(zip(second, list(second.values())[::-1], strict=True)))
    assert mixed.high - mixed.low > 5 * (paired.high - paired.low)


def test_only_shared_seeds_take_part():
    change = relative_change({0: 1.0, 1: 1.0, 7: 100.0}, {0: 1.1, 1: 1.1, 8: 0.0})
    assert change.seeds == 2 and change.mean == pytest.approx(0.1)


@pytest.mark.parametrize("first", [{}, {0: 1.0}])
def test_too_few_seeds_have_no_interval_and_lie_nowhere(first):
    change = relative_change(first, {0: 1.0})
    assert np.isnan(change.low) and np.isnan(change.high) and change.seeds == len(first)
    assert not change.within(-1, 1)


def test_a_finding_takes_all_planned_seeds_and_most_of_them():
    assert pytest.approx(0.8) == AGREEING
    assert agree([True] * 4 + [False], 5) and agree([True] * 3, 3)
    assert not agree([True] * 3 + [False] * 2, 5) and not agree([True] * 2 + [False], 3)
    assert not agree([True] * 4, 5) and not agree([], 0)
