"""Norm shares, effective rank and CKA on cases that can be worked out by hand."""

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation

from equinotes.analysis.representation import cka, effective_rank, norm_shares
from equinotes.irreps import split_irreps


def test_norm_shares_count_components_and_not_irreps():
    irreps = "2x0e+3x1o+4x2e"
    table = norm_shares([("a", np.ones((7, 2 + 9 + 20)), irreps), ("b", np.zeros((7, 31)), irreps)])
    np.testing.assert_allclose(table["share"], [1 / 3] * 3 + [0] * 3)


@pytest.mark.parametrize(("singular", "rank"), [([1, 1, 1, 1], 4), ([5, 5, 0, 0], 2), ([1, 0, 0, 0], 1), ([0, 0, 0, 0], 0)])
def test_effective_rank_counts_equal_directions(singular, rank):
    left = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 4)))[0]
    assert effective_rank((left * singular).reshape(10, 3, 4).swapaxes(1, 2)) == pytest.approx(rank)


def test_effective_rank_of_unequal_directions_is_the_exponential_of_their_entropy():
    # weights 3/4 and 1/4: exp(H) = 4 / 3^(3/4)
    assert effective_rank(np.diag([3.0, 1.0])[:, :, None]) == pytest.approx(4 / 3**0.75)


def test_effective_rank_does_not_depend_on_orientation():
    x = np.random.default_rng(0).normal(size=(40, 5 * 7))
    D = o3.Irreps("5x3o").D_from_matrix(torch.from_numpy(Rotation.random(random_state=0).as_matrix())).numpy()
    ranks = [effective_rank(split_irreps(features, "5x3o")["3o"]) for features in (x, x @ D.T)]
    assert ranks[0] == pytest.approx(ranks[1], rel=1e-10)


def test_cka_is_one_for_turned_rescaled_and_shifted_copies_and_knows_strangers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 6))
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert cka(x, 3 * x @ turn + 5) == pytest.approx(1)
    assert cka(x, rng.normal(size=(2000, 6))) < 0.01
    assert cka(x, np.ones((2000, 2))) == 0


def test_cka_of_a_shared_half_is_a_half():
    # centred orthonormal columns, of which one is shared: |y'x|^2 / (|x'x| |y'y|) = 1 / (sqrt 2 sqrt 2)
    columns = np.random.default_rng(0).normal(size=(50, 3))
    columns = np.linalg.qr(columns - columns.mean(axis=0))[0]
    assert cka(columns[:, :2], columns[:, 1:]) == pytest.approx(0.5)
