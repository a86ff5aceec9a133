"""Cartesian tensors are the harmonics in other coordinates; TensorNet's matrix products are not e3nn's paths."""

import pytest
import torch
from e3nn import o3

from equinotes.bases.cartesian import cartesian, decompose, from_harmonics, product, to_harmonics
from equinotes.support.errors import UserError


@pytest.fixture
def points(float64):
    return torch.randn(50, 3, generator=torch.Generator().manual_seed(0))


def test_the_change_of_basis_to_harmonics_is_exact(points):
    ours, theirs = (
        f(points, (0, 1, 2)) for f in (cartesian, lambda v, ls: o3.spherical_harmonics(list(ls), v, True, "integral"))
    )
    torch.testing.assert_close(ours[:, :4], theirs[:, :4], rtol=0, atol=1e-14)
    torch.testing.assert_close(to_harmonics(ours[:, 4:].unflatten(1, (3, 3))), theirs[:, 4:], rtol=0, atol=1e-14)
    torch.testing.assert_close(from_harmonics(theirs[:, 4:]).flatten(1), ours[:, 4:], rtol=0, atol=1e-14)


def test_turning_the_matrix_is_turning_the_harmonics(points):
    R = o3.rand_matrix()
    M = decompose(torch.randn(7, 3, 3)).tensor
    torch.testing.assert_close(to_harmonics(R @ M @ R.T), to_harmonics(M) @ o3.Irrep("2e").D_from_matrix(R).T)


def test_the_parts_of_a_matrix_sum_to_it_and_stay_apart_under_rotation(float64):
    M, R = torch.randn(5, 3, 3), o3.rand_matrix()
    torch.testing.assert_close(sum(decompose(M)), M)
    for part, turned in zip(decompose(M), decompose(R @ M @ R.T), strict=True):
        torch.testing.assert_close(turned, R @ part @ R.T)


def e3nns(a, b, l3):
    return torch.einsum("bi,bj,ijk->bk", to_harmonics(a), to_harmonics(b), o3.wigner_3j(2, 2, l3))


def test_a_matrix_product_is_a_fixed_mix_of_e3nns_paths(float64):
    """2 x 2 -> 0 and 2 are in AB + BA up to a constant each; 1, 3 and 4 are not in it, though e3nn has paths to them."""
    a, b = (decompose(torch.randn(20, 3, 3)).tensor for _ in range(2))
    parts = decompose(product(a, b))
    scalars, path0 = parts.scalar[:, 0, 0], e3nns(a, b, 0)[:, 0]
    torch.testing.assert_close(scalars, path0 * (scalars / path0).mean())
    path2 = e3nns(a, b, 2)
    factor = (to_harmonics(parts.tensor) * path2).sum() / path2.square().sum()
    torch.testing.assert_close(to_harmonics(parts.tensor), factor * path2)
    assert parts.vector.abs().max() < 1e-14, "AB + BA is symmetric"
    axial = decompose(a @ b).vector  # AB alone holds 2 x 2 -> 1, an axial vector
    vector = torch.stack([axial[:, 2, 1], axial[:, 0, 2], axial[:, 1, 0]], 1)
    path1 = e3nns(a, b, 1)
    torch.testing.assert_close(vector, path1 * ((vector * path1).sum() / path1.square().sum()))
    assert min(e3nns(a, b, l3).abs().max() for l3 in (3, 4)) > 0.1


def test_no_cartesian_tensors_above_order_2(points):
    with pytest.raises(UserError, match="up to l = 2, got l = 3"):
        cartesian(points, (0, 3))
