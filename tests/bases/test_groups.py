"""Finite groups of rotations: exact matrices, first invariants, and what their means leave of a polynomial."""

import numpy as np
import pytest

from equinotes.analysis.harmonics import harmonics, sphere_quadrature
from equinotes.bases.groups import CHARACTERS, invariants, mean_over, random_rotations, rotations, splitting

SIZES = {"one": 1, "D2": 4, "T": 12, "O": 24, "I": 60}
FIRST = {"T": 3, "O": 4, "I": 6}


@pytest.mark.parametrize(("group", "size"), SIZES.items())
def test_the_matrices_are_a_group_of_rotations(group, size):
    turns = rotations(group)
    assert len(turns) == size
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-14)
    products = (turns[:, None] @ turns).reshape(-1, 9)
    nearest = np.abs(products[:, None] - turns.reshape(1, -1, 9)).max(2).min(1)
    assert nearest.max() < 1e-13, "a product is not in the group"


@pytest.mark.parametrize(("group", "first"), FIRST.items())
def test_a_mean_over_the_group_is_exact_below_its_first_invariant_and_not_there(group, first):
    points, weights = sphere_quadrature(14)
    for l in range(1, first + 1):
        value = harmonics(l, points) @ np.random.default_rng(l).normal(size=2 * l + 1)
        left = mean_over(
            lambda r, l=l: harmonics(l, r) @ np.random.default_rng(l).normal(size=2 * l + 1), points, rotations(group)
        )
        share = (weights * left**2).sum() / (weights * value**2).sum()
        assert share < 1e-26 if l < first else share > 1e-4, l
        assert invariants(group, l) == (l == first)


@pytest.mark.parametrize("group", FIRST)
def test_the_number_of_invariants_is_the_rank_of_the_mean_of_d(group):
    for l in range(9):
        points = np.random.default_rng(0).normal(size=(8 * l + 9, 3))
        before = harmonics(l, points)
        D = [np.linalg.lstsq(before, harmonics(l, points @ R.T), rcond=None)[0] for R in rotations(group)]
        assert np.linalg.matrix_rank(np.mean(D, 0), tol=1e-8) == invariants(group, l)


@pytest.mark.parametrize("group", FIRST)
def test_orders_split_into_representations_with_as_many_components(group):
    for l in range(13):
        parts = splitting(group, l)
        assert sum(count * CHARACTERS[group][name][0] for name, count in parts.items()) == 2 * l + 1
        assert parts.get("A1", parts.get("A", 0)) == invariants(group, l)


def test_textbook_splittings():
    """Cotton, Chemical Applications of Group Theory: d and f orbitals in an octahedral and an icosahedral field."""
    assert splitting("O", 1) == {"T1": 1}
    assert splitting("O", 2) == {"E": 1, "T2": 1}
    assert splitting("O", 3) == {"A2": 1, "T1": 1, "T2": 1}
    assert splitting("I", 2) == {"H": 1}
    assert splitting("T", 3) == {"A": 1, "T": 2}


def test_as_many_random_rotations_are_not_exact():
    points, weights = sphere_quadrature(6)
    left = mean_over(lambda r: harmonics(2, r)[:, 0], points, random_rotations(24))
    assert (weights * left**2).sum() > 1e-3
