"""Probes find what was planted linearly, do not find noise, and do not tell apart what only isomers share."""

import numpy as np
import pytest

from equinotes.analysis.probes import folds_of, probe, probe_table, probes


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_planted_signal_is_read_with_its_share_of_the_variance(rng):
    x = rng.normal(size=(800, 10))
    y = 2 * x[:, 0] - x[:, 1] + np.sqrt(5) * rng.normal(size=800)  # half signal, half noise
    assert probe(x, y).r2 == pytest.approx(0.5, abs=0.07)


def test_noise_reads_nothing_even_with_many_columns(rng):
    assert -0.15 < probe(rng.normal(size=(300, 100)), rng.normal(size=300)).r2 < 0.05


def test_what_the_composition_explains_does_not_count(rng):
    composition = rng.integers(10, size=(600, 5)).astype(float)
    y = composition @ [1.0, 2, 3, 4, 5] + 0.1 * rng.normal(size=600)
    x = composition @ rng.normal(size=(5, 8)) + 0.1 * rng.normal(size=(600, 8))
    assert probe(x, y).r2 > 0.95
    assert abs(probe(x, y, given=composition).r2) < 0.05
    hidden = rng.normal(size=600)
    assert probe(np.column_stack([x, hidden]), y + hidden, given=composition).r2 > 0.9


def test_several_targets_at_once_are_scored_as_one_by_one(rng):
    composition, x = rng.integers(10, size=(200, 3)).astype(float), rng.normal(size=(200, 6))
    y = x @ rng.normal(size=(6, 3)) + [0.1, 1, 10] * rng.normal(size=(200, 3))
    together = probes(x, y, given=composition)
    np.testing.assert_allclose(together, [probe(x, y[:, k], given=composition) for k in range(3)], rtol=1e-10)
    assert together[0].r2 > together[1].r2 > together[2].r2


def test_folds_do_not_share_groups_and_cover_every_molecule_once(rng):
    groups = rng.choice(["C2H6O", "CH4", "C3H8", "C6H6", "H2O", "C4H10", "C5H12"], size=200)
    for chosen, shared in ((groups, False), (None, True)):
        folds = folds_of(200, chosen, folds=3)
        assert sorted(np.concatenate([test for _, test in folds])) == list(range(200))
        for train, test in folds:
            assert not set(train) & set(test)
            assert bool(set(groups[train]) & set(groups[test])) == shared


def test_what_only_tells_groups_apart_is_not_read_across_groups(rng):
    """Features and target that isomers share: random folds read the group, folds by group read nothing."""
    group = rng.integers(100, size=600)
    x, y = rng.normal(size=(100, 150))[group] + 0.01 * rng.normal(size=(600, 150)), rng.normal(size=100)[group]
    assert probe(x, y).r2 > 0.9
    assert abs(probe(x, y, groups=group).r2) < 0.15


def test_the_table_holds_every_pair(rng):
    x, y = rng.normal(size=(100, 3)), rng.normal(size=100)
    table = probe_table({"trained": x, "untrained": -x}, {"gap": y, "cv": 2 * y}, folds=3)
    assert table[["features", "target"]].to_numpy().tolist() == [
        ["trained", "gap"], ["trained", "cv"], ["untrained", "gap"], ["untrained", "cv"]
    ]  # fmt: skip
    assert table["r2"].round(9).nunique() == 1  # signs and units of one and the same question
