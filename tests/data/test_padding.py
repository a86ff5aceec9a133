"""Padding changes shapes and nothing else."""

import pytest
import torch

from equinotes import RunConfig, build_network
from equinotes.data.padding import padded
from equinotes.model.geometry import geometry

ROWS = ([0, 1, 2, 5], [2021, 50_000])


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
    for some in (batch, padded(batch, atoms=60, bonds=70)):
        net.zero_grad()
        predicted = net.normalised(some)[: batch.num_molecules]
        predicted.square().mean().backward()
        found.append([predicted.detach(), *(parameter.grad for parameter in net.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_all_shapes_are_the_same_for_all_batches(qm9):
    shapes = []
    for rows in ROWS:
        batch = padded(qm9.batch(rows), atoms=60, bonds=70)
        edges = geometry(batch, (0, 1, 2), 4, 20, 6.0)
        shapes.append([tensor.shape for part in (batch, edges) for name, tensor in vars(part).items() if name != "rows"])
        assert batch.num_molecules == len(rows) + 1
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("room", [(17, 70), (60, 5)], ids=str)
def test_a_batch_that_does_not_fit_is_refused(qm9, room):
    batch = qm9.batch(ROWS[0])
    atoms, bonds = len(batch.z) + 5, batch.edge_index.shape[1] // 2
    with pytest.raises(ValueError, match=f"needs at least {atoms} atoms and {bonds} bonds .* for {room[0]} and {room[1]}"):
        padded(batch, *room)
