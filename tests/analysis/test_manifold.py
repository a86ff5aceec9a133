"""Projections are reproducible, keep a planted structure, and are compared with a known chance level."""

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation

from equinotes.analysis.manifold import (
    feature_tables,
    neighbour_overlap,
    phate,
    phate_by_irrep,
    procrustes_correlation,
    trustworthiness,
)

IRREPS = "4x0e+4x1o+4x2e"


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(150, o3.Irreps(IRREPS).dim))


def turned_one_by_one(x, irreps):
    """Each molecule in a random orientation of its own."""
    turns = torch.from_numpy(Rotation.random(len(x), random_state=1).as_matrix())
    return np.einsum("ni,nji->nj", x, o3.Irreps(irreps).D_from_matrix(turns).numpy())


def test_the_same_seed_gives_the_same_picture_whatever_numpy_drew_before(features):
    np.random.seed(1)  # noqa: NPY002 - the global state is the point
    first = phate_by_irrep(features, IRREPS, seed=3)
    np.random.seed(2)  # noqa: NPY002 - the global state is the point
    assert first.equals(phate_by_irrep(features, IRREPS, seed=3))


def test_each_irrep_and_all_together_get_two_coordinates_per_molecule(features):
    table = phate_by_irrep(features, IRREPS)
    assert table["irrep"].unique().tolist() == ["0e", "1o", "2e", "joint"]
    assert (table.groupby("irrep")["molecule"].apply(list) == [list(range(150))] * 4).all()
    assert np.isfinite(table[["phate1", "phate2"]]).all(axis=None)


def test_a_planted_curve_is_drawn_in_its_order():
    along = np.sort(np.random.default_rng(0).random(200))
    curve = np.stack([np.cos(2 * along), np.sin(2 * along), along], axis=1) @ np.random.default_rng(1).normal(size=(3, 30))
    places = phate(curve)
    assert trustworthiness(curve, places) > 0.98
    assert neighbour_overlap(along[:, None], places).overlap > 0.6


def test_invariants_give_one_picture_in_every_frame_and_raw_components_do_not(features):
    turned = turned_one_by_one(features, IRREPS)
    overlap = {
        kind: {
            irrep: neighbour_overlap(part, feature_tables(turned, IRREPS, kind)[irrep]).overlap
            for irrep, part in feature_tables(features, IRREPS, kind).items()
        }
        for kind in ("raw", "norms", "power")
    }
    chance = 10 / 149
    for kind in ("norms", "power"):
        assert min(overlap[kind].values()) > 0.99
    assert overlap["raw"]["0e"] > 0.99
    assert max(overlap["raw"]["1o"], overlap["raw"]["2e"]) < 4 * chance


def test_unrelated_points_share_neighbours_at_the_chance_level():
    rng = np.random.default_rng(0)
    found = [neighbour_overlap(rng.normal(size=(200, 5)), rng.normal(size=(200, 5)), k=20) for _ in range(20)]
    chance = 20 / 199
    assert {overlap.chance for overlap in found} == {chance}
    mean, error = np.mean([o.overlap for o in found]), np.std([o.overlap for o in found]) / np.sqrt(20)
    assert abs(mean - chance) < 4 * error < 0.01


def test_random_pictures_are_trusted_by_half_and_unrelated_shapes_do_not_correlate():
    rng = np.random.default_rng(0)
    x, picture = rng.normal(size=(400, 8)), rng.normal(size=(400, 2))
    assert trustworthiness(x, picture) == pytest.approx(0.5, abs=0.03)
    assert procrustes_correlation(picture, rng.normal(size=(400, 2))) < 0.15


def test_points_that_coincide_get_one_place_and_do_not_disturb_the_others():
    x = np.random.default_rng(0).normal(size=(60, 4))
    places = phate(np.concatenate([x, x[:20]]))
    np.testing.assert_array_equal(places[60:], places[:20])
    np.testing.assert_allclose(places[:60], phate(x), atol=1e-12)


def test_pictures_are_not_mirrored_by_chance():
    x = np.random.default_rng(0).exponential(size=(80, 4))
    for seed in range(3):
        assert ((phate(x, seed=seed) ** 3).sum(axis=0) > 0).all()


def test_constant_too_few_or_broken_features_are_named(features):
    features[:, :4] = 1.0
    with pytest.raises(ValueError, match="no PHATE picture of 0e: 150 points hold 1 distinct ones, knn=5 needs at least 8"):
        phate_by_irrep(features, IRREPS)
    with pytest.raises(ValueError, match="5 points hold 5 distinct ones"):
        phate(features[:5])
    features[7, 5] = np.nan
    with pytest.raises(ValueError, match="1 of 150 points are not finite"):
        phate(features)
    with pytest.raises(ValueError, match="k must lie between 1 and 149 for 150 points, got 150"):
        neighbour_overlap(features, features, k=150)
    with pytest.raises(ValueError, match="kind must be 'raw', 'norms' or 'power', got 'bispectrum'"):
        feature_tables(features, IRREPS, "bispectrum")
