"""Padding changes shapes and nothing else."""

import pytest
import torch

from equinotes import RunConfig, build_network
from equinotes.data.padding import padded
from equinotes.layers.geometry import geometry

ROWS = ([0, 1, 2, 5], [2021, 50_000])
ROOM = {"atoms": 60, "bonds": 70, "molecules": 7}


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield torch.float64
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("ls", [(0, 1, 2), (0, 1, 3, 4)], ids=str)
@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_predictions_and_gradients_of_a_padded_batch_are_those_of_the_batch(qm9, float64, ls, rows):
    net = build_network(RunConfig(ls=ls, mul=4, num_blocks=3))
    batch = qm9.batch(rows).to(dtype=float64)
    found = []
    for some in (batch, padded(batch, **ROOM)):
        net.zero_grad()
        predicted = net.normalised(some)[some.rows >= 0]
        predicted.square().mean().backward()
        found.append([predicted.detach(), *(parameter.grad for parameter in net.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_all_shapes_are_the_same_for_all_batches(qm9):
    net = build_network(RunConfig(ls=(0, 1, 2), mul=4))
    shapes = []
    for rows in ROWS:
        batch = padded(qm9.batch(rows), **ROOM)
        tensors = [*vars(batch).values(), *vars(geometry(batch, (0, 1, 2), 4, 20, 6.0)).values(), net.normalised(batch)]
        shapes.append([tensor.shape for tensor in tensors])
        assert batch.rows.tolist() == rows + [-1] * (7 - len(rows))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
def test_messages_in_the_padding_are_exactly_zero_however_many_share_a_link(qm9, implementation):
    net = build_network(RunConfig(ls=(0, 1, 2), mul=4), implementation)
    batch = qm9.batch([5])
    many = padded(batch, atoms=len(batch.z) + 5, bonds=2000, molecules=3)
    own, *added = net.normalised(many).split([1, 2])
    torch.testing.assert_close(own, net.normalised(batch))
    assert all(torch.equal(value, net.energy.bias.expand(2)) for value in added)
    for layer in net.features(many)[1:]:
        assert not layer.x[len(batch.z) :].any()


@pytest.mark.parametrize("room", [(17, 70, 5), (60, 5, 5), (60, 70, 4)], ids=str)
def test_a_batch_that_does_not_fit_is_refused(qm9, room):
    batch = qm9.batch(ROWS[0])
    need = f"{len(batch.z) + 5} atoms, {batch.edge_index.shape[1] // 2} bonds and 5 molecules"
    with pytest.raises(ValueError, match=f"needs at least {need} .* for {room[0]}, {room[1]} and {room[2]}"):
        padded(batch, atoms=room[0], bonds=room[1], molecules=room[2])


def test_molecules_without_bonds_can_be_padded(qm9):
    batch = qm9.batch([0], graph="radius", cutoff=0.1)
    assert padded(batch, atoms=10, bonds=0, molecules=2).edge_index.shape == (2, 0)
