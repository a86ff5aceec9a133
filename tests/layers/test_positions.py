"""Gradients with respect to positions: those of e3nn and of finite differences, in every direction, and the laws of forces."""

from dataclasses import replace

import pytest
import torch
from e3nn import o3
from torch.autograd import gradcheck

from equinotes import RunConfig, build_network
from equinotes.data.batches import Batch
from equinotes.layers import messages
from equinotes.support.cores import side_by_side

ROWS = [0, 1, 5, 2021]
VARIANTS = [{}, {"gate": True}, {"last_block": "scalars"}, {"graph": "radius", "gate": True}]


def network(implementation="fast", **fields):
    return build_network(RunConfig(**{"ls": (0, 1, 3), "mul": 4, "num_blocks": 3, "atom_dim": 6} | fields), implementation)


def molecules(qm9, net):
    return qm9.batch(ROWS, graph=net.config.graph, cutoff=net.config.cutoff).to(dtype=net.readout.dtype)


def position_gradient(net, batch):
    """Gradient of a sum of energies in which each molecule has a weight of its own."""
    pos = batch.pos.clone().requires_grad_()
    (net.normalised(replace(batch, pos=pos)) * torch.linspace(1, 2, batch.num_molecules)).sum().backward()
    return pos.grad


def assert_close(found, expected, tolerance):
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * expected.abs().max().item())


def along_y():
    """A bent chain of atoms whose first two bonds lie exactly along y, one in each direction; the others lie elsewhere."""
    pos = torch.tensor([[0.0, 0, 0], [0, 1.1, 0], [0, -1.3, 0], [0.9, -1.8, 0.4], [0, 2.1, 1e-9]])
    forward = torch.tensor([[0, 0, 2, 1], [1, 2, 3, 4]])
    zeros = torch.zeros(5, dtype=torch.long)
    edges = torch.cat([forward, forward.flip(0)], dim=1)
    return Batch(pos, torch.tensor([6, 1, 6, 8, 1]), edges, molecule=zeros, rows=zeros[:1])


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("ls", [(0,), (0, 1, 2), (0, 2, 3, 7)], ids=str)
def test_they_are_those_of_e3nn(qm9, float64, only_way, ls, variant):
    fast, e3nn = (network(name, ls=ls, **variant) for name in ("fast", "e3nn"))
    batch = molecules(qm9, fast)
    assert_close(position_gradient(fast, batch), position_gradient(e3nn, batch), 1e-10)


@pytest.mark.parametrize("num_blocks", [1, 2])
def test_shallow_networks_have_those_of_e3nn(qm9, float64, num_blocks):
    fast, e3nn = (network(name, num_blocks=num_blocks) for name in ("fast", "e3nn"))
    batch = molecules(qm9, fast)
    assert_close(position_gradient(fast, batch), position_gradient(e3nn, batch), 1e-10)


@pytest.mark.parametrize(("ls", "mul"), [((0, 1, 2), 32), ((0, 1, 2, 3, 4), 16)], ids=str)
def test_single_precision_is_that_of_e3nn(qm9, ls, mul):
    fast, e3nn = (network(name, ls=ls, mul=mul, num_blocks=5, atom_dim=64) for name in ("fast", "e3nn"))
    batch = molecules(qm9, fast)
    assert_close(position_gradient(fast, batch), position_gradient(e3nn, batch), 1e-5)


@pytest.mark.parametrize("ls", [(0, 1, 2), (0, 3, 4)], ids=str)
def test_bonds_along_the_polar_axis_are_no_exception(float64, only_way, ls):
    fast, e3nn, batch = network(ls=ls), network("e3nn", ls=ls), along_y()
    found = position_gradient(fast, batch)
    assert_close(found, position_gradient(e3nn, batch), 1e-10)
    assert found[:3, [0, 2]].abs().min() > 1e-6  # bonds along y are turned away from y, which takes a derivative at the pole


@pytest.mark.parametrize("variant", VARIANTS[:3], ids=str)
def test_they_are_those_of_finite_differences(float64, only_way, variant):
    net, batch = network(ls=(0, 1, 2), **variant), along_y()
    pos = batch.pos.requires_grad_()
    assert gradcheck(lambda pos: net.normalised(replace(batch, pos=pos)), pos, eps=1e-5, atol=1e-9, rtol=1e-6)


