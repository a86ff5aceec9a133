"""The parts that NequIP is made of, held against e3nn's own and against formulas."""

import pytest
import torch
from e3nn import o3

from equinotes.layers.constants import moved
from equinotes.layers.cutoff import polynomial_cutoff
from equinotes.layers.depthwise import DepthwiseConvolution, Edges, PlainDepthwiseConvolution
from equinotes.layers.elements import ElementLinear

IRREPS = [
    ("4x0e", "1x0e+1x1o+1x2e", "4x0e+4x1o+4x2e"),
    ("3x0e+3x1o+3x2e", "1x0e+1x1o+1x2e", "9x0e+3x1o+3x2e"),
    ("3x0e+3x0o+3x1o+3x1e+3x3o", "1x0e+1x1o+1x3o", "3x0e+3x0o+3x1o+3x1e+3x3e"),
    ("3x1o", "1x0e+1x1o", "3x0o+3x0e"),
    ("2x2e+2x0e", "1x1o", "2x0e+2x1o"),
]


def edges_of(irreps_sh, num_atoms=5):
    forward = torch.combinations(torch.arange(num_atoms)).T
    source, target = torch.cat([forward, forward.flip(0)], dim=1)
    vectors = torch.randn(num_atoms, 3)
    vectors = vectors[source] - vectors[target]
    basis = torch.rand(forward.shape[1], 8).repeat(2, 1)
    return Edges(source, target, o3.spherical_harmonics(o3.Irreps(irreps_sh), vectors, True, "component"), basis)


@pytest.mark.parametrize(("irreps_in", "irreps_sh", "wanted"), IRREPS, ids=str)
def test_the_fast_convolution_is_e3nns(float64, irreps_in, irreps_sh, wanted):
    torch.manual_seed(0)
    fast = DepthwiseConvolution(irreps_in, irreps_sh, wanted, 8, 2.0)
    plain = PlainDepthwiseConvolution(irreps_in, irreps_sh, wanted, 8, 2.0)
    plain.load_state_dict(fast.state_dict())
    edges, x = edges_of(irreps_sh), o3.Irreps(irreps_in).randn(5, -1)
    assert fast.irreps_out == plain.irreps_out
    assert fast(x, edges).shape == (5, fast.irreps_out.dim)
    assert fast(x, edges).abs().max() > 0.01
    torch.testing.assert_close(fast(x, edges), plain(x, edges), rtol=1e-10, atol=1e-10)


def test_a_bond_without_edges_sends_nothing(float64):
    layer = DepthwiseConvolution("2x0e+2x1o", "1x0e+1x1o", "2x0e+2x1o", 8, 1.0)
    none = torch.zeros(0, dtype=torch.long)
    out = layer(torch.randn(3, 8), Edges(none, none, torch.zeros(0, 4), torch.zeros(0, 8)))
    assert out.shape == (3, layer.irreps_out.dim)
    assert not out.any()


def test_different_numbers_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"same number of channels, got 2x0e\+3x1o"):
        DepthwiseConvolution("2x0e+3x1o", "1x0e", "2x0e", 8, 1.0)


def test_layers_with_the_same_paths_share_what_is_lifted():
    layers = [DepthwiseConvolution("2x0e+2x1o", "1x0e+1x1o", "2x0e+2x1o", 8, 1.0) for _ in range(2)]
    edges = edges_of("1x0e+1x1o")
    for layer in layers:
        layer(torch.randn(5, 8), edges)
    assert len(edges.lifts) == 1


def test_constants_are_copied_once_and_not_for_every_batch():
    layer = DepthwiseConvolution("2x0e+2x1o", "1x0e+1x1o", "2x0e+2x1o", 8, 1.0)
    layer(torch.randn(5, 8), edges_of("1x0e+1x1o"))
    held = moved.cache_info().currsize
    layer(torch.randn(5, 8), edges_of("1x0e+1x1o"))
    assert moved.cache_info().currsize == held


@pytest.mark.parametrize("irreps_out", ["4x0e+2x1o", "3x0e+5x1o+2x2e"])
def test_the_self_connection_is_the_product_with_a_one_hot_element(float64, irreps_out):
    irreps_in, elements = "4x0e+3x1o", 5
    ours = ElementLinear(irreps_in, irreps_out, elements)
    theirs = o3.FullyConnectedTensorProduct(irreps_in, f"{elements}x0e", irreps_out)
    blocks = ours.weight.split([mul_in * mul for mul_in, mul in ours.shapes], dim=1)
    weights = []
    for step in theirs.instructions:
        mul_in, _, mul = step.path_shape
        weights.append(blocks[step.i_out].view(elements, mul_in, mul).transpose(0, 1).flatten())
    element = torch.tensor([0, 3, 4, 3])
    x = torch.randn(4, 13)
    expected = theirs(x, torch.nn.functional.one_hot(element, elements).double(), torch.cat(weights))
    torch.testing.assert_close(ours(x, element), expected)


def test_the_envelope_and_its_first_two_derivatives_are_zero_at_the_cutoff(float64):
    r = torch.tensor([0.0, 5.0 - 1e-7, 5.0], requires_grad=True)
    value = polynomial_cutoff(r, 5.0)
    (slope,) = torch.autograd.grad(value.sum(), r, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), r)
    torch.testing.assert_close(value.detach(), torch.tensor([1.0, 0.0, 0.0]), rtol=0, atol=1e-9)
    assert slope.abs().max() < 1e-6
    assert curvature.abs().max() < 1e-4
