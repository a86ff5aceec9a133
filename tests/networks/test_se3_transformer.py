"""The SE(3)-Transformer is the published one: its parameters, its attention, what reaches the energy; and it learns."""

from dataclasses import replace

import pytest
import torch

from equinotes import RunConfig, build_network, embed, invariants, list_runs, train
from equinotes.analysis.ablation import inference_ablation
from equinotes.analysis.diagnose import diagnose
from equinotes.analysis.features import predictor, reaching, weight_gradients
from equinotes.analysis.gradients import dead_weights

SMALL = RunConfig.preset("se3_transformer")
PUBLISHED = RunConfig(
    network="se3_transformer", ls=(0, 1, 2, 3), mul=32, num_blocks=7, num_basis=4, heads=8, channels_div=2, pooling="max"
)


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_the_published_number_of_parameters():
    """The published code, layer by layer: 7 layers, degrees 0-3, 32 channels, half of them in values and keys, 6 numbers of an
    atom, 5 of an edge. It prints no number; fused as far as it can be, it has one radial network in layers 2 to 7, as here,
    but one for each of the 4 degrees in the first. Fused by output degree alone, as it is on most processors, it has 4 in all 7.
    """
    degrees, mul, value, atom, edge = 4, 32, 16, 6, 5
    radial = (edge * 32 + 32) + 2 * 32 + (32 * 32 + 32) + 2 * 32
    filters = sum(2 * min(k, l) + 1 for k in range(degrees) for l in range(degrees))  # every J in |k-l|..k+l
    first = 32 * atom * (degrees * value + value) + atom * value + ((value + atom) + 3 * value) * mul
    inner = 32 * filters * mul * 2 * value + degrees * (mul * value + (value + mul) * mul)
    norm = 2 * degrees * mul
    width = degrees * mul
    last = 32 * degrees * mul * width + mul * width + (width * width + width) + (width + 1)
    same = first + 6 * inner + 7 * norm + last
    assert count(build_network(PUBLISHED)) == same + 8 * radial == 9_275_425
    fused, by_degree = same + (4 + 6 + 1) * radial, same + (7 * 4 + 1) * radial
    assert (fused, by_degree) == (9_279_553, 9_304_321), "9.3 million"


def test_the_small_preset():
    assert count(build_network(SMALL)) == 106_729


@pytest.mark.parametrize("changes", [{}, {"ls": (0, 2), "graph": "radius", "cutoff": 3.0, "pooling": "max"}], ids=str)
def test_the_fast_network_is_the_plain_e3nn_one_with_all_gradients(qm9, float64, changes):
    config = SMALL.but(**changes)  # molecules without symmetry: equal atoms would tie for the largest value
    batch = qm9.batch([50_000, 2021], graph=config.graph, cutoff=config.cutoff).to(dtype=float64)
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


def test_layers_and_sides():
    net = build_network(SMALL)
    hidden = "8x0e+8x1e+8x2e"
    assert [layer.irreps for layer in net.layers] == ["6x0e", hidden, hidden, hidden, "24x0e"]
    assert [side.irreps for side in net.sides] == [("0e",), ("0e", "1e", "2e"), ("0e", "1e", "2e")]


def test_every_degree_behind_the_last_attention_layer_reaches_the_energy():
    net = build_network(SMALL)
    assert all(net.reaches(layer, ir) for layer in (1, 2, 3) for ir in ("0e", "1e", "2e"))


