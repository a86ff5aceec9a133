"""The fast network against plain e3nn: the same parameters, the same numbers, the same training."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from equinotes import RunConfig, build_network
from equinotes.layers import coupling

ROWS = [0, 1, 2, 5, 100, 2021, 130_830]
ORDERS = [(0,), (0, 1, 2), (0, 1, 2, 3, 4), (0, 3, 4, 5, 6), (0, 1, 2, 10)]
VARIANTS = [{}, {"gate": True}, {"last_block": "scalars"}, {"graph": "radius", "gate": True, "last_block": "scalars"}]


def twins(**fields):
    config = RunConfig(**{"mul": 4, "num_blocks": 3, "atom_dim": 6} | fields)
    return build_network(config), build_network(config, "e3nn")


def molecules(qm9, config, dtype):
    rows = ROWS[:4] if config.graph == "radius" else ROWS
    return qm9.batch(rows, graph=config.graph, cutoff=config.cutoff).to(dtype=dtype)


def gradients(net, batch, target):
    net.zero_grad()
    (net.normalised(batch) - target).square().mean().backward()
    return {name: parameter.grad for name, parameter in net.named_parameters()}


def relative(found, expected):
    """Largest difference as a share of the largest expected value."""
    return ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-300)).item() if expected.numel() else 0.0


def assert_twins_agree(fast, e3nn, batch, tolerance):
    target = torch.linspace(-1, 1, batch.num_molecules, dtype=batch.pos.dtype)
    assert relative(fast.normalised(batch), e3nn.normalised(batch)) < tolerance
    found, expected = gradients(fast, batch, target), gradients(e3nn, batch, target)
    assert {
        name: relative(found[name], expected[name]) for name in expected if relative(found[name], expected[name]) >= tolerance
    } == {}
    for ours, theirs in zip(fast.features(batch), e3nn.features(batch), strict=True):
        assert (ours.name, ours.irreps) == (theirs.name, theirs.irreps)
        assert relative(ours.x, theirs.x) < tolerance


@pytest.mark.parametrize("ls", ORDERS, ids=str)
def test_outputs_gradients_and_features_are_those_of_e3nn(qm9, float64, ls):
    fast, e3nn = twins(ls=ls)
    assert_twins_agree(fast, e3nn, molecules(qm9, fast.config, float64), 1e-10)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_options_are_those_of_e3nn(qm9, float64, variant):
    fast, e3nn = twins(ls=(0, 1, 3), **variant)
    assert_twins_agree(fast, e3nn, molecules(qm9, fast.config, float64), 1e-10)


@pytest.mark.parametrize(("ls", "mul"), [((0, 1, 2), 32), ((0, 1, 2, 3, 4), 16)], ids=str)
def test_single_precision_is_that_of_e3nn(qm9, ls, mul):
    fast, e3nn = twins(ls=ls, mul=mul, num_blocks=5, atom_dim=64)
    assert_twins_agree(fast, e3nn, qm9.batch(ROWS[-2:]), 1e-5)


@pytest.mark.parametrize("variant", [{"gate": True}, {"last_block": "scalars"}], ids=str)
@pytest.mark.parametrize("ls", [(0, 1, 2), (0, 2, 3, 7)], ids=str)
def test_both_ways_of_coupling_are_exact(qm9, float64, only_way, ls, variant):
    fast, e3nn = twins(ls=ls, **variant)
    assert isinstance(coupling.coupling(ls, 4, ls, ls), only_way)
    assert_twins_agree(fast, e3nn, molecules(qm9, fast.config, float64), 1e-10)


def test_the_way_with_less_work_is_taken():
    few, many = (coupling.coupling(ls, mul, ls, ls) for ls, mul in [((0, 1, 2), 32), (tuple(range(7)), 16)])
    assert (type(few), type(many)) == (coupling.ByPath, coupling.ByFrame)


def test_training_goes_on_where_inference_mode_made_the_constants(qm9, float64, only_way):
    net, _ = twins(ls=(0, 1, 2))
    batch = molecules(qm9, net.config, float64)
    with torch.inference_mode():
        expected = net.normalised(batch)
    assert torch.equal(net.normalised(batch), expected)
    assert gradients(net, batch, expected.clone() + 1)["readout"].any()


class Copies(TorchDispatchMode):
    """Notes what takes a tensor of the CPU, or makes one there."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if any(isinstance(value, torch.Tensor) and value.device.type == "cpu" for value in tree_leaves((args, kwargs, out))):
            self.seen.append(function)
        return out


