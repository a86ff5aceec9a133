"""Networks with many-body products: laws of the whole, and what their products change."""

from dataclasses import replace

import pytest
import torch
from e3nn import o3

from equinotes.config import RunConfig
from equinotes.networks import build_network
from equinotes.networks.base import generic_molecule

BASE = {"ls": (0, 1, 2), "mul": 4, "num_blocks": 2}


def network(name, body_order, implementation="fast", **fields):
    config = RunConfig(network=name, body_order=body_order, **{**BASE, **fields})
    net = build_network(config, implementation).double()
    torch.manual_seed(1)
    for product in net.products:
        for mix in product.mixes:
            torch.nn.init.normal_(mix, std=0.3)
    return net


def molecule():
    return generic_molecule(torch.zeros(1, dtype=torch.float64))


@pytest.mark.parametrize("body_order", [3, 4])
@pytest.mark.parametrize("name", ["paper", "nequip"])
def test_energies_do_not_turn_and_do_not_see_mirror_images(name, body_order):
    net, batch = network(name, body_order), molecule()
    energy = net(batch)
    turned = replace(batch, pos=batch.pos @ -o3.rand_matrix(dtype=torch.float64) + 1)
    torch.testing.assert_close(net(turned), energy, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["paper", "nequip"])
def test_both_implementations_agree(name):
    fast, plain = network(name, 4), network(name, 4, "e3nn")
    assert fast.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(fast(molecule()), plain(molecule()), rtol=1e-9, atol=1e-9)


def test_products_let_the_last_block_use_orders_that_it_otherwise_wastes():
    """The last convolution's l > 0 reach the energy through squares; without products its gradients there are zero."""
    used = {}
    for body_order in (2, 3):
        net = network("paper", body_order)
        net.all_outputs = True
        net(molecule()).sum().backward()
        where = [path.where for path in net.block_paths() if path.block == 2 and path.l3 > 0]
        used[body_order] = any(bool(net.path_weight(2).grad[:, some].any()) for some in where)
    assert used == {2: False, 3: True}
    assert network("paper", 2).affine and not network("paper", 3).affine


@pytest.mark.parametrize("name", ["paper", "nequip"])
def test_products_change_energies_once_they_are_trained_and_not_before(name):
    config = RunConfig(network=name, body_order=4, **BASE)
    fresh, plain = build_network(config).double(), build_network(config.but(body_order=2)).double()
    fresh.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(fresh(molecule()), plain(molecule()), rtol=1e-12, atol=1e-12)
    assert (network(name, 4)(molecule()) - plain(molecule())).abs().max() > 1e-3


def test_two_bodies_are_the_default_and_change_no_name_or_weight():
    config = RunConfig(**BASE)
    assert config.but(body_order=2).run_id == config.run_id != config.but(body_order=3).run_id
    plain, other = build_network(config), build_network(config.but(body_order=3))
    shared = plain.state_dict()
    assert set(shared) < set(other.state_dict())
    assert all(torch.equal(shared[name], other.state_dict()[name]) for name in shared if name.startswith(("blocks", "embedding")))


@pytest.mark.parametrize("name", ["se3_transformer", "segnn"])
def test_networks_without_products_refuse_them(name):
    with pytest.raises(ValueError, match=rf"network '{name}' does not read body_order, got body_order=3; .*: paper, nequip"):
        RunConfig(network=name, mul=4, body_order=3)


@pytest.mark.parametrize("value", [1, 5])
def test_other_body_orders_are_refused(value):
    with pytest.raises(ValueError, match="body_order must lie in 2 to 4"):
        RunConfig(body_order=value)


def test_a_curriculum_and_products_are_refused_together():
    with pytest.raises(ValueError, match="no curriculum with many-body products, got curriculum='rising', body_order=3"):
        RunConfig(curriculum="rising", body_order=3)
