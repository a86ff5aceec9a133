"""The parts that SEGNN and the SE(3)-Transformer are made of, held against e3nn's own and against formulas."""

import math

import pytest
import torch
from e3nn import o3

from equinotes.layers import edgewise
from equinotes.layers.attention import attended, logits_by_irrep, softmax_at_targets
from equinotes.layers.edgewise import HIDDEN, MARGIN, Edges, FastEdgeConvolution, PlainEdgeConvolution, Work
from equinotes.layers.instance_norm import InstanceNorm
from equinotes.layers.norm_relu import FLOOR, NormReLU
from equinotes.layers.steerable import Attributes, FastProduct, Gated, PlainProduct, packed, unpacked

IRREPS = [
    ("5x0e", "1x0e+1x1o+1x2e+1x3o", "2x0e+2x1o+2x2e"),
    ("5x0e+4x1o+3x2e", "1x0e+1x1o+1x2e+1x3o", "9x0e+2x1o+3x2e"),
    ("3x0e+2x1e+1x2e", "1x0e+1x1e+1x2e+1x3e+1x4e", "4x0e+4x1e+2x2e"),
    ("3x0e+2x1o", "1x0e", "2x0e+2x1o+1x3o"),
]


def steerable(irreps, rows):
    irreps = o3.Irreps(irreps)
    return dict(zip([str(ir) for _, ir in irreps], unpacked(irreps.randn(rows, -1), irreps), strict=True))


def slopes_of(layer, *given):
    out = layer(*given)
    total = sum((part.square() * (k + 1)).sum() for k, part in enumerate(out.values()))
    return [*out.values(), *torch.autograd.grad(total, [*layer.parameters()])]


@pytest.mark.parametrize(("irreps_in", "attribute", "out"), IRREPS, ids=str)
def test_the_fast_product_is_e3nns_with_all_gradients(float64, irreps_in, attribute, out):
    torch.manual_seed(0)
    fast, plain = (kind(irreps_in, attribute, out) for kind in (FastProduct, PlainProduct))
    plain.load_state_dict(fast.state_dict())
    x, values = steerable(irreps_in, 6), o3.Irreps(attribute).randn(6, -1)
    found = [slopes_of(layer, x, Attributes(values)) for layer in (fast, plain)]
    assert [part.shape[1:] for part in fast(x, Attributes(values)).values()] == [(ir.dim, mul) for mul, ir in o3.Irreps(out)]
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("margin", [0, MARGIN, math.inf])
@pytest.mark.parametrize(("irreps_in", "attribute", "out"), IRREPS, ids=str)
def test_the_fast_edge_convolution_is_e3nns_with_all_gradients(float64, monkeypatch, irreps_in, attribute, out, margin):
    """In both orders of its sums; the last atom has no edges, and atoms have unlike numbers of them."""
    monkeypatch.setattr("equinotes.layers.edgewise.MARGIN", margin)
    torch.manual_seed(0)
    fast, plain = (kind(irreps_in, attribute, out, 3) for kind in (FastEdgeConvolution, PlainEdgeConvolution))
    plain.load_state_dict(fast.state_dict())
    x, sh = steerable(irreps_in, 5), o3.Irreps(attribute).randn(8, -1)
    ends = torch.tensor([0, 1, 1, 2, 0, 2, 3, 0]), torch.tensor([1, 0, 2, 1, 2, 0, 0, 3])
    invariants = torch.rand(4, 3)
    found = [slopes_of(layer, x, Edges(*ends, Attributes(sh), invariants)) for layer in (fast, plain)]
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("isolated", [0, 2])
def test_molecules_without_edges_get_no_messages(isolated):
    layer = FastEdgeConvolution("4x0e+4x1e", "1x0e+1x1e", "2x0e+2x1e", 3)
    none = torch.zeros(0, dtype=torch.long)
    out = layer(steerable("4x0e+4x1e", isolated), Edges(none, none, Attributes(torch.zeros(0, 4)), torch.zeros(0, 3)))
    assert {ir: part.shape for ir, part in out.items()} == {"0e": (0, 1, 2), "1e": (0, 3, 2)}


def test_multiplications_are_those_of_the_products(float64):
    """32 hidden units, 17 edges per atom and vectors of 32 channels: counted on paper."""
    work = Work(None, torch.zeros(1, 3 * 2, 3), [torch.zeros(HIDDEN, 32 * 16)] * 2, (32, 16))
    at_bonds = 85 * HIDDEN * 32 * 16 + 170 * 3 * 32 * (3 + 16)
    at_atoms = 10 * 3 * 32 * HIDDEN * 16 + 170 * HIDDEN * 3 * 16 + 170 * 3 * 3 * 16
    assert work.multiplications(10, 170, 170) == (2 * at_bonds, 2 * at_atoms)


@pytest.mark.parametrize(("neighbours", "at_atoms"), [(1, False), (16, True)])
def test_dense_graphs_make_messages_at_the_atoms(monkeypatch, neighbours, at_atoms):
    """Wide features: every pair of irreps chooses alike."""
    used = set()
    for name in ("_at_bonds", "_at_atoms"):
        whole = getattr(edgewise, name)
        monkeypatch.setattr(edgewise, name, lambda *given, name=name, whole=whole: used.add(name) or whole(*given))
    layer = FastEdgeConvolution("64x0e+64x1e", "1x0e+1x1e", "64x0e+64x1e", 3)
    atoms = neighbours + 1
    pairs = torch.combinations(torch.arange(atoms))
    index = torch.stack([pairs, pairs.flip(1)], dim=1).flatten(0, 1).T
    edges = Edges(*index, Attributes(torch.randn(2 * len(pairs), 4)), torch.rand(len(pairs), 3))
    layer(steerable("64x0e+64x1e", atoms), edges)
    assert used == {"_at_atoms" if at_atoms else "_at_bonds"}


