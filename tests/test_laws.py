"""What must hold for every network: rotation, inversion, translation, order of atoms and edges, and independence of molecules."""

from dataclasses import replace

import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, build_network

ROWS = [3, 2021, 50_000]
NETWORKS = [
    {"ls": (0, 1, 2)},
    {"ls": (0, 1, 2), "gate": True, "graph": "radius"},
    {"ls": (0, 3, 4), "gate": True},
    {"ls": (0, 1, 2, 6), "graph": "radius", "last_block": "scalars"},
    {"network": "nequip", "ls": (0, 1, 2)},
    {"network": "nequip", "ls": (0, 1, 2), "parity": "all", "graph": "radius", "cutoff": 3.0, "num_blocks": 4},
    {"network": "nequip", "ls": (0, 2, 3), "parity": "all"},
    {"network": "segnn", "ls": (0, 1, 2), "graph": "radius", "cutoff": 2.5},
    {"network": "painn", "ls": (0, 1), "graph": "radius", "cutoff": 3.0},
    {"network": "segnn", "ls": (0, 2), "pooling": "sum", "attribute_lmax": 2},
    {"network": "se3_transformer", "ls": (0, 1, 2), "mul": 4},
    {"network": "se3_transformer", "ls": (0, 1, 3), "mul": 4, "graph": "radius", "cutoff": 3.0, "pooling": "max"},
]


@pytest.fixture(scope="module", params=["fast", "e3nn"])
def implementation(request):
    return request.param


@pytest.fixture(scope="module", params=NETWORKS, ids=str)
def built(request, implementation, qm9):
    """A network with a batch, once for all laws: building one takes longer than asking it."""
    if implementation == "e3nn" and request.param.get("network") == "painn":
        pytest.skip("PaiNN has no tensor products and one implementation")
    torch.set_default_dtype(torch.float64)
    try:
        net = build_network(RunConfig(**{"mul": 3, "num_blocks": 3, **request.param}), implementation)
    finally:
        torch.set_default_dtype(torch.float32)
    return net, qm9.batch(ROWS, graph=net.config.graph).to(dtype=torch.float64)


@pytest.fixture
def network_and_batch(built, float64):
    torch.manual_seed(0)
    return built


def assert_features_follow(net, batch, changed, change):
    """Every layer's features of the changed batch are the changed features, and there is something to change."""
    for layer, after in zip(net.features(batch), net.features(changed), strict=True):
        assert layer.x.abs().max() > 1e-3
        torch.testing.assert_close(after.x, change(layer), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sign", [1, -1], ids=["rotation", "rotation and inversion"])
def test_features_turn_with_the_molecule_and_energies_do_not(network_and_batch, sign):
    net, batch = network_and_batch
    if sign < 0 and not net.mirrored:
        pytest.skip("a law of networks that keep parity alone; the others are below")
    R = sign * o3.rand_matrix()
    torch.testing.assert_close(net(batch.rotated(R)), net(batch), rtol=1e-9, atol=1e-9)
    assert_features_follow(net, batch, batch.rotated(R), lambda layer: layer.x @ o3.Irreps(layer.irreps).D_from_matrix(R).T)


def test_a_network_says_whether_it_tells_mirror_images_apart(network_and_batch):
    net, batch = network_and_batch
    change = net(batch.rotated(-torch.eye(3))) - net(batch)
    assert (change.abs().max() < 1e-9) == net.mirrored
    assert net.mirrored or change.abs().max() > 1e-6


def test_gradients_with_respect_to_positions_are_finite_and_turn_with_the_molecule(network_and_batch):
    net, batch = network_and_batch
    R = o3.rand_matrix()

    def slope(some):
        pos = some.pos.clone().requires_grad_()
        # not of the first molecule: where symmetry makes atoms equal, they tie for the largest value
        return torch.autograd.grad(net.normalised(replace(some, pos=pos))[1:].sum(), pos)[0]

    assert torch.isfinite(slope(batch)).all() and slope(batch).abs().max() > 1e-8
    torch.testing.assert_close(slope(batch.rotated(R)), slope(batch) @ R.T, rtol=1e-8, atol=1e-9)


def test_translation_changes_nothing(network_and_batch):
    net, batch = network_and_batch
    moved = replace(batch, pos=batch.pos + torch.tensor([10.0, -20.0, 5.0]))
    torch.testing.assert_close(net(moved), net(batch), rtol=1e-9, atol=1e-9)
    assert_features_follow(net, batch, moved, lambda layer: layer.x)


def test_the_order_of_atoms_and_of_edges_does_not_matter(network_and_batch):
    net, batch = network_and_batch
    order = torch.cat([torch.randperm(int(n)) + int(k) for n, k in _extents(batch)])
    new_place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))
    bonds = torch.randperm(batch.edge_index.shape[1] // 2)
    edges = new_place[batch.edge_index][:, torch.cat([bonds, bonds + len(bonds)])]
    shuffled = replace(batch, pos=batch.pos[order], z=batch.z[order], edge_index=edges)
    torch.testing.assert_close(net(shuffled), net(batch), rtol=1e-9, atol=1e-9)
    assert_features_follow(net, batch, shuffled, lambda layer: layer.x[order])


def test_a_molecule_has_one_energy_alone_and_among_others(network_and_batch, qm9):
    net, batch = network_and_batch
    alone = [net(qm9.batch([row], graph=net.config.graph).to(dtype=torch.float64)) for row in ROWS]
    torch.testing.assert_close(torch.cat(alone), net(batch), rtol=1e-9, atol=1e-9)


def test_moving_one_atom_changes_the_energy_of_its_molecule_only(network_and_batch):
    net, batch = network_and_batch
    pos = batch.pos.clone()
    pos[0, 0] += 0.05
    changed = net(replace(batch, pos=pos)) - net(batch)
    assert changed[0].abs() > 1e-6
    assert not changed[1:].any()


def _extents(batch):
    """Number and first position of each molecule's atoms."""
    numbers = torch.bincount(batch.molecule)
    return zip(numbers, numbers.cumsum(0) - numbers, strict=True)
