"""What the comparison of networks runs, stores and measures."""

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from equinotes.audit import diagnostics
from equinotes.audit.diagnostics import diagnose
from equinotes.audit.protocol import steps
from equinotes.audit.protocols.networks import PROTOCOL, measures
from equinotes.audit.protocols.networks.runs import (
    CHANNELS,
    FIELDS,
    PARAMETERS,
    PLACES,
    PRODUCTS,
    SETS,
    TOLERANCE,
    WHOLE,
    Place,
    configuration,
)
from equinotes.audit.store import store
from equinotes.audit.tables import load_all
from equinotes.config import RunConfig
from equinotes.irreps import split_irreps
from equinotes.networks import build_network
from equinotes.training.loop import train


@pytest.mark.parametrize("ls", SETS, ids=str)
@pytest.mark.parametrize("network", FIELDS)
def test_all_networks_have_as_many_parameters(network, ls):
    net = build_network(configuration(Place(network), ls, 0))
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(PARAMETERS, rel=TOLERANCE)


@pytest.mark.parametrize("ls", [WHOLE, (0,)], ids=str)
@pytest.mark.parametrize("network", PRODUCTS)
def test_networks_with_products_have_as_many(network, ls):
    net = build_network(configuration(Place(network, body_order=3), ls, 0))
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(PARAMETERS, rel=TOLERANCE)


def test_every_comparison_has_equal_steps_and_its_seeds():
    configs = [config for some in PROTOCOL.experiments().values() for config in some]
    assert {steps(config) for config in configs} == {2000} and len({config.run_id for config in configs}) == len(configs)
    for place in PLACES:
        for ls in SETS if place.whole else (WHOLE, (0,)):
            ids = {configuration(place, ls, seed).run_id for seed in range(5)} & set(PROTOCOL.run_ids())
            hangs = place.whole and (place.target == "energy" or ls in (WHOLE, (0,)))
            assert len(ids) == (5 if hangs else 3), (place, ls)
    assert {config.run_id for config in PROTOCOL.subjects()} <= set(PROTOCOL.run_ids())


def test_networks_differ_in_nothing_but_themselves():
    """Data, steps, batches, averages and pooling are the same; graphs differ only between places."""
    for ls in SETS:
        configs = [configuration(Place(network), ls, 0).to_dict() for network in FIELDS]
        differing = {name for name in configs[0] if len({str(config[name]) for config in configs}) > 1}
        assert differing <= {"network", "mul", "lr", "num_blocks", "num_basis", "cutoff", "degree_norm", "heads", "pooling",
                             "attribute_lmax"}  # fmt: skip
    assert Counter(len(sets) for sets in CHANNELS.values()) == {4: len(FIELDS)}


def test_attributes_do_not_bring_back_what_features_lack():
    """SEGNN without l = 2 has no attribute of l = 2, and one without l = 1 has no path that an attribute of l = 1 could take."""
    assert configuration(Place("segnn"), (0, 1), 0).attribute_lmax == 1
    assert configuration(Place("segnn"), (0,), 0).attribute_lmax == 0
    net = build_network(configuration(Place("segnn"), (0, 2), 0).but(mul=4))
    assert {irrep: net.reaches("attributes", irrep) for irrep in ("0e", "1o", "2e", "3o")} == {
        "0e": True, "1o": False, "2e": True, "3o": False,
    }  # fmt: skip