def test_messages_of_unit_features_have_unit_components(float64):
    torch.manual_seed(0)
    layer = FastEdgeConvolution("32x0e+32x1e", "1x0e+1x1e+1x2e", "32x0e+32x1e", 4)
    index = torch.randint(1000, (2, 1000))
    sh = o3.spherical_harmonics([0, 1, 2], torch.randn(1000, 3), True, "component")
    out = layer(steerable("32x0e+32x1e", 1000), Edges(*index, Attributes(sh), torch.randn(500, 4)))
    for part in out.values():
        assert 0.7 < part.square().mean() < 1.4


def test_the_gate_is_e3nns(float64):
    from e3nn.nn import Gate

    torch.manual_seed(0)
    gated = Gated("3x0e+2x1o", "1x0e+1x1o", "3x0e+2x1o+2x2e", FastProduct)
    silu, sigmoid = torch.nn.functional.silu, torch.sigmoid
    theirs = Gate("3x0e", [silu], "4x0e", [sigmoid], "2x1o+2x2e")
    x, attributes = steerable("3x0e+2x1o", 5), Attributes(torch.randn(5, 4))
    before = gated.product(x, attributes)
    torch.testing.assert_close(packed([*gated(x, attributes).values()]), theirs(packed([*before.values()])))


def test_layers_with_the_same_paths_share_what_is_lifted():
    layers = [FastProduct(f"{mul}x0e+{mul}x1o", "1x0e+1x1o", "2x0e+2x1o") for mul in (2, 5)]
    attributes = Attributes(torch.randn(4, 4))
    for layer, mul in zip(layers, (2, 5), strict=True):
        layer(steerable(f"{mul}x0e+{mul}x1o", 4), attributes)
    assert len(attributes.lifts) == 1


def test_softmax_at_targets_is_the_softmax_of_each_targets_edges(float64):
    logits, target = 50 * torch.randn(7, 2), torch.tensor([0, 3, 3, 1, 3, 1, 1])
    weights = softmax_at_targets(logits, target, 5)
    for atom in (0, 1, 3):
        torch.testing.assert_close(weights[target == atom], torch.softmax(logits[target == atom], dim=0))
    assert torch.isfinite(softmax_at_targets(torch.full((2, 1), -1e300), torch.tensor([0, 0]), 1)).all()


def test_one_head_by_hand(float64):
    """Two edges into atom 0; logits are inner products over the root of the 4 components of a key."""
    target = torch.tensor([0, 0])
    query = {"0e": torch.tensor([[[2.0]]]), "1e": torch.tensor([[[0.0], [1.0], [0.0]]])}
    key = {"0e": torch.tensor([[[1.0]], [[0.0]]]), "1e": torch.tensor([[[0.0], [4.0], [0.0]], [[3.0], [0.0], [0.0]]])}
    logits = logits_by_irrep(key, query, target, heads=1)
    assert {ir: part.flatten().tolist() for ir, part in logits.items()} == {"0e": [1, 0], "1e": [2, 0]}
    weights = softmax_at_targets(sum(logits.values())[..., 0], target, 1)
    torch.testing.assert_close(weights[0, 0].item(), 1 / (1 + math.exp(-3)))
    value = {"0e": torch.tensor([[[1.0]], [[0.0]]])}
    torch.testing.assert_close(attended(value, weights, target, 2)["0e"].flatten(), torch.tensor([weights[0, 0].item(), 0.0]))


def test_heads_share_out_channels_in_order(float64):
    value = {"0e": torch.ones(1, 1, 4), "1e": torch.ones(1, 3, 4)}
    out = attended(value, torch.tensor([[1.0, 5.0]]), torch.tensor([0]), 1)
    assert out["1e"][0, 0].tolist() == out["0e"][0, 0].tolist() == [1, 1, 5, 5]


def test_the_norm_layer_keeps_directions_and_gives_normed_norms(float64):
    norm, x = NormReLU(2, 4), steerable("4x0e+4x1e", 3)
    x = {ir: 10 * part for ir, part in x.items()}
    with torch.no_grad():
        norm.bias += 1.0
    out = norm(x)
    for ir, part in x.items():
        size = part.norm(dim=1)
        expected = torch.relu(torch.nn.functional.layer_norm(size, (4,)) + 1)
        torch.testing.assert_close(out[ir].norm(dim=1), expected, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(out[ir], part / size[:, None] * expected[:, None], rtol=1e-3, atol=1e-3)


def test_the_norm_layer_does_not_blow_up_the_direction_of_rounding_errors(float64):
    norm = NormReLU(1, 4)
    with torch.no_grad():
        norm.bias += 1.0  # the layer norm of equal norms is zero: what is left is the bias
    noise = 1e-9 * torch.randn(5, 3, 4)
    assert norm({"1e": noise})["1e"].abs().max() < 1e-8 / FLOOR
    zero = torch.zeros(5, 3, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(norm({"1e": zero})["1e"].sum(), zero)
    assert torch.isfinite(slope).all()


def test_instance_norm_centres_scalars_and_gives_every_channel_of_a_molecule_size_one(qm9, float64):
    batch = qm9.batch([5, 2021])
    x = {ir: 7 * part + 3 * (ir == "0e") for ir, part in steerable("3x0e+2x1o", len(batch.z)).items()}
    out = InstanceNorm("3x0e+2x1o")(x, batch)
    for molecule in range(2):
        own = batch.molecule == molecule
        assert out["0e"][own].mean(0).abs().max() < 1e-12
        for part in out.values():
            torch.testing.assert_close(part[own].square().mean((0, 1)), torch.ones(part.shape[2]), rtol=1e-5, atol=1e-5)
