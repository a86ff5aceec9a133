"""PaiNN has scalars and vectors alone: its laws, what it cannot see, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, build_network, train
from equinotes.analysis.laws import largest_difference, symmetry_changes
from equinotes.data.batches import Batch
from equinotes.layers.vectors import VectorLinear

SMALL = RunConfig(network="painn", ls=(0, 1), mul=8, num_blocks=3, num_basis=8, cutoff=5.0, graph="radius")


def test_the_linear_layer_of_vector_neurons_is_e3nns_on_1o(float64):
    ours, theirs = VectorLinear(8, 5), o3.Linear("8x1o", "5x1o")
    with torch.no_grad():
        theirs.weight.copy_(ours.weight.T.flatten())
    v = torch.randn(11, 8, 3)
    torch.testing.assert_close(ours(v).flatten(1), theirs(v.flatten(1)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("change", ["rotation", "inversion", "translation by 100 Å", "permutation"])
def test_features_turn_as_their_irreps_say(qm9, float64, change):
    net = build_network(SMALL).double()
    batch = qm9.batch([2021], graph="radius", cutoff=5.0).to(dtype=float64)
    assert largest_difference(net, batch, symmetry_changes(batch)[change]) < 1e-10


def test_both_irreps_before_the_last_block_reach_the_energy():
    net = build_network(SMALL)
    reached = {(k, ir): net.reaches(k, ir) for k in (1, 2, 3) for ir in ("0e", "1o")}
    assert reached == {key: key != (3, "1o") for key in reached}


def methane(directions):
    pos = torch.tensor(np.concatenate([np.zeros((1, 3)), directions]))
    forward = torch.stack([torch.arange(1, 5), torch.zeros(4, dtype=torch.long)])
    edges = torch.cat([forward, forward.flip(0)], dim=1)
    zero = torch.zeros(5, dtype=torch.long)
    return Batch(pos, torch.tensor([6, 1, 1, 1, 1]), edges, molecule=zero, rows=zero[:1])


SQUARE = np.array([[1.0, 0, 0], [0, 0, 1], [-1, 0, 0], [0, 0, -1]])
TETRAHEDRON = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5


@pytest.mark.parametrize(
    ("config", "sees"),
    [
        (SMALL.but(graph="bonds", num_blocks=5), False),
        (RunConfig.preset("nequip", ls=(0, 1), mul=4, graph="bonds"), False),
        (RunConfig.preset("nequip", ls=(0, 1, 2), mul=4, graph="bonds"), True),
    ],
    ids=["painn", "l<=1", "l<=2"],
)
def test_vectors_cannot_tell_a_square_from_a_tetrahedron_on_the_graph_of_bonds(float64, config, sees):
    """Directions sum to zero in both, at any depth; order 2 sees the difference."""
    net = build_network(config).double()
    one, other = (net.normalised(methane(each)).item() for each in (SQUARE, TETRAHEDRON))
    assert abs(one - other) > 1e-6 if sees else abs(one - other) < 1e-12


def test_vectors_see_an_angle(qm9, float64):
    net, water = build_network(SMALL.but(graph="bonds")).double(), qm9.batch([2]).to(dtype=float64)
    bent = water.pos.clone()
    bent[2] = 2 * bent[0] - bent[1]
    assert (net.normalised(water) - net.normalised(replace(water, pos=bent))).abs() > 1e-4


def test_energies_and_forces_are_smooth_where_vectors_vanish(float64):
    net = build_network(SMALL.but(graph="bonds")).double()
    batch = methane(TETRAHEDRON)
    pos = batch.pos.requires_grad_()
    (slope,) = torch.autograd.grad(net.normalised(replace(batch, pos=pos)).sum(), pos)
    assert slope.isfinite().all() and slope.abs().max() > 1e-6


def test_it_trains(tmp_path):
    config = RunConfig.preset("painn", num_train=256, num_val=64, num_test=64, epochs=4)
    run = train(config, runs_dir=tmp_path, progress=False)
    assert run.metrics["val_mae_eV"].iloc[-1] < 0.8 * run.metrics["val_mae_eV"].iloc[0]


def test_other_orders_are_refused():
    with pytest.raises(ValueError, match=r"network 'painn' takes ls from \(0, 1\), got \(0, 1, 2\)"):
        SMALL.but(ls=(0, 1, 2))
