"""From run folders to stored tables, and to diagnostics of the networks: nothing lost, nothing done twice, nothing made up."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from equinotes import RunConfig, train
from equinotes.analysis.ablation import inference_ablation
from equinotes.analysis.features import predictor, untrained
from equinotes.audit import diagnostics, examination
from equinotes.audit.diagnostics import Task, diagnose, gather, tasks
from equinotes.audit.protocol import Protocol, named
from equinotes.audit.protocols.first import runs as first
from equinotes.audit.store import state, store
from equinotes.audit.tables import DIAGNOSTICS, load
from equinotes.training.prediction import predict

SMOKE = RunConfig.preset("smoke", num_blocks=3)
TABLE = [SMOKE.but(seed=seed) for seed in (0, 1)]
FULL = [SMOKE.but(ls=(0, 1, 2), num_test=24)]


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory, qm9):
    folder = tmp_path_factory.mktemp("runs")
    for config in [*TABLE, *FULL]:
        train(config, device="cpu", runs_dir=folder, progress=False, qm9=qm9)
    return folder


SMALL = Protocol(
    name="small",
    experiments=lambda: {"table": TABLE, "full": FULL},
    judge=lambda tables: pd.DataFrame(),
    apart=("full",),
    scales=(RunConfig(num_train=2000), RunConfig(num_train=1000)),
    subjects=lambda: TABLE,
)
"""A protocol of three little runs."""


def test_every_complete_run_is_stored(runs_dir, tmp_path):
    (tmp_path / "runs" / "not-in-the-protocol").mkdir(parents=True)
    shutil.copytree(runs_dir, tmp_path / "runs", dirs_exist_ok=True)
    table = store(tmp_path / "runs", tmp_path / "out", protocol=SMALL, progress=False)
    assert table.to_dict("list") == {"experiment": ["table", "full"], "planned": [2, 1], "stored": [2, 1]}
    runs, metrics = load("runs", tmp_path / "out"), load("metrics", tmp_path / "out")
    assert runs["run_id"].tolist() == [config.run_id for config in [*TABLE, *FULL]]
    assert runs["experiment"].tolist() == ["table", "table", "full"] and runs["ls"].tolist() == [(0, 1), (0, 1), (0, 1, 2)]
    known = json.loads((runs_dir / TABLE[0].run_id / "provenance.json").read_text())
    assert runs["parameters"][0] == known["parameters"] and runs["version_torch"][0] == known["versions"]["torch"]
    assert metrics.groupby("run_id").size().tolist() == [2, 2, 2]
    predictions, full = (load(name, tmp_path / "out") for name in ("predictions", "predictions_full"))
    assert list(predictions.columns[2:]) == [config.run_id for config in TABLE] and len(full) == 24
    difference = predictions[TABLE[1].run_id].to_numpy(float) - predictions["target_eV"].to_numpy()
    assert np.abs(difference).mean() == pytest.approx(runs["mae_eV"][1], rel=1e-5)
    assert set(load("baselines", tmp_path / "out")["num_train"]) == {2000, 1000}


def test_runs_stored_before_stay_and_those_not_complete_stay_out(runs_dir, tmp_path):
    parts = [tmp_path / "a", tmp_path / "b"]
    for part, config in zip(parts, TABLE, strict=True):
        shutil.copytree(runs_dir / config.run_id, part / config.run_id)
    (parts[1] / FULL[0].run_id).mkdir()
    for part in parts:
        store(part, tmp_path / "out", protocol=SMALL, progress=False)
    store(runs_dir, tmp_path / "whole", protocol=SMALL, progress=False)
    for name in ("runs", "metrics", "predictions"):
        table, whole = load(name, tmp_path / "out"), load(name, tmp_path / "whole")
        if name == "predictions":
            pd.testing.assert_frame_equal(table, whole)
        else:
            assert table["run_id"].tolist() == [run for run in whole["run_id"] if run != FULL[0].run_id]
    assert state(tmp_path / "out", SMALL)["stored"].tolist() == [2, 0]


def test_runs_tested_on_other_molecules_are_refused(runs_dir, tmp_path):
    mixed = replace(SMALL, experiments=lambda: {"table": [*TABLE, *FULL]}, apart=())
    with pytest.raises(ValueError, match=f"{FULL[0].run_id} and {TABLE[0].run_id} were not tested on the same molecules"):
        store(runs_dir, tmp_path, protocol=mixed, progress=False)


def test_an_unknown_experiment_is_named():
    assert SMALL.selected(("full",)) == FULL and SMALL.selected() == [*TABLE, *FULL]
    assert named().selected() == [config for name in named().planned for config in named().experiments()[name]]
    with pytest.raises(ValueError, match="unknown experiment 'tables'; did you mean 'table'"):
        SMALL.selected(("tables",))


@pytest.fixture(scope="module")
def examined(runs_dir, tmp_path_factory):
    """Rows and folder of the tables of diagnostics of both seeds, trained and not, and the work folder."""
    out, work = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("work")
    store(runs_dir, out, protocol=SMALL, progress=False)
    return diagnose(runs_dir, out, protocol=SMALL, work=work, workers=1, progress=False), out, work


def test_networks_are_examined_once_and_gathered(runs_dir, examined, monkeypatch):
    rows, out, work = examined
    assert rows.keys() == set(DIAGNOSTICS)
    assert len(list(work.iterdir())) == 4
    for name, count in rows.items():
        table = load(name, out)
        assert len(table) == count
        if "run_id" in table:
            assert set(table["run_id"]) == {config.run_id for config in TABLE}
            assert set(table["trained"]) == ({True} if name == "ablations" else {True, False})
    assert load("similarity", out).groupby(["irrep", "trained"]).size().tolist() == [1, 1, 1, 1]

    def fail(*_):
        raise AssertionError("examined again")

    monkeypatch.setattr(diagnostics, "_examine_all", fail)
    assert diagnose(runs_dir, out, protocol=SMALL, work=work, progress=False) == rows


def test_networks_are_examined_where_processes_cannot_be_nice(monkeypatch, tmp_path):
    monkeypatch.delattr("os.nice", raising=False)
    monkeypatch.setattr("torch.set_num_threads", lambda _: None)
    monkeypatch.setattr(examination, "examine", lambda *_, **__: ({}, {}))
    diagnostics._give_way()
    task = Task(SMOKE, trained=True, full=False)
    diagnostics._examine_into(task, None, tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [task.name]


def test_tables_say_what_is_known_of_such_networks(examined):
    """The last block's orders above 0 reach nothing; shares add up; a rank lies between 1 and the number of channels."""
    _, out, _ = examined
    flow, weights = load("gradients", out), load("weights", out)
    np.testing.assert_allclose(flow.groupby(["run_id", "trained", "layer"])["share"].sum(), 1)
    assert (flow.loc[(flow["layer"] == "block3") & (flow["irrep"] == "1o"), "share"] == 0).all()
    assert ((weights["dead_share"] == 1) == ((weights["block"] == 3) & (weights["l3"] == 1))).all()
    ranks = load("ranks", out)["effective_rank"]
    assert ranks.between(1, SMOKE.mul).all()
    ablations = load("ablations", out)
    assert set(zip(ablations["layer"], ablations["irrep"], strict=True)) == {
        (1, "0e"),
        (1, "1o"),
        (2, "0e"),
        (2, "1o"),
        (3, "0e"),
    }
    structure = load("structure", out)
    assert (structure["movable"] <= structure["molecules"]).all() and (structure["molecules"] == 32).all()
    assert structure.loc[structure["measure"] == "distance", "layer"].unique().tolist() == ["block3"]