def test_attention_adds_up_to_one_and_leaves_no_choice_to_atoms_with_one_bond(qm9):
    batch = qm9.batch([2021, 3])
    target = batch.edge_index[1]
    degree = torch.bincount(target)
    for weights in build_network(SMALL).attention(batch).values():
        sums = torch.zeros(len(batch.z), 2).index_add(0, target, weights)
        torch.testing.assert_close(sums, torch.ones_like(sums))
        single = degree[target] == 1
        assert (weights[single] == 1).all() and single.float().mean() > 0.1
        assert (weights[~single] - 1 / degree[target][~single, None]).abs().max() > 1e-3, "others are free to choose"


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
def test_edits_reach_the_logits_of_one_degree(qm9, implementation):
    net, batch = build_network(SMALL, implementation), qm9.batch([2021, 3])
    whole = net(batch)
    with net.sides_edited(lambda name, parts: {}):
        torch.testing.assert_close(net(batch), whole)

    def without(degree, where):
        return lambda name, parts: {degree: 0 * parts[degree]} if name == where else {}

    for degree in ("0e", "1e", "2e"):
        with net.sides_edited(without(degree, "attention2")):
            assert not torch.equal(net(batch), whole)
            assert not net.side_parts(batch)["attention2"]["0e"].isnan().any()
    torch.testing.assert_close(net(batch), whole)
    with net.sides_edited(lambda name, parts: {ir: 0 * part for ir, part in parts.items()}):
        uniform = net(batch)
    assert not torch.equal(uniform, whole)


def test_replaced_logits_are_those_of_the_edges_of_the_batch(qm9):
    """Adding a constant to all logits into one atom changes nothing; to those of one of its edges, it does."""
    net, batch = build_network(SMALL), qm9.batch([2021])
    whole, target = net.normalised(batch), batch.edge_index[1]
    atom = int(torch.bincount(target).argmax())
    into = torch.where(target == atom)[0]

    def raised(edges):
        def edit(name, parts):
            return {"0e": parts["0e"].index_add(0, edges, torch.ones(len(edges), *parts["0e"].shape[1:]))}

        with net.sides_edited(edit):
            return net.normalised(batch)

    torch.testing.assert_close(raised(into), whole, rtol=1e-5, atol=1e-6)
    assert (raised(into[:1]) - whole).abs() > 1e-5


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_going_on_from_edited_features_is_the_edit(qm9, layer):
    net = build_network(SMALL)
    batch = qm9.batch([2021, 3])

    def half(k, parts):
        return {irrep: -0.5 * part for irrep, part in parts.items()} if k == layer else {}

    parts = net.split(layer, net._stream(batch)[layer])
    edited = net(batch, edit=half)
    torch.testing.assert_close(net.continued(batch, layer, half(layer, parts)), edited)
    assert not torch.allclose(edited, net(batch))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mul": 6}, r"needs a mul that channels_div times heads divides, got mul=6, channels_div=2, heads=2"),
        ({"ls": (0, 6)}, r"takes ls up to 5, for harmonics go up to twice that, got ls=\(0, 6\)"),
        ({"gate": True}, "does not read gate"),
        ({"attribute_lmax": 2}, "does not read attribute_lmax, got attribute_lmax=2; networks that read it: segnn"),
        ({"heads": 0}, "heads must be at least 1, got 0"),
        ({"pooling": "median"}, "pooling"),
    ],
)
def test_what_it_cannot_take_is_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        SMALL.but(**changes)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = SMALL.but(num_train=256, num_val=64, num_test=64, epochs=3, num_blocks=2, lr=5e-3, pooling="sum")
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"), progress=False)


def test_it_trains_and_is_examined_by_the_same_calls(run, qm9):
    assert run.metrics["val_mae_eV"].iloc[-1] < run.metrics["val_mae_eV"].iloc[0]
    assert list_runs(run.path.parent)["network"].tolist() == ["se3_transformer"]
    rows = run.split.test[:16]
    layers = embed(run, rows)
    assert [(layer.name, layer.irreps) for layer in layers] == [layer[:2] for layer in run.network().layers]
    assert set(invariants(layers[2].x, layers[2].irreps)) == {"0e", "1e", "2e"}
    irreps = reaching(run)
    assert irreps == {1: ["0e", "1e", "2e"], 2: ["0e", "1e", "2e"], 3: ["0e"]}
    table = inference_ablation(predictor(run, rows), qm9.targets["U0_atom"][rows], irreps=irreps, layers=[1], repeats=1)
    assert (table["delta_mae_eV"].abs() > 0).all()
    found = diagnose(run, rows[:4], draws=1)
    assert found["reaches"].all() and (~found["side"]).sum() == 7
    weights = dead_weights(weight_gradients(run, rows))
    assert weights["weights"].sum() == 32 * (6 * 4 * 4 + 19 * 8 * 8 + 3 * 8 * 24)
