"""The network is the paper's: its parameters, what reaches the energy, its references and its hooks."""

import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, build_network
from equinotes.data.batches import Batch
from equinotes.irreps import irreps_of, split_irreps
from equinotes.layers.paths import paths

PAPER = [
    ((0, 1, 2), 32, 1.6),
    ((0, 1, 2, 4), 32, 3.0),
    ((0, 1, 2, 6), 32, 2.6),
    ((0, 1, 2, 8), 32, 2.6),
    ((0, 1, 2, 10), 32, 2.6),
    ((0, 1, 2, 3, 4), 16, 0.8),
    ((0, 1, 2, 3, 4, 5, 6), 16, 1.9),
    ((0, 1, 2, 3, 4, 5, 6, 7, 8), 16, 3.7),
    ((0, 3, 4, 5, 6), 16, 0.8),
]
"""Orders, channels and millions of parameters in the paper's table."""


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(("ls", "mul", "millions"), PAPER, ids=str)
def test_the_papers_table_of_parameters(ls, mul, millions):
    assert round(count(build_network(RunConfig.preset("paper", ls=ls, mul=mul))) / 1e6, 1) == millions


@pytest.mark.parametrize(("ls", "mul", "exact"), [((0, 1, 2), 32, 1_648_034), (tuple(range(7)), 16, 1_859_410)], ids=str)
@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
def test_the_papers_exact_number_of_parameters(ls, mul, exact, implementation):
    assert count(build_network(RunConfig(ls=ls, mul=mul), implementation)) == exact


@pytest.mark.parametrize("ls", [(0, 1, 2), (0, 3, 4, 5, 6), (0, 2, 11)], ids=str)
def test_paths_are_those_of_e3nn_in_its_order(ls):
    irreps = irreps_of(ls, 2)
    instructions = o3.FullyConnectedTensorProduct(irreps, irreps_of(ls, 1), irreps, shared_weights=False).instructions
    assert paths(ls, ls, ls) == [(ls[step.i_in1], ls[step.i_in2], ls[step.i_out]) for step in instructions]


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
@pytest.mark.parametrize(("ls", "dead"), [((0, 1, 2), 0.73), ((0, 3, 4, 5, 6), 0.89)], ids=str)
def test_weights_of_the_last_block_that_lead_to_higher_orders_get_exactly_zero_gradient(qm9, implementation, ls, dead):
    net = build_network(RunConfig(ls=ls, mul=4), implementation)
    net.normalised(qm9.batch([3, 2021, 90_000])).square().sum().backward()
    last = len(net.blocks)
    zero = [path for path in net.block_paths() if not net.path_weight(path.block).grad[:, path.where].any()]
    assert zero == [path for path in net.block_paths() if path.block == last and path.l3 > 0]
    assert round(len(zero) / sum(path.block == last for path in net.block_paths()), 2) == dead