def test_features_of_every_order_have_them_too(qm9, float64, only_way):
    """A loss on the last block's turning features: all outputs are wanted, and all of them follow the positions."""
    gradients = []
    for name in ("fast", "e3nn"):
        net = network(name)
        batch = molecules(qm9, net)
        pos = batch.pos.requires_grad_()
        net.features(batch)[-1].x.square().sum().backward()
        gradients.append(pos.grad)
    assert_close(*gradients, 1e-10)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_forces_and_torques_of_each_molecule_add_up_to_zero(qm9, float64, only_way, variant):
    net = network(**variant)
    batch = molecules(qm9, net)
    batch = replace(batch, pos=batch.pos @ o3.rand_matrix().T)
    forces = -position_gradient(net, batch)
    for vectors in (forces, torch.linalg.cross(batch.pos, forces)):
        total = torch.zeros(batch.num_molecules, 3).index_add_(0, batch.molecule, vectors)
        assert total.abs().max() < 1e-11 * vectors.abs().max()


def test_turning_a_bond_about_itself_changes_nothing(qm9, float64, only_way, monkeypatch):
    torques, grad = [], messages._Torque.grad

    def seen(self, vectors):
        torques.append((self.values, vectors.detach()))
        return grad(self, vectors)

    monkeypatch.setattr(messages._Torque, "grad", seen)
    net = network()
    position_gradient(net, molecules(qm9, net))
    assert len(torques) == 2  # the first block takes no part
    for torque, vectors in torques:
        assert (torque * vectors).sum(1).abs().max() < 1e-12 * torque.abs().max()


def test_gradients_of_parameters_do_not_depend_on_whether_positions_have_them(qm9, float64, only_way):
    net = network(gate=True)
    batch = molecules(qm9, net)
    gradients = []
    for needed in (False, True):
        net.zero_grad()
        net.normalised(replace(batch, pos=batch.pos.clone().requires_grad_(needed))).square().sum().backward()
        gradients.append([parameter.grad for parameter in net.parameters()])
    for without, with_positions in zip(*gradients, strict=True):
        torch.testing.assert_close(with_positions, without, rtol=1e-12, atol=1e-14)


def test_nothing_is_computed_for_them_unless_they_are_wanted(qm9, monkeypatch):
    net = network()
    batch = molecules(qm9, net)
    edges = [value for value in vars(net.edges(batch)).values() if isinstance(value, torch.Tensor)]
    assert edges and not any(tensor.requires_grad for tensor in edges)
    monkeypatch.setattr(messages, "_Torque", None)
    net.normalised(batch).sum().backward()
    with pytest.raises(TypeError, match="NoneType"):
        position_gradient(net, batch)


def test_tiles_and_cores_change_nothing(qm9, float64, only_way, monkeypatch, threads):
    net = network()
    batch = molecules(qm9, net)
    expected = position_gradient(net, batch)
    monkeypatch.setattr(messages, "TILE_BYTES", 20_000)
    threads(2)
    with side_by_side():
        assert_close(position_gradient(net, batch), expected, 1e-12)


def derivatives_of_a_loss_on_forces(net, batch):
    pos = batch.pos.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net.normalised(replace(batch, pos=pos)).sum(), pos, create_graph=True)
    net.zero_grad()
    (slope - 0.1).square().sum().backward()
    return {"positions": pos.grad} | {name: parameter.grad for name, parameter in net.named_parameters()}


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_training_on_forces_is_that_of_e3nn(qm9, float64, only_way, variant):
    fast, e3nn = (network(name, **variant) for name in ("fast", "e3nn"))
    batch = molecules(qm9, fast)
    found, expected = derivatives_of_a_loss_on_forces(fast, batch), derivatives_of_a_loss_on_forces(e3nn, batch)
    for name, gradient in expected.items():
        if gradient is None or not gradient.any():
            assert found[name] is None or not found[name].any(), name
        else:
            assert_close(found[name], gradient, 1e-10)


def test_training_on_forces_has_no_exception_at_the_polar_axis(float64, only_way):
    fast, e3nn, batch = network(), network("e3nn"), along_y()
    found, expected = derivatives_of_a_loss_on_forces(fast, batch), derivatives_of_a_loss_on_forces(e3nn, batch)
    assert_close(found["positions"], expected["positions"], 1e-10)
    assert_close(found["blocks.1.radial.layer1.weight"], expected["blocks.1.radial.layer1.weight"], 1e-10)


def test_molecules_without_bonds_feel_no_force(float64, only_way):
    zero = torch.tensor([0])
    oxygen = Batch(torch.zeros(1, 3), torch.tensor([8]), torch.zeros(2, 0, dtype=torch.long), molecule=zero, rows=zero)
    assert not position_gradient(network(), oxygen).any()
    assert not derivatives_of_a_loss_on_forces(network(), oxygen)["positions"].any()
