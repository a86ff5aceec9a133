"""The run store: names, units, and what it says about folders that are not whole runs."""

import json

import numpy as np
import pytest

from equinotes import RunConfig, list_runs, load_run, train
from equinotes.runs.store import absolute_errors, error_statistics, gather_metrics

SMOKE = RunConfig.preset("smoke")


def test_error_statistics_by_hand():
    found = error_statistics(np.array([0.0, 0.0, 0.0]), np.array([1.0, -2.0, 3.0]), "eV")
    assert found == pytest.approx({"mae_eV": 2.0, "mse_eV2": 14 / 3, "rmse_eV": (14 / 3) ** 0.5})


def test_sums_of_energies_are_in_double_precision():
    target = np.full(1_000_000, -76.0)
    assert error_statistics(target, (target + 1e-3).astype(np.float32), "eV")["mae_eV"] == pytest.approx(1e-3, rel=1e-2)


def test_every_field_of_the_configuration_changes_the_name(monkeypatch):
    changes = dict(
        target="gap", auxiliary=["alpha"], reference="mean", ls=[0, 1], mul=8, num_blocks=3, atom_dim=8, num_basis=5, cutoff=5.0,
        graph="radius", degree_norm=1.0, gate=True, last_block="scalars", epochs=2, batch_size=4, lr=0.1, weight_decay=0.1,
        num_train=7, num_val=7, num_test=7, split_seed=1, seed=1, network="nequip", schedule="cosine", average=0.9,
        terms=["two"], term_weights=[2.0], parity="all", heads=4, channels_div=4, pooling="max", attribute_lmax=2,
        radial="gaussian", body_order=3, m_max=0,
        skips="none", curriculum="rising", pretrain_epochs=2, reinitialise="all",
    )  # fmt: skip
    monkeypatch.setattr("equinotes.training.terms.TERMS", {"one": "", "two": ""})
    base = RunConfig(terms=("one",), term_weights=(1.0,), pretrain_epochs=1)
    assert changes.keys() == base.to_dict().keys()
    reader = {"parity": "nequip", "heads": "se3_transformer", "channels_div": "se3_transformer",
              "pooling": "se3_transformer", "attribute_lmax": "segnn"}  # fmt: skip
    names = {base.run_id}
    for field, value in changes.items():  # the paper's network does not read the last ones
        network = {"network": reader[field]} if field in reader else {}
        names |= {base.but(**network).run_id, base.but(**network, **{field: value}).run_id}
    assert len(names) == 1 + len(changes) + len(set(reader.values()) - {changes["network"]})


def test_list_and_load_name_what_is_there(tmp_path, qm9):
    run = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    dipole = train(SMOKE.but(target="alpha"), device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    table = list_runs(tmp_path).set_index("run_id")
    assert table.loc[run.run_id, "test_mae_eV"] == run.errors["mae_eV"]
    assert table.loc[dipole.run_id, "test_mse_bohr3_squared"] == dipole.errors["mse_bohr3_squared"]
    assert np.isnan(table.loc[dipole.run_id, "test_mae_eV"])
    assert table.loc[run.run_id, "ls"] == (0, 1) and table.loc[run.run_id, "lmax"] == 1
    assert load_run(run.run_id, tmp_path).config == load_run(run.path).config == SMOKE


def test_runs_are_compared_on_the_molecules_that_they_share(tmp_path, qm9):
    runs = [train(SMOKE.but(seed=seed), device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9) for seed in (0, 1)]
    errors = absolute_errors(runs)
    assert errors.shape == (2, SMOKE.num_test)
    np.testing.assert_allclose(errors.mean(axis=1), [run.errors["mae_eV"] for run in runs])
    table = gather_metrics(runs)
    assert table.groupby("seed")["epoch"].max().to_dict() == {0: 2, 1: 2}
    other = train(SMOKE.but(split_seed=1), device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    with pytest.raises(ValueError, match="not tested on the same"):
        absolute_errors([runs[0], other])


def test_folders_that_are_not_whole_runs_are_listed_as_what_they_are(tmp_path):
    for name, text in {"cut": '{"ls": [0,', "foreign": json.dumps({"lmax": 3})}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text(json.dumps(SMOKE.to_dict()))
    assert list_runs(tmp_path).set_index("run_id")["status"].to_dict() == {
        "begun": "unfinished",
        "cut": "damaged",
        "foreign": "damaged",
    }
    with pytest.raises(ValueError, match=r"run cut cannot be read: .*config.json is damaged"):
        _ = load_run("cut", tmp_path).config
    with pytest.raises(ValueError, match="unfinished; train"):
        _ = load_run("begun", tmp_path).metrics


def test_an_unknown_run_names_the_nearest(tmp_path):
    with pytest.raises(FileNotFoundError, match="no runs in"):
        load_run("x", tmp_path)
    (tmp_path / SMOKE.run_id).mkdir()
    (tmp_path / SMOKE.run_id / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=f"did you mean '{SMOKE.run_id}'"):
        load_run(SMOKE.run_id[:-1], tmp_path)


def test_no_runs_is_an_empty_table(tmp_path):
    assert list_runs(tmp_path / "nowhere").empty


def test_a_run_whose_weights_lie_elsewhere_still_has_its_tables(tmp_path, qm9):
    run = train(SMOKE.but(average=0.9), device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    errors = run.errors
    (run.path / "model.safetensors").unlink()
    copy = load_run(run.path)
    assert copy.status == "tables only" and copy.tabled and not copy.complete
    assert copy.errors == errors and len(copy.metrics) == SMOKE.epochs
    copy.network(average=True)
    with pytest.raises(ValueError, match="tables only"):
        copy.network()
    (run.path / "predictions.parquet").write_bytes(b"cut")
    assert load_run(run.path).status == "damaged" and not load_run(run.path).tabled