def test_pruning_the_last_block_leaves_the_energy_and_the_parameters_of_what_it_reads(qm9):
    batch = qm9.batch([3, 2021])
    config = RunConfig(ls=(0, 1, 2), mul=4)
    full, scalars = build_network(config), build_network(config.but(last_block="scalars"))
    kept = [path for path in full.block_paths() if path.block < 5 or path.l3 == 0]
    assert [path[:4] for path in scalars.block_paths()] == [path[:4] for path in kept]
    with torch.no_grad():
        for ours, theirs in zip(scalars.block_paths(), kept, strict=True):
            scalars.path_weight(ours.block)[:, ours.where] = full.path_weight(theirs.block)[:, theirs.where]
        for name, parameter in scalars.named_parameters():
            if "layer1" not in name:
                parameter.copy_(full.get_parameter(name))
    torch.testing.assert_close(scalars(batch), full(batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
def test_references_shift_and_scale_the_energy_and_normalise_undoes_them(qm9, implementation):
    net = build_network(RunConfig(ls=(0, 1), mul=4), implementation)
    batch = qm9.batch([0, 1])  # methane and ammonia
    elements = torch.zeros(100).index_fill_(0, torch.tensor([1]), 2.0)
    net.set_reference(-5.0, 3.0, elements)
    expected = -5.0 + 3.0 * net.normalised(batch).double() + 2.0 * torch.tensor([4.0, 3.0]).double()
    torch.testing.assert_close(net(batch), expected)
    torch.testing.assert_close(net.normalise(net(batch), batch), net.normalised(batch), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r"scale must be positive, got 0\.0"):
        net.set_reference(0.0, 0.0)


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
@pytest.mark.parametrize("gate", [False, True])
def test_edits_see_every_order_and_reach_what_follows(qm9, implementation, gate):
    net = build_network(RunConfig(ls=(0, 1, 2), mul=4, num_blocks=3, gate=gate), implementation)
    batch = qm9.batch([2021, 3])
    seen = []

    def look(block, parts):
        seen.append((block, {ir: tuple(part.shape[1:]) for ir, part in parts.items()}))
        return {}

    torch.testing.assert_close(net(batch, edit=look), net(batch), rtol=1e-5, atol=1e-5)
    assert seen == [(block, {"0e": (4, 1), "1o": (4, 3), "2e": (4, 5)}) for block in (1, 2, 3)]
    without = [net(batch, edit=lambda block, parts, k=k: {"2e": 0 * parts["2e"]} if block == k else {}) for k in (1, 2, 3)]
    assert not torch.allclose(without[0], net(batch))
    assert not torch.allclose(without[1], net(batch))
    torch.testing.assert_close(without[2], net(batch), rtol=1e-5, atol=1e-5)  # nobody reads l > 0 after the last block


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_going_on_from_edited_features_is_the_edit(qm9, implementation, gate, block):
    net = build_network(RunConfig(ls=(0, 1, 2), mul=4, num_blocks=3, gate=gate), implementation)
    batch = qm9.batch([2021, 3])

    def half(parts):
        return parts | {"0e": 0.5 * parts["0e"], "1o": -parts["1o"]}

    layer = net.features(batch)[block]
    edited = net(batch, edit=lambda k, parts: half(parts) if k == block else parts)
    torch.testing.assert_close(net.continued(batch, block, half(split_irreps(layer.x, layer.irreps))), edited)
    assert not torch.allclose(edited, net(batch))


def test_gradients_flow_through_edits(qm9):
    net = build_network(RunConfig(ls=(0, 1), mul=4, num_blocks=3))
    kept = {}

    def keep(block, parts):
        kept[block] = parts["1o"]
        kept[block].retain_grad()
        return parts

    net.normalised(qm9.batch([2021]), edit=keep).sum().backward()
    assert kept[1].grad.any()
    assert kept[2].grad.any()


def test_all_outputs_can_be_asked_for(qm9):
    config = RunConfig(ls=(0, 1), mul=4)
    batch = qm9.batch([2021])
    usual, every = build_network(config), build_network(config, all_outputs=True)
    torch.testing.assert_close(usual(batch), every(batch))
    assert [layer.irreps for layer in usual.features(batch)] == ["64x0e"] + 5 * ["4x0e+4x1o"]


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
def test_a_molecule_without_edges_is_read_from_its_atoms_alone(implementation):
    net = build_network(RunConfig(ls=(0, 1, 2), mul=4), implementation)
    zero, one = torch.tensor([0]), torch.tensor([1])
    oxygen = Batch(torch.zeros(1, 3), 8 * one, torch.zeros(2, 0, dtype=torch.long), molecule=zero, rows=zero)
    pos = torch.tensor([[0.0, 0, 0], [0.7, 0, 0], [0, 0, 0]])
    bond = torch.tensor([[0, 1], [1, 0]])
    hydrogen_and_oxygen = Batch(pos, torch.tensor([1, 1, 8]), bond, molecule=torch.tensor([0, 0, 1]), rows=torch.tensor([0, 1]))
    alone = net.normalised(oxygen)
    torch.testing.assert_close(alone, net.energy.bias)  # no message, no feature: only the constant is left
    torch.testing.assert_close(net.normalised(hydrogen_and_oxygen)[1:], alone)
    alone.sum().backward()
    assert not net.path_weight(1).grad.any()


def test_the_gates_parameters_are_one_map_per_block():
    config = RunConfig(ls=(0, 1, 2), mul=4)
    assert count(build_network(config.but(gate=True))) - count(build_network(config)) == 5 * 4 * 2 * 4


def test_an_unknown_implementation_is_named():
    with pytest.raises(ValueError, match="implementation must be one of fast, e3nn, got 'e3n'"):
        build_network(RunConfig(), "e3n")
