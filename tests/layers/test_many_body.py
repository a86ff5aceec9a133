"""Laws of the many-body product, in float64: equivariance, permutations, its degree as a polynomial, and e3nn as oracle."""

from math import comb

import pytest
import torch
from e3nn import o3

from equinotes.irreps import split_irreps
from equinotes.layers.many_body import ManyBody, paths
from equinotes.networks.base import pack_parts

ATOMS, MUL = 4, 3
IRREPS = ["3x0e+3x1o+3x2e", "3x0e+3x0o+3x1o+3x1e+3x2e", "3x0e+3x2e+3x4e", "3x0e"]


@pytest.fixture(autouse=True)
def in_double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def made(irreps, body_order, seed=0):
    torch.manual_seed(seed)
    product = ManyBody(irreps, body_order)
    for mix in product.mixes:
        torch.nn.init.normal_(mix)
    x = torch.randn(ATOMS, o3.Irreps(irreps).dim)
    return product, x, lambda x: pack_parts(product(split_irreps(x, irreps)))


@pytest.mark.parametrize("body_order", [2, 3, 4])
@pytest.mark.parametrize("irreps", IRREPS)
def test_turns_and_mirrors_with_its_features(irreps, body_order):
    _, x, apply = made(irreps, body_order)
    D = o3.Irreps(irreps).D_from_matrix(-o3.rand_matrix())
    torch.testing.assert_close(apply(x @ D.T), apply(x) @ D.T, rtol=1e-10, atol=1e-10)


def test_atoms_are_treated_alike_and_apart():
    _, x, apply = made(IRREPS[0], 4)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(apply(x[order]), apply(x)[order])
    torch.testing.assert_close(apply(x[:1]), apply(x)[:1])


@pytest.mark.parametrize("body_order", [2, 3, 4])
def test_body_order_n_is_a_polynomial_of_degree_n_less_one(body_order):
    """Along any line its differences of order n vanish, and those of order n - 1 do not."""
    _, x, apply = made(IRREPS[0], body_order)
    step = torch.randn_like(x)

    def differences(order):
        return sum((-1) ** (order - k) * comb(order, k) * apply(x + k * step) for k in range(order + 1))

    assert differences(body_order).abs().max() < 1e-9 < 1e-2 < differences(body_order - 1).abs().max()


def test_without_products_nothing_changes():
    product, x, apply = made(IRREPS[0], 2)
    assert not list(product.parameters())
    torch.testing.assert_close(apply(x), x, rtol=0, atol=0)


@pytest.mark.parametrize("irreps", IRREPS)
def test_squares_and_cubes_are_those_of_e3nn(irreps):
    product, x, apply = made(irreps, 4)
    parts = o3.Irreps(irreps)
    power, wanted = x, x
    for some, weight, mix in zip(product.paths, product.weights, product.mixes, strict=True):
        instructions = [(i, j, k, "uuu", True) for i, j, k in some]
        oracle = o3.TensorProduct(parts, parts, parts, instructions, irrep_normalization="component", path_normalization="none")
        into = torch.tensor([sum(other[2] == path[2] for other in some) for path in some])
        power = oracle(power, x, (weight / into[:, None] ** 0.5).flatten())
        pieces = split_irreps(power, parts)
        mixed = {ir: torch.einsum("acm,cd->adm", piece, mix[k]) / MUL**0.5 for k, (ir, piece) in enumerate(pieces.items())}
        wanted = wanted + pack_parts(mixed)
    torch.testing.assert_close(apply(x), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("irreps", IRREPS)
def test_paths_that_are_left_out_are_zero_and_no_other_is(irreps):
    """Each path alone gives something in one random draw; an irrep times itself gives nothing of odd l."""
    parts = o3.Irreps(irreps)
    product, x, _ = made(irreps, 3)
    pieces = list(split_irreps(x, irreps).values())
    for i, first in enumerate(parts):
        for j, second in enumerate(parts[i:], start=i):
            for k, third in enumerate(parts):
                if third.ir not in first.ir * second.ir:
                    continue
                threej = o3.wigner_3j(first.ir.l, second.ir.l, third.ir.l)
                size = torch.einsum("nci,ncj,ijk->nck", pieces[i], pieces[j], threej).abs().max()
                assert (size > 1e-8) == ((i, j, k) in product.paths[0]), (i, j, k)
    assert len(set(paths(parts, 3))) == len(paths(parts, 3)) >= len(product.paths[0])


def test_unequal_channels_are_refused():
    with pytest.raises(ValueError, match="as many channels of every irrep, got 2x0e"):
        ManyBody("2x0e+3x1o", 3)
