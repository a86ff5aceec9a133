"""NequIP is the paper's: its irreps by layer, both implementations alike, smooth at the cutoff, and it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, build_network, embed, invariants, list_runs, train
from equinotes.analysis.ablation import inference_ablation
from equinotes.analysis.features import feature_gradients, predictor, reaching, weight_gradients
from equinotes.analysis.gradients import dead_weights, gradient_shares
from equinotes.analysis.probes import probe_table
from equinotes.figures.ablation import plot_dead_weights, plot_gradient_flow, plot_inference_ablation

SMALL = RunConfig(network="nequip", ls=(0, 1, 2), mul=4, num_blocks=3, num_basis=8, cutoff=5.0, graph="radius")
PARITIES = ["natural", "all"]


@pytest.mark.parametrize("parity", PARITIES)
@pytest.mark.parametrize("graph", ["bonds", "radius"])
@pytest.mark.parametrize("ls", [(0,), (0, 1, 2), (0, 2, 3)], ids=str)
def test_the_fast_network_is_the_plain_e3nn_one_with_all_gradients(qm9, float64, ls, graph, parity):
    config = SMALL.but(ls=ls, graph=graph, parity=parity)
    batch = qm9.batch([3, 2021], graph=graph, cutoff=5.0).to(dtype=float64)
    found = []
    for implementation in ("fast", "e3nn"):
        net = build_network(config, implementation)
        pos = batch.pos.clone().requires_grad_()
        energies = net.normalised(replace(batch, pos=pos))
        slopes = torch.autograd.grad(energies.square().sum(), [pos, *net.parameters()], create_graph=True)
        (second,) = torch.autograd.grad(slopes[0].square().sum(), pos)
        found.append([energies, *slopes, second, *(layer.x for layer in net.features(batch))])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
    assert found[0][1].abs().max() > 1e-6, "positions have a gradient"


def test_both_implementations_have_the_same_state():
    fast, plain = (build_network(SMALL, implementation).state_dict() for implementation in ("fast", "e3nn"))
    assert list(fast) == list(plain)
    assert all(torch.equal(fast[name], plain[name]) for name in fast)


def test_layers_have_the_irreps_that_paths_reach():
    natural = build_network(SMALL)
    assert [layer.irreps for layer in natural.layers] == ["4x0e", "4x0e+4x1o+4x2e", "4x0e+4x1o+4x2e", "4x0e"]
    every = build_network(SMALL.but(parity="all", num_blocks=4))
    both = "4x0e+4x0o+4x1o+4x1e+4x2e+4x2o"  # 0o takes three products: 1o x 1o -> 1e, 1e x 1o -> 0o
    assert [layer.irreps for layer in every.layers] == ["4x0e", "4x0e+4x1o+4x2e", both.replace("4x0o+", ""), both, "4x0e"]


@pytest.mark.parametrize("parity", PARITIES)
def test_every_irrep_before_the_last_layer_reaches_the_energy(parity):
    net = build_network(SMALL.but(parity=parity, num_blocks=4))
    last = len(net.layers) - 1
    for k, layer in enumerate(net.layers):
        for _, ir in o3.Irreps(layer.irreps):
            # a pseudoscalar of the layer before the last one has no path to 0e: 0o x l gives odd irreps of l alone
            assert net.reaches(k, str(ir)) == (k < last - 1 or ir.p == (-1) ** ir.l), (layer, ir)


def test_a_neighbour_at_the_cutoff_leaves_without_a_jump(qm9, float64):
    net = build_network(SMALL.but(cutoff=3.0))
    water = qm9.batch([2], graph="radius", cutoff=3.0).to(dtype=float64)

    def energy(distance, cutoff):
        pos = torch.tensor([[0.0, 0, 0], [0, 0, 0.96], [distance, 0, 0]])
        edges = [(i, j) for i in range(3) for j in range(i + 1, 3) if (pos[i] - pos[j]).norm() < cutoff]
        forward = torch.tensor(edges).T
        edge_index = torch.cat([forward, forward.flip(0)], dim=1)
        return net.normalised(replace(water, pos=pos, edge_index=edge_index))

    eps = 1e-4
    torch.testing.assert_close(energy(3.0 - eps, 3.0), energy(3.0 + eps, 3.0), rtol=0, atol=1e-9)
    assert (energy(2.0, 3.0) - energy(2.1, 3.0)).abs() > 1e-5


def test_an_element_outside_qm9_stops(qm9):
    batch = qm9.batch([2])
    with pytest.raises(IndexError):
        build_network(SMALL)(replace(batch, z=torch.tensor([16, 1, 1])))
    with pytest.raises(IndexError):
        build_network(SMALL)(replace(batch, z=torch.tensor([5, 1, 1])))


@pytest.mark.parametrize("implementation", ["fast", "e3nn"])
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_going_on_from_edited_features_is_the_edit(qm9, implementation, layer):
    net = build_network(SMALL.but(parity="all"), implementation)
    batch = qm9.batch([2021, 3], graph="radius")

    def half(k, parts):
        return {irrep: -0.5 * part for irrep, part in parts.items()} if k == layer else {}

    parts = net.split(layer, net.features(batch)[layer].x)
    edited = net(batch, edit=half)
    torch.testing.assert_close(net.continued(batch, layer, half(layer, parts)), edited)
    assert not torch.allclose(edited, net(batch))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    changes = {"num_train": 256, "num_val": 64, "num_test": 64, "epochs": 4, "mul": 8, "graph": "bonds", "lr": 1e-2}
    config = RunConfig.preset("nequip", auxiliary=("dipole",), **changes)
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"), progress=False)


def test_it_trains_and_is_listed_by_its_name(run):
    assert run.metrics["val_mae_eV"].iloc[-1] < 0.8 * run.metrics["val_mae_eV"].iloc[0]
    table = list_runs(run.path.parent)
    assert table[["network", "parity", "complete"]].values.tolist() == [["nequip", "natural", True]]


def test_it_is_embedded_ablated_and_probed_by_the_same_calls(run, qm9):
    rows = run.split.test[:16]
    layers = embed(run, rows)
    assert [(layer.name, layer.irreps) for layer in layers] == [layer[:2] for layer in run.network().layers]
    irreps = reaching(run)
    assert irreps == {1: ["0e", "1o", "2e"], 2: ["0e", "1o", "2e"], 3: ["0e"]}
    table = inference_ablation(predictor(run, rows), qm9.targets["U0_atom"][rows], irreps=irreps, layers=[*irreps], repeats=2)
    assert len(table) == 8 + 8 + 2, "scalars have no direction to turn"
    assert (table["delta_mae_eV"].abs() > 1e-6).all()
    plot_inference_ablation(table)
    probes = probe_table(invariants(layers[2].x, layers[2].irreps), {"gap": qm9.targets["gap"][rows]}, folds=4)
    assert list(probes["features"]) == ["0e", "1o", "2e"]
    shares = gradient_shares(feature_gradients(run, rows))
    assert set(shares["layer"]) == {"block1", "block2", "block3"}
    np.testing.assert_allclose(shares.groupby("layer")["share"].sum(), 1)
    plot_gradient_flow(shares)
    weights = dead_weights(weight_gradients(run, rows))
    plot_dead_weights(weights)
    assert (weights["dead"] == 0).all(), "NequIP has no weights that lead nowhere"
    assert weights["weights"].sum() == 64 * 8 * (3 + 11 + 3)  # paths of the three blocks times hidden times channels
