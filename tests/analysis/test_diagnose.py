"""A stranger's network says which irreps it uses: some needed and some unused by construction."""

import numpy as np
import pytest
import torch
from e3nn import o3
from torch import nn

from equinotes import RunConfig, diagnose
from equinotes.analysis.features import untrained
from equinotes.networks.adapted import Adapted

IRREPS = "3x0e+2x1o+2x0e+2x2e"


class Theirs(nn.Module):
    """Two e3nn layers that know no Batch. The second one reads vectors alone; of the first, 1o and 2e can lead there, but the
    weights out of 2e are zero.
    """

    def __init__(self):
        super().__init__()
        sh = o3.Irreps("1x0e+1x1o+1x2e")
        self.first = nn.Sequential(o3.Linear(f"10x0e + {sh}", IRREPS))
        self.second = o3.FullyConnectedTensorProduct(IRREPS, sh, "2x0e+2x1o")
        self.last = o3.FullyConnectedTensorProduct("2x0e+2x1o", "2x0e+2x1o", "1x0e")
        with torch.no_grad():
            for step, weight in zip(self.second.instructions, self.second.weight_views(), strict=True):
                if step.i_in1 == 3:
                    weight.zero_()
            for step, weight in zip(self.last.instructions, self.last.weight_views(), strict=True):
                if step.i_in1 == 0 or step.i_in2 == 0:
                    weight.zero_()

    def forward(self, pos, z, edges, molecule, count):
        source, target = edges
        sh = o3.spherical_harmonics([0, 1, 2], pos[source] - pos[target], True, "component")
        messages = torch.cat([nn.functional.one_hot(z, 10).to(sh)[source], sh], dim=1)
        x = self.first(messages.new_zeros(len(z), messages.shape[1]).index_add(0, target, messages))
        x = self.second(x[source], sh)
        x = x.new_zeros(len(z), x.shape[1]).index_add(0, target, x)
        self.seen = x
        energy = self.last(x, x)[:, 0]
        return energy.new_zeros(count).index_add(0, molecule, energy)


def call(module, batch):
    return module(batch.pos, batch.z, batch.edge_index, batch.molecule, batch.num_molecules)


@pytest.fixture
def theirs():
    torch.manual_seed(0)
    return Theirs()


@pytest.fixture
def batch(qm9):
    return qm9.batch(range(2000, 2012))


def test_a_strangers_network_says_which_orders_it_uses(theirs, batch):
    table = diagnose(theirs, batch, layers={"first": IRREPS}, call=call)
    table = table.set_index("irrep")
    assert list(table.index) == ["0e", "1o", "2e"]
    assert list(table["channels"]) == [5, 2, 2]
    np.testing.assert_allclose(table["norm_share"].sum(), 1)
    np.testing.assert_allclose(table["gradient_share"].sum(), 1)
    assert list(table["reaches"]) == [True, True, False]
    assert table.loc["2e", ["gradient_share", "change", "change_sd"]].tolist() == [0, 0, 0]
    assert table.loc["2e", "norm_share"] > 0.01, "what is there need not be used"
    assert (table.loc[["0e", "1o"], "change"] > 0.01 * table["change"].max()).all()
    assert (table.loc[["0e", "1o"], "change_sd"] > 0).all()


def test_layers_are_told_apart_and_a_needed_order_stands_out(theirs, batch):
    layers = {"first": IRREPS, "second": "2x0e+2x1o"}
    # the second submodule puts out edges, not atoms, and is one of those that hooks can still spoil
    table = diagnose(theirs, batch, layers=layers, call=call, mode="zero", draws=1).set_index(["layer", "irrep"])
    assert table["change_sd"].isna().all(), "one draw has no spread"
    assert not table.loc[("second", "0e"), "reaches"]
    assert table.loc[("second", "0e"), "change"] == 0
    whole = call(theirs, batch).detach().numpy()
    np.testing.assert_allclose(table.loc[("second", "1o"), "change"], np.abs(whole).mean(), rtol=1e-5)  # nothing is left
    np.testing.assert_allclose(table.loc[("second", "1o"), "change_of_spread"], np.abs(whole).mean() / whole.std(), rtol=1e-5)


def test_the_adapter_leaves_the_module_as_it_was(theirs, batch):
    net = Adapted(theirs, {"first": IRREPS}, call)
    before = call(theirs, batch)
    torch.testing.assert_close(net(batch), before.double())
    layer = net.features(batch)[0]
    assert layer.irreps == "5x0e+2x1o+2x2e"
    unpacked = net.packings[0].join(net.packings[0].split(theirs.first(torch.eye(19))))
    torch.testing.assert_close(unpacked, theirs.first(torch.eye(19)))
    net(batch, edit=lambda k, parts: {"1o": 0 * parts["1o"]})
    torch.testing.assert_close(call(theirs, batch), before)
    assert not any(module._forward_hooks for module in theirs.modules())


