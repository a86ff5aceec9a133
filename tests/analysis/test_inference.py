"""Estimates agree with SciPy; tests err as often as they say, by simulation with fixed seeds."""

import numpy as np
import pytest
from scipy import stats

from equinotes.analysis.inference import UNKNOWN, Estimate, against_sample, holm, log_ratio, mean, paired, welch

RNG = np.random.default_rng
REPEATS = 4000
ERROR = 3 * (0.05 * 0.95 / REPEATS) ** 0.5
"""Three standard errors of a rate of 5%."""


def test_welch_and_pairs_agree_with_scipy():
    first, second = RNG(0).normal(size=5), RNG(1).normal(1, 3, size=4)
    found, expected = welch(first, second), stats.ttest_ind(second, first, equal_var=False)
    assert found.p_beside() == pytest.approx(expected.pvalue) and found.freedom == pytest.approx(expected.df)
    np.testing.assert_allclose(found.interval(0.9), expected.confidence_interval(0.9))
    pairs, expected = paired(first[:4], second), stats.ttest_rel(second, first[:4])
    assert pairs.p_beside() == pytest.approx(expected.pvalue)
    greater = stats.ttest_rel(second, first[:4], alternative="greater").pvalue
    assert pairs.p_above() == pytest.approx(greater) and pairs.p_below() == pytest.approx(1 - greater)


def test_log_ratios_are_of_geometric_means():
    first, second = [1.0, 2.0, 4.0], [2.0, 4.0, 8.0]
    assert np.exp(log_ratio(first, second).value) == pytest.approx(2)
    assert log_ratio(first, second, pairs=True).error == pytest.approx(0)
    assert log_ratio(first, second).value == pytest.approx(-log_ratio(second, first).value)


def test_one_sided_tests_reject_what_lies_outside_the_interval():
    found = mean(RNG(2).normal(size=6))
    low, high = found.interval(0.9)
    assert found.p_above(low) == pytest.approx(0.05) and found.p_below(high) == pytest.approx(0.05)
    assert found.p_within(max(-low, high) + 1e-9) <= 0.05 < found.p_within(max(-low, high) - 1e-3)


def test_what_is_not_known_shows_nothing():
    for found in (UNKNOWN, mean([]), mean([1.0]), welch([1.0], [2.0, 3.0])):
        assert (found.p_above(-9.0), found.p_below(9.0), found.p_within(9.0), found.p_beside()) == (1, 1, 1, 1)
        assert np.isnan(found.interval(0.9)).all()


def test_values_without_scatter_are_compared_exactly():
    same = mean([0.2, 0.2, 0.2])
    assert isinstance(same, Estimate) and same.error == pytest.approx(0, abs=1e-12)
    none = welch([0.0, 0.0], [0.0, 0.0])
    assert (none.p_above(), none.p_above(-0.1), none.p_below(), none.p_within(0.1)) == (1, 0, 1, 0)
    assert none.interval(0.9) == (0, 0)


@pytest.mark.parametrize("scatter", [1.0, 4.0])
def test_intervals_cover_and_tests_keep_their_size(scatter):
    rng, covered, rejected = RNG(3), 0, 0
    for _ in range(REPEATS):
        found = welch(rng.normal(size=5), rng.normal(0, scatter, size=4))
        low, high = found.interval(0.9)
        covered += low <= 0 <= high
        rejected += found.p_above() <= 0.05
    assert abs(covered / REPEATS - 0.9) < 0.02 and abs(rejected / REPEATS - 0.05) < ERROR + 0.005


def test_equivalence_is_shown_falsely_at_the_margin_no_more_often_than_the_level():
    rng, at_margin, inside = RNG(4), 0, 0
    for _ in range(REPEATS):
        first = rng.normal(0, 0.02, size=5)
        at_margin += welch(first, rng.normal(0.05, 0.02, size=5)).p_within(0.05) <= 0.05
        inside += welch(first, rng.normal(0, 0.02, size=5)).p_within(0.05) <= 0.05
    assert at_margin / REPEATS < 0.05 + ERROR and inside / REPEATS > 0.8


def test_holm_is_the_step_down_of_its_author():
    ps = [0.01, 0.04, 0.03, 0.005]
    np.testing.assert_allclose(holm(ps), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).size == 0 and holm([0.4, 0.9]).tolist() == [0.8, 0.9]
    rng = RNG(5)  # independent true hypotheses: one false alarm or more in 5% of the families
    alarms = sum(holm(rng.uniform(size=7)).min() <= 0.05 for _ in range(REPEATS))
    assert abs(alarms / REPEATS - (1 - (1 - 0.05 / 7) ** 7)) < ERROR


def test_one_more_value_of_a_sample_is_told_from_it_at_the_level():
    rng = RNG(6)
    rejected = sum(against_sample(rng.normal(), rng.normal(size=5)).p_above() <= 0.05 for _ in range(REPEATS))
    assert abs(rejected / REPEATS - 0.05) < ERROR
