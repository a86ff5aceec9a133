"""Rows of networks: rules, and the numbers of one from its runs."""

import numpy as np
import pytest

from equinotes import RunConfig, build_network
from equinotes.comparison import networks
from equinotes.comparison.confusions import PAIRS, ROUNDING
from equinotes.comparison.networks import NETWORKS, Trained
from equinotes.comparison.rows import ROWS, SEEDS
from equinotes.comparison.store import load, run
from equinotes.comparison.table import table
from equinotes.comparison.trained import network_confusions
from equinotes.runs.store import Run
from equinotes.support.files import read_json


def test_networks_have_about_as_many_parameters_and_the_same_molecules_and_steps():
    sizes = {name: sum(p.numel() for p in build_network(row.config).parameters()) for name, row in NETWORKS.items()}
    assert all(37_000 <= size <= 38_300 for size in sizes.values()), sizes
    assert len({sizes[name] for name in NETWORKS if name.startswith("frames")}) == 1
    same = ("target", "reference", "epochs", "batch_size", "num_train", "num_val", "num_test", "split_seed")
    assert all(len({getattr(row.config, field) for row in NETWORKS.values()}) == 1 for field in same)
    assert not set(NETWORKS) & set(ROWS)


@pytest.mark.parametrize(
    ("name", "blind", "sees"),
    [
        ("network_l0", ["bend", "square", "twist 3", "torsion"], []),
        ("network_vectors", ["square", "twist 3", "twist 5"], ["bend"]),
        ("painn", ["square", "twist 3", "twist 5"], ["bend"]),
        ("network_l2", ["twist 3", "twist 5"], ["bend", "square"]),
        ("frames_m0", ["torsion"], ["bend", "square", "same angles"]),
        ("frames_m1", [], ["bend", "square", "same angles", "torsion"]),
    ],
)
def test_what_a_network_sees_of_the_pairs_by_their_bonds(name, blind, sees):
    """Random weights say what is hidden from all weights; pairs that are seen differ by more than rounding."""
    found = network_confusions(name, build_network(NETWORKS[name].config)).set_index("pair")["difference"]
    assert max(found[pair] for pair in [*blind, "turned"]) < ROUNDING
    assert min([found[pair] for pair in sees], default=1) > 1e-7


def test_a_network_is_trained_measured_and_stored(qm9, tmp_path, monkeypatch):
    config = RunConfig.preset("smoke", num_train=32, num_val=16, num_test=16, epochs=1)
    monkeypatch.setitem(NETWORKS, "painn", Trained("small", config))
    monkeypatch.setattr(networks, "REFERENCE", "painn")
    monkeypatch.setattr("equinotes.comparison.trained.REFERENCE", "painn")
    run("painn", tmp_path, runs_dir=tmp_path / "runs", progress=False)
    tables = load(tmp_path)
    (row,) = table(tables, NETWORKS).to_dict("records")
    assert row["cost"] == 1 and row["turned_eV"] < 1e-9 and row["tops_eV"] < 0.1
    each = [Run(tmp_path / "runs" / config.but(seed=seed).run_id) for seed in SEEDS]
    assert row["mae_eV"] == pytest.approx(np.mean([one.errors["mae_eV"] for one in each]))
    assert not len(table(tables, ROWS)) and set(tables["confusions"]["pair"]) == set(PAIRS)
    assert set(read_json(tmp_path / "provenance.json")["painn"]["runs"]) == {one.run_id for one in each}
