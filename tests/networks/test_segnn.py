"""SEGNN is the published one: its parameters, its attributes, what reaches the energy; and it learns."""

from dataclasses import replace

import pytest
import torch

from equinotes import RunConfig, build_network, embed, list_runs, train
from equinotes.analysis.ablation import edit_of, inference_ablation
from equinotes.analysis.diagnose import diagnose
from equinotes.analysis.features import predictor, reaching

SMALL = RunConfig.preset("segnn")


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_the_published_number_of_parameters():
    """What the authors' code prints for its QM9 command: 128 channels, weight-balanced to 36 of each order."""
    assert count(build_network(RunConfig(network="segnn", ls=(0, 1, 2), mul=36, num_blocks=7, graph="radius"))) == 1_033_525


def test_the_small_preset():
    assert count(build_network(SMALL)) == 23_785


@pytest.mark.parametrize("changes", [{}, {"ls": (0, 2), "graph": "bonds", "pooling": "sum"}, {"attribute_lmax": 1}], ids=str)
def test_the_fast_network_is_the_plain_e3nn_one_with_all_gradients(qm9, float64, changes):
    config = SMALL.but(**changes)
    batch = qm9.batch([3, 2021], graph=config.graph, cutoff=config.cutoff).to(dtype=float64)
    found = []
    for implementation in ("fast", "e3nn"):
        net = build_network(config, implementation)
        pos = batch.pos.clone().requires_grad_()
        energies = net.normalised(replace(batch, pos=pos))
        slopes = torch.autograd.grad(energies.square().sum(), [pos, *net.parameters()])
        found.append([energies, *slopes, *(layer.x for layer in net.features(batch))])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
    assert torch.isfinite(found[0][1]).all() and found[0][1].abs().max() > 1e-6


def test_attributes_of_an_atom_are_the_mean_of_its_edges_harmonics(qm9, float64):
    """Methane's hydrogens have one edge each; around its carbon the first moments of a tetrahedron vanish, the third do not."""
    methane = qm9.batch([0]).to(dtype=float64)
    net = build_network(SMALL)
    x = net.features(methane)[0].x
    carbon = x[methane.z == 6][0]
    torch.testing.assert_close(x[:, 0], torch.ones(5))
    assert carbon[1:9].abs().max() < 1e-2 and carbon[9:].norm() > 1
    for l, part in enumerate(x[methane.z == 1].split([1, 3, 5, 7], dim=1)):
        torch.testing.assert_close(part.square().sum(1), torch.full((4,), 2.0 * l + 1))


def test_features_of_every_order_are_there_before_any_message(qm9):
    layers = build_network(SMALL).features(qm9.batch([2021]))
    assert [layer.name for layer in layers] == ["attributes", "embedding", "block1", "block2", "block3", "scalars"]
    assert (layers[1].x[:, 8:].abs().max(dim=0).values > 1e-3).all()


def test_an_order_that_features_lack_comes_back_through_the_attributes(qm9):
    net, batch = build_network(SMALL), qm9.batch([2021, 3], graph="radius", cutoff=2.0)

    def taken_out(*layers):
        return net(batch, edit=lambda k, parts: {"1o": 0 * parts["1o"]} if k in layers else {})

    def sizes(*layers):
        seen = {}

        def edit(k, parts):
            seen[k] = float(parts["1o"].detach().abs().max()) if "1o" in parts else 0.0
            return {"1o": 0 * parts["1o"]} if k in layers else {}

        net(batch, edit=edit)
        return seen

    assert sizes(1)[2] > 1e-2, "block 1 makes vectors of scalars and attributes"
    assert sizes(0)[1] == 0, "the embedding has only the attributes to make vectors of"
    assert not torch.allclose(taken_out(0, 1, 2, 3, 4), taken_out(1, 2, 3, 4)), "the attributes act by themselves"


@pytest.mark.parametrize("layer", range(6))
def test_going_on_from_edited_features_is_the_edit(qm9, layer):
    net = build_network(SMALL)
    batch = qm9.batch([2021, 3])

    def half(k, parts):
        return {irrep: -0.5 * part for irrep, part in parts.items()} if k == layer else {}

    parts = net.split(layer, net._stream(batch)[layer])
    edited = net(batch, edit=half)
    torch.testing.assert_close(net.continued(batch, layer, half(layer, parts)), edited)
    assert not torch.allclose(edited, net(batch))


def test_every_irrep_reaches_the_energy():
    assert reaching(build_network(SMALL)) == {
        0: ["0e", "1o", "2e", "3o"],
        **{k: ["0e", "1o", "2e"] for k in range(1, 5)},
        5: ["0e"],
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pooling": "max"}, "network 'segnn' takes pooling from 'mean', 'sum', got 'max'"),
        ({"attribute_lmax": 0}, "reaches no features of l=1 with attribute_lmax=0"),
        ({"ls": (0, 4), "attribute_lmax": 3}, "reaches no features of l=4 with attribute_lmax=3"),
        ({"heads": 4}, "does not read heads, got heads=4; networks that read it: se3_transformer"),
        ({"attribute_lmax": -1}, "attribute_lmax must lie in 0 to 11"),
        ({"num_basis": 8}, "does not read num_basis"),
    ],
)
def test_what_it_cannot_take_is_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        SMALL.but(**changes)
    assert "\n" not in str(caught.value)


def test_orders_beyond_the_attributes_are_taken_where_products_reach_them():
    assert SMALL.but(ls=(0, 2, 4), attribute_lmax=2).lmax == 4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = SMALL.but(num_train=256, num_val=64, num_test=64, epochs=3, num_blocks=2, lr=5e-3, pooling="sum")
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"), progress=False)


def test_it_trains_and_is_examined_by_the_same_calls(run, qm9):
    assert run.metrics["val_mae_eV"].iloc[-1] < run.metrics["val_mae_eV"].iloc[0]
    assert list_runs(run.path.parent)["network"].tolist() == ["segnn"]
    rows = run.split.test[:16]
    layers = embed(run, rows)
    assert [(layer.name, layer.irreps) for layer in layers] == [layer[:2] for layer in run.network().layers]
    targets, irreps = qm9.targets["U0_atom"][rows], reaching(run)
    table = inference_ablation(predictor(run, rows), targets, irreps=irreps, layers=[0, 2], modes=["shuffle"], repeats=1)
    assert list(table["irrep"]) == ["0e", "1o", "2e", "3o", "0e", "1o", "2e"]
    assert (table["delta_mae_eV"][1:].abs() > 0).all() and table["delta_mae_eV"][0] == 0, "the scalar attribute is 1 everywhere"
    assert (predictor(run, rows)(edit=edit_of("zero", 0, "3o")) != predictor(run, rows)()).any()
    found = diagnose(run, rows[:4], draws=1)
    assert found["reaches"].all() and len(found) == 4 + 3 * 3 + 1