def examine_here(waiting, examine, runs_dir, work, workers, progress):
    """In this process: test_store.py starts others, which import everything anew."""
    for task in waiting:
        diagnostics._examine_into(task, pickle.loads(pickle.dumps(examine)), runs_dir, work)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A version with two small runs of both targets, trained and examined: its tables."""
    sizes = {"mul": 4, "num_blocks": 2, "epochs": 1, "num_train": 48, "num_val": 20, "num_test": 24, "ls": (0, 1)}
    energy = configuration(Place("se3_transformer"), WHOLE, 0).but(**sizes)
    configs = {"energy": [energy], "anisotropy": [configuration(Place("segnn", "anisotropy"), WHOLE, 0).but(**sizes)]}
    protocol = replace(
        PROTOCOL, experiments=lambda: configs, scales=tuple(c for some in configs.values() for c in some),
        subjects=lambda: [c for some in configs.values() for c in some], examine=measures.examine,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("networks")
    for some in configs.values():
        for config in some:
            train(config, runs_dir=folder / "runs", device="cpu", progress=False)
    store(folder / "runs", folder / "tables", protocol=protocol, progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnostics, "_examine_all", examine_here)
        patch.setattr("torch.set_num_threads", lambda _: None)
        diagnose(folder / "runs", folder / "tables", protocol=protocol, work=folder / "work", workers=1, progress=False)
    return load_all(folder / "tables", protocol)


def test_errors_stand_in_the_unit_of_their_target(small):
    runs = small["runs"].set_index("network")
    for network, here, there in (("se3_transformer", "eV", "bohr3"), ("segnn", "bohr3", "eV")):
        assert runs.loc[network, f"average_mae_{here}"] > 0 and np.isnan(runs.loc[network, f"average_mae_{there}"])
        assert runs.loc[network, f"mae_{here}"] > 0 and np.isnan(runs.loc[network, f"mae_{there}"])
    assert {"qm9_index", "target_bohr3"} < set(small["predictions_anisotropy"])
    error = small["predictions_anisotropy"][runs.loc["segnn", "run_id"]] - small["predictions_anisotropy"]["target_bohr3"]
    assert error.abs().mean() == pytest.approx(runs.loc["segnn", "mae_bohr3"], rel=1e-4)
    baselines = small["baselines"]
    assert baselines[["mae_eV", "mae_bohr3"]].notna().sum().tolist() == [3, 3]


def test_every_place_where_an_order_acts_is_examined(small):
    runs = small["runs"].set_index("run_id")["network"]
    uses, reach = (small[name].assign(network=small[name]["run_id"].map(runs)) for name in ("uses", "reach"))
    assert set(uses[uses["network"] == "segnn"]["name"]) == {"attributes", "embedding", "block1", "block2", "scalars"}
    assert set(uses[uses["network"] == "se3_transformer"]["name"]) == {"block1", "block2", "convolution"}
    for table in (uses, reach):
        assert set(table["trained"]) == {True, False}
    cells = reach[reach["reaches"]][["run_id", "trained", "layer", "irrep"]].drop_duplicates()
    assert len(uses) == measures.DRAWS * len(cells) and np.isfinite(uses["damage"]).all()
    assert set(small["sides"]["side"]) == {"attention1", "attention2"}
    assert set(small["sides"].query("side == 'attention1'")["irrep"]) == {"0e"}, "first keys are of degree 0"


def test_attention_of_atoms_with_one_neighbour_is_one_and_no_choice(small):
    table = small["attention"]
    assert (table.query("ends == 'one'")["weight"] == 1).all() and table["entropy"].between(0, 1.0001).all()
    several = table.query("ends != 'one'")
    mean = (several["weight"] * several["edges"]).groupby([several["side"], several["trained"]]).sum()
    edges = several.groupby(["side", "trained"])["edges"].sum()
    np.testing.assert_allclose(mean / edges, 1, rtol=1e-4)  # weights into an atom add up to one
    assert set(table["trained"]) == {True, False}


def test_fitted_readouts_continue_from_every_layer_alike(qm9):
    """Own features go in, and the same prediction comes out, whatever layer they are put into."""
    config = RunConfig.from_dict(configuration(Place("segnn"), WHOLE, 0).to_dict() | {"mul": 4})
    net = build_network(config).eval()
    sample = measures.Sample(config, np.arange(10), np.arange(10, 25))
    predict = measures.with_fitted_readout(net, sample, np.arange(100, 180))
    whole = [
        predict(k, split_irreps(layer.x, layer.irreps)) for k, layer in enumerate(net.features(sample.batch)) if k in (0, 2, 4)
    ]
    np.testing.assert_allclose(whole[1], whole[0], rtol=1e-4)
    np.testing.assert_allclose(whole[2], whole[0], rtol=1e-4)
