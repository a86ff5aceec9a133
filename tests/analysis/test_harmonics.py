"""The harmonics against closed forms, SciPy's complex harmonics and exact values for ideal sites."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.special import sph_harm_y

from equinotes.analysis.harmonics import (
    IDEAL_SITES,
    addition_table,
    bond_vectors,
    coupling,
    evaluate,
    gram_matrix,
    harmonics,
    legendre_nodes,
    legendre_series,
    order_parameters,
    product_irreps,
    selection_rules,
    site_coefficients,
    sphere_quadrature,
)


@pytest.fixture
def directions():
    vectors = np.random.default_rng(0).normal(size=(50, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def textbook_harmonics(l, x, y, z):
    """Real harmonics with polar axis z and m = -l..l, from SciPy's complex ones (which carry the Condon-Shortley phase)."""
    polar, around = np.arccos(z), np.arctan2(y, x)
    columns = []
    for m in range(-l, l + 1):
        value = sph_harm_y(l, abs(m), polar, around) * (-1) ** m
        columns.append(value.real if m == 0 else np.sqrt(2) * (value.real if m > 0 else value.imag))
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("l", range(7))
def test_e3nns_harmonics_are_the_textbooks_with_the_axes_renamed(l, directions):
    x, y, z = directions.T
    np.testing.assert_allclose(harmonics(l, directions), textbook_harmonics(l, z, x, y), atol=1e-12)


def test_order_one_is_the_unit_vector_itself_in_the_order_x_y_z(directions):
    np.testing.assert_allclose(harmonics(1, directions, "norm"), directions, atol=1e-14)


@pytest.mark.parametrize(("normalization", "square"), [("integral", 7 / (4 * np.pi)), ("component", 7), ("norm", 1)])
def test_the_column_of_order_three_has_the_same_length_for_every_direction(normalization, square, directions):
    np.testing.assert_allclose((harmonics(3, directions, normalization) ** 2).sum(-1), square)


@pytest.mark.parametrize("degree", [0, 1, 4, 9])
def test_quadrature_is_exact_up_to_its_degree_and_not_beyond(degree):
    points, weights = sphere_quadrature(degree)
    for power in range(degree + 1):
        exact = 4 * np.pi / (power + 1) if power % 2 == 0 else 0
        for axis in range(3):
            np.testing.assert_allclose((weights * points[:, axis] ** power).sum(), exact, atol=1e-13)
    beyond = 2 * (degree // 2 + 1)
    assert abs((weights * points[:, 1] ** beyond).sum() - 4 * np.pi / (beyond + 1)) > 1e-4


def test_harmonics_are_orthonormal():
    np.testing.assert_allclose(gram_matrix(5), np.eye(36), atol=1e-13)


def test_addition_theorem(directions):
    table = addition_table([0, 1, 4, 7], directions[:25], directions[25:])
    np.testing.assert_allclose(table["sum"], table["legendre"], atol=1e-12)
    assert table.angle_deg.between(0, 180).all()


@pytest.mark.parametrize(
    ("site", "squares"),
    [
        ("linear", "1 0 1 0 1 0 1"),
        ("trigonal", "1 0 1/4 5/8 9/64 35/128 281/512"),
        ("tetrahedral", "1 0 0 5/9 7/27 0 32/81"),
    ],
)
def test_ideal_sites_have_the_exact_lengths_and_lose_whole_orders(site, squares):
    site, expected = IDEAL_SITES[site], [float(Fraction(value)) for value in squares.split()]
    np.testing.assert_allclose(order_parameters(site, 6) ** 2, expected, atol=1e-14)
    lengths = [np.linalg.norm(a) * np.sqrt(4 * np.pi / (2 * l + 1)) for l, a in site_coefficients(site, 6).items()]
    np.testing.assert_allclose(np.square(lengths), expected, atol=1e-14)


def test_order_parameters_do_not_depend_on_the_lengths_of_the_bonds(directions):
    stretched = directions[:4] * np.array([[0.5], [1.0], [2.0], [3.0]])
    np.testing.assert_allclose(order_parameters(stretched, 5), order_parameters(directions[:4], 5))


def test_bond_vectors_point_from_the_atom_to_its_neighbours():
    pos = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0]], dtype=np.float32)
    bonds = np.array([[0, 1], [0, 2]], dtype=np.uint8)
    np.testing.assert_array_equal(bond_vectors(pos, bonds, 0), [[1, 0, 0], [0, 2, 0]])
    np.testing.assert_array_equal(bond_vectors(pos, bonds, 2), [[0, -2, 0]])


def test_a_function_evaluated_from_its_coefficients_has_them(directions):
    coefficients = site_coefficients(directions[:3], 4)
    points, weights = sphere_quadrature(8)
    for l, a in coefficients.items():
        np.testing.assert_allclose(harmonics(l, points).T @ (weights * evaluate(coefficients, points)), a, atol=1e-13)


def test_legendre_series_finds_planted_coefficients():
    planted = np.array([0.3, 0, -1.5, 0, 0, 2.0])
    values = np.polynomial.legendre.legval(legendre_nodes(6), planted)
    np.testing.assert_allclose(legendre_series(values, 5), planted, atol=1e-13)


@pytest.mark.parametrize(("ls", "paths"), [((0,), 1), ((0, 1), 4), ((0, 3), 4), ((0, 1, 2), 11), (tuple(range(7)), 106)], ids=str)
def test_number_of_paths(ls, paths):
    """11 and 106 follow from the parameter counts that the paper gives for {0,1,2} and {0..6}."""
    assert selection_rules(ls).allowed.sum() == paths


def test_selection_rules_agree_with_the_products_that_e3nn_knows():
    for row in selection_rules((0, 1, 2, 3)).itertuples():
        names = [f"{l}{'eo'[l % 2]}" for l in (row.l1, row.l2, row.l3)]
        assert row.allowed == (names[2] in product_irreps(*names[:2]))


def test_two_vectors_couple_to_their_dot_and_cross_product(directions):
    u, v = directions[:2]
    np.testing.assert_allclose(np.einsum("i,j,ijk->k", u, v, coupling(1, 1, 0)), [u @ v / np.sqrt(3)])
    np.testing.assert_allclose(np.einsum("i,j,ijk->k", u, v, coupling(1, 1, 1)), np.cross(u, v) / np.sqrt(6), atol=1e-15)


def test_a_forbidden_product_is_refused():
    with pytest.raises(ValueError, match="no product of orders 1 and 1 has order 3: it must lie between 0 and 2"):
        coupling(1, 1, 3)