@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("gate", [False, True])
def test_a_step_away_from_the_cpu_copies_nothing_there_once_there_was_one(qm9, only_way, gate, positions):
    """What a CUDA graph asks of a step; here on torch's device without memory."""
    net, _ = twins(ls=(0, 1, 2), gate=gate)
    batch = molecules(qm9, net.config, torch.float32)
    geometry = tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), dict(vars(net.edges(batch))))
    edges = replace(net.edges(batch), **geometry)
    edges.vectors.requires_grad_(positions)
    net.edges = lambda batch: edges
    net, batch, target = net.to("meta"), batch.to("meta"), torch.zeros(batch.num_molecules, device="meta")
    seen = []
    for _ in range(2):
        with Copies() as copies:
            gradients(net, batch, target)
        seen.append(copies.seen)
    assert seen[0] and not seen[1]


def test_the_size_of_tiles_changes_nothing(qm9, float64, monkeypatch):
    fast, e3nn = twins(ls=(0, 1, 2, 3))
    monkeypatch.setattr("equinotes.layers.messages.TILE_BYTES", 100_000)
    assert_twins_agree(fast, e3nn, molecules(qm9, fast.config, float64), 1e-10)


@pytest.mark.parametrize("num_blocks", [1, 2])
def test_shallow_networks_are_those_of_e3nn(qm9, float64, num_blocks):
    fast, e3nn = twins(ls=(0, 1, 2), num_blocks=num_blocks)
    assert_twins_agree(fast, e3nn, molecules(qm9, fast.config, float64), 1e-10)


@pytest.mark.parametrize("gate", [False, True])
def test_steps_of_adamw_lead_to_the_same_weights(qm9, float64, gate):
    fast, e3nn = twins(ls=(0, 1, 2), gate=gate)
    batch = molecules(qm9, fast.config, float64)
    target = torch.linspace(-1, 1, batch.num_molecules)
    for net in (fast, e3nn):
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.1)
        for _ in range(4):
            gradients(net, batch, target)
            optimizer.step()
    before = build_network(fast.config).state_dict()
    for (name, ours), theirs in zip(fast.named_parameters(), e3nn.parameters(), strict=True):
        assert relative(ours - before[name], theirs - before[name]) < 1e-6, name


@pytest.mark.parametrize("power", [1, 2])
def test_second_derivatives_are_those_of_e3nn(qm9, float64, only_way, power):
    found = []
    for net in twins(ls=(0, 1, 3), gate=True):
        parameters = list(net.parameters())
        loss = net.normalised(molecules(qm9, net.config, float64)).pow(power).sum()
        first = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
        squares = sum(gradient.square().sum() for gradient in first if gradient is not None)
        found.append(torch.autograd.grad(squares, parameters, allow_unused=True, materialize_grads=True))
    assert max(relative(ours, theirs) for ours, theirs in zip(*found, strict=True)) < 1e-10


@pytest.mark.parametrize("gate", [False, True])
def test_both_have_one_state_dict_that_needs_no_pickle(qm9, tmp_path, gate):
    fast, e3nn = twins(ls=(0, 1, 2), gate=gate)
    fast.set_reference(-76.0, 10.0, torch.arange(100.0))
    save_file(fast.state_dict(), tmp_path / "net.safetensors")
    e3nn.load_state_dict(load_file(tmp_path / "net.safetensors"))
    batch = molecules(qm9, fast.config, torch.float32)
    assert relative(fast(batch), e3nn(batch)) < 1e-6


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
def test_the_same_seed_gives_the_same_bits_and_leaves_the_callers_random_numbers_alone(qm9, implementation):
    config = RunConfig(ls=(0, 1, 2), mul=4, seed=3)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one = build_network(config, implementation)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    other = build_network(config, implementation)
    batch = molecules(qm9, config, torch.float32)
    target = torch.zeros(batch.num_molecules)
    assert torch.equal(one(batch), other(batch))
    found, again = gradients(one, batch, target), gradients(other, batch, target)
    assert all(torch.equal(found[name], again[name]) for name in found)
    assert not torch.equal(one(batch), build_network(config.but(seed=4), implementation)(batch))
