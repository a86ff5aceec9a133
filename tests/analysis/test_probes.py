"""Probes find what was planted linearly, do not find noise, and equivariant ones turn with the molecule."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from equinotes.analysis.probes import equivariant_probe, probe, probe_table, probes


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_planted_signal_is_read_with_its_share_of_the_variance(rng):
    x = rng.normal(size=(800, 10))
    y = 2 * x[:, 0] - x[:, 1] + np.sqrt(5) * rng.normal(size=800)  # half signal, half noise
    assert probe(x, y).r2 == pytest.approx(0.5, abs=0.07)


def test_noise_reads_nothing_even_with_many_columns(rng):
    assert probe(rng.normal(size=(300, 100)), rng.normal(size=300)).r2 < 0.02


def test_what_the_composition_explains_does_not_count(rng):
    composition = rng.integers(10, size=(600, 5)).astype(float)
    y = composition @ [1.0, 2, 3, 4, 5] + 0.1 * rng.normal(size=600)
    x = composition @ rng.normal(size=(5, 8)) + 0.1 * rng.normal(size=(600, 8))
    assert probe(x, y).r2 > 0.95
    assert probe(x, y, given=composition).r2 < 0.05
    hidden = rng.normal(size=600)
    assert probe(np.column_stack([x, hidden]), y + hidden, given=composition).r2 > 0.9


def test_several_targets_at_once_are_scored_as_one_by_one(rng):
    composition, x = rng.integers(10, size=(200, 3)).astype(float), rng.normal(size=(200, 6))
    y = x @ rng.normal(size=(6, 3)) + [0.1, 1, 10] * rng.normal(size=(200, 3))
    together = probes(x, y, given=composition)
    np.testing.assert_allclose(together, [probe(x, y[:, k], given=composition) for k in range(3)], rtol=1e-10)
    assert together[0].r2 > together[1].r2 > together[2].r2


def test_an_equivariant_map_is_found_and_noise_is_not(rng):
    x = rng.normal(size=(400, 6, 3))
    y = np.einsum("c,ncm->nm", [1.0, -2, 0, 0.5, 0, 0], x)
    assert equivariant_probe(x, y).r2 > 0.999
    assert equivariant_probe(x, rng.normal(size=(400, 3))).r2 < 0.02
    assert equivariant_probe(0 * x, y).r2 == pytest.approx(0)


def test_a_fixed_direction_is_no_equivariant_signal(rng):
    # an ordinary regression with a constant would predict it perfectly
    assert equivariant_probe(rng.normal(size=(300, 4, 3)), np.tile([0.0, 0.0, 1.0], (300, 1))).r2 < 0.02


def test_turning_every_molecule_changes_no_score(rng):
    x = rng.normal(size=(300, 5, 3))
    y = x[:, 0] + 0.5 * rng.normal(size=(300, 3))
    turns = Rotation.random(300, random_state=1).as_matrix()
    turned = equivariant_probe(np.einsum("nij,ncj->nci", turns, x), np.einsum("nij,nj->ni", turns, y))
    assert turned.r2 == pytest.approx(equivariant_probe(x, y).r2, abs=1e-9)


def test_the_table_holds_every_pair(rng):
    x, y = rng.normal(size=(100, 3)), rng.normal(size=100)
    table = probe_table({"trained": x, "untrained": -x}, {"gap": y, "cv": 2 * y}, folds=3)
    assert table[["features", "target"]].to_numpy().tolist() == [
        ["trained", "gap"], ["trained", "cv"], ["untrained", "gap"], ["untrained", "cv"]
    ]  # fmt: skip
    assert table["r2"].round(9).nunique() == 1  # signs and units of one and the same question