def test_ablations_that_go_on_from_a_block_are_those_of_the_whole_network(monkeypatch, qm9):
    monkeypatch.setattr(examination, "DRAWS", 3)
    net = untrained(TABLE[0], qm9)
    rows = np.arange(500, 560)
    table = examination.ablations(net, rows)
    targets = qm9.targets["U0_atom"][rows]
    whole = inference_ablation(predictor(net, rows), targets, irreps=["0e", "1o"], layers=[1, 2], repeats=3)
    same = table[table["layer"] < 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, whole, rtol=1e-3)
    assert np.abs(predict(net, qm9, rows) - targets).mean() == pytest.approx(
        (table["mae_eV"] - table["delta_mae_eV"])[0], rel=1e-4
    )


def test_without_the_full_examination_there_are_no_ablations(runs_dir):
    tables, spectra = examination.examine(TABLE[0], runs_dir, trained=True, full=False)
    assert set(tables) == {"gradients", "norms", "ranks", "weights"} and spectra == {}


def test_nothing_to_examine_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no complete runs of the audit"):
        diagnose(tmp_path / "empty", tmp_path, protocol=SMALL, work=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_part_that_is_examined_keeps_what_was_gathered_before(runs_dir, examined):
    rows, out, work = examined
    some = [task for task in tasks(runs_dir, SMALL) if task.config.seed == 0]
    assert gather(some, work, out, SMALL) == {name: count for name, count in rows.items() if name != "similarity"}
    assert len(load("similarity", out)) == rows["similarity"]


def test_subjects_are_those_that_claims_rest_on():
    subjects, others = named().subjects(), named().others()
    sets = {(config.ls, config.mul): 0 for config in subjects}
    assert {ls for ls, mul in sets if mul == 16} >= {*first.MORE_SEEDS, *first.SUBSTITUTES, tuple(range(9))}
    assert (len(subjects), len(others)) == (36, 12) and {config.reference for config in [*subjects, *others]} == {"composition"}


def test_a_run_that_was_trained_again_is_examined_again(runs_dir, tmp_path):
    shutil.copytree(runs_dir / TABLE[0].run_id, tmp_path / TABLE[0].run_id)
    before = [task.name for task in tasks(tmp_path, SMALL)]
    path = tmp_path / TABLE[0].run_id / "model.safetensors"
    weights = bytearray(path.read_bytes())
    weights[-1] ^= 1  # of the same size: the run is still complete
    path.write_bytes(weights)
    after = [task.name for task in tasks(tmp_path, SMALL)]
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1 and "-trained-" in changed[0]


def test_edits_with_chance_are_drawn_several_times_and_probes_keep_formulas_together(examined):
    _, out, _ = examined
    ablations = load("ablations", out)
    assert set(ablations.groupby("mode")["draws"].first().items()) == {("direction", 10), ("shuffle", 10), ("zero", 1)}
    assert ablations["repeat_sd_eV"].isna().eq(ablations["mode"] == "zero").all()
    assert set(load("probes", out)["folds"]) == {"formula"}