@pytest.mark.parametrize(
    ("layers", "how", "message"),
    [
        ({"frist": IRREPS}, call, "unknown submodule 'frist'; did you mean 'first'"),
        ({}, call, "layers must name a submodule at least"),
        ({"first": "3x0q"}, call, "layers: first must have irreps such as .*, got '3x0q'"),
        ({"first": IRREPS}, None, r"module\(batch\) failed .*; give call"),
        ({"first": "3x0e"}, call, r"first must put out \[atoms, 3\] for 3x0e, got \("),
        ({"first": IRREPS}, lambda module, batch: torch.zeros(3), r"must give \[molecules\] or .*, got \(3,\)"),
        ({"first": IRREPS}, lambda module, batch: torch.zeros(len(batch.rows)), "called once for each batch, but was called 0"),
        (None, call, "a torch module needs layers="),
    ],
)
def test_what_does_not_fit_is_named(theirs, batch, layers, how, message):
    with pytest.raises(ValueError, match=message):
        diagnose(theirs, batch, layers=layers, call=how)


def test_shuffling_among_like_atoms_does_less_and_spares_what_the_element_decides(theirs, batch):
    whole, like = (diagnose(theirs, batch, layers={"first": IRREPS}, call=call, mode=mode) for mode in ("shuffle", "conditional"))
    assert list(like["reaches"]) == [True, True, False]
    assert like["change"][2] == 0
    assert 0 < like["change"][0] < whole["change"][0]


def test_an_unknown_way_to_spoil_is_named(theirs, batch):
    with pytest.raises(ValueError, match="mode must be one of 'zero', 'shuffle', 'direction', 'conditional', got 'burn'"):
        diagnose(theirs, batch, layers={"first": IRREPS}, call=call, mode="burn")


@pytest.mark.parametrize("network", ["paper", "nequip"])
def test_our_networks_are_diagnosed_by_the_same_call(network, qm9):
    config = RunConfig.preset("smoke", network=network, ls=(0, 1, 2), num_blocks=3)
    table = diagnose(untrained(config, qm9), np.arange(2000, 2010)).set_index(["layer", "irrep"])
    dead = table[~table["reaches"]]
    assert list(dead.index) == ([("block3", "1o"), ("block3", "2e")] if network == "paper" else [])
    assert (dead["change"] == 0).all() and (dead["gradient_share"] == 0).all()
    assert (table[table["reaches"]]["change"] > 0).all()


@pytest.mark.parametrize("mode", ["shuffle", "conditional", "zero"])
def test_what_degrees_do_through_the_attention_stands_below_the_layers(mode, qm9):
    """Queries of degree 2 are silenced in the second layer: there it adds nothing to the logits, and spoiling it does nothing."""
    net = untrained(RunConfig.preset("smoke", network="se3_transformer", ls=(0, 1, 2), num_blocks=2), qm9)
    with torch.no_grad():
        net.blocks[1].to_query.weights["2e"].zero_()
    batch = qm9.batch(range(2000, 2010))
    table = diagnose(net, batch, mode=mode, draws=2)
    sides = table[table["side"]].set_index(["layer", "irrep"])
    assert list(sides.index) == [("attention1", "0e"), *(("attention2", irrep) for irrep in ("0e", "1e", "2e"))]
    assert (sides["channels"] == net.config.heads).all() and not table["side"][: len(net.layers) - 1].any()
    np.testing.assert_allclose(sides.groupby("layer")[["norm_share", "gradient_share"]].sum(), 1)
    silent, loud = sides.loc[("attention2", "2e")], sides.drop(index=[("attention2", "2e")])
    assert silent["norm_share"] == silent["gradient_share"] == silent["change"] == 0
    assert loud["reaches"].all() and (loud["change"] > 0).all()
    if mode == "zero":
        with torch.no_grad():
            whole = net(batch)
            with net.sides_edited(lambda name, parts: {"1e": 0 * parts["1e"]} if name == "attention2" else {}):
                expected = (net(batch) - whole).abs().mean()
        np.testing.assert_allclose(sides.loc[("attention2", "1e"), "change"], expected, rtol=1e-6)


def test_node_attributes_of_segnn_are_a_layer_that_edits_reach(qm9):
    net = untrained(RunConfig.preset("segnn", ls=(0, 1), mul=4, num_blocks=2, attribute_lmax=2), qm9)
    table = diagnose(net, np.arange(2000, 2010), draws=2).set_index(["layer", "irrep"])
    assert table.loc["attributes"].index.tolist() == ["0e", "1o", "2e"]
    assert (table.loc[[("attributes", "1o"), ("attributes", "2e")], "change"] > 0).all() and not table["side"].any()
