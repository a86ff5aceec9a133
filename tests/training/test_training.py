"""Training: the same numbers however often it is cut off, and nothing lost when it goes wrong."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from equinotes import RunConfig, load_run, train
from equinotes.training.loop import pick_device
from equinotes.training.prediction import predict
from equinotes.training.targets import composition, fit_reference, prepare

SMOKE = RunConfig.preset("smoke")


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory, qm9):
    return train(SMOKE, device="cpu", runs_dir=tmp_path_factory.mktemp("runs"), progress=False, qm9=qm9)


def weights(run):
    return load_file(run.path / "model.safetensors")


def assert_same_weights(a, b):
    assert weights(a).keys() == weights(b).keys()
    for name, tensor in weights(a).items():
        torch.testing.assert_close(tensor, weights(b)[name], rtol=0, atol=0, msg=name)


def test_composition_counts_the_atoms_of_the_formula(qm9):
    methane, ammonia = qm9.row(1), qm9.row(2)
    counts = composition(qm9, np.array([ammonia, methane]))
    assert counts[0, 7] == 1 and counts[0, 1] == 3 and counts[0].sum() == 4
    assert counts[1, 6] == 1 and counts[1, 1] == 4 and counts[1].sum() == 5


def test_reference_of_composition_is_the_least_squares_solution(qm9):
    rows = np.arange(500, 1500)
    mean, scale, elements = fit_reference(qm9, rows, RunConfig(reference="composition"))
    residual = qm9.targets["U0_atom"][rows] - composition(qm9, rows) @ elements.numpy()
    np.testing.assert_allclose(composition(qm9, rows).T @ residual, 0, atol=1e-5)  # the normal equations
    assert mean == pytest.approx(residual.mean()) and scale == pytest.approx(residual.std())


def test_mean_reference_is_the_papers_on_the_whole_set(qm9):
    """Source: the constants of the released configuration, -76.1160 and 10.3238 eV."""
    mean, scale, elements = fit_reference(qm9, np.arange(len(qm9)), RunConfig(reference="mean"))
    assert elements is None
    assert mean == pytest.approx(-76.1160, abs=1e-4)
    assert scale == pytest.approx(10.3238, abs=2e-4)


def test_a_run_on_disk_says_everything(smoke_run, qm9):
    assert smoke_run.complete and smoke_run.status == "complete"
    assert smoke_run.config == SMOKE
    assert list(smoke_run.metrics["epoch"]) == [1, 2]
    assert len(smoke_run.predictions) == SMOKE.num_test
    rows = [qm9.row(number) for number in smoke_run.predictions["qm9_index"]]
    np.testing.assert_array_equal(rows, smoke_run.split.test)
    np.testing.assert_array_equal(smoke_run.predictions["target_eV"], qm9.targets["U0_atom"][rows])
    again = predict(smoke_run.network(), qm9, smoke_run.split.test)
    np.testing.assert_array_equal(again, smoke_run.predictions["prediction_eV"])
    difference = again - qm9.targets["U0_atom"][rows]
    assert smoke_run.errors["mae_eV"] == pytest.approx(np.abs(difference).mean())
    assert smoke_run.errors["mse_eV2"] == pytest.approx(smoke_run.errors["rmse_eV"] ** 2)
    assert smoke_run.provenance["data_sha256"] == qm9.checksum
    assert not (smoke_run.path / "checkpoint.safetensors").exists()


def test_training_lowers_the_error_of_the_untrained_network(qm9, tmp_path):
    config = SMOKE.but(ls=[0], epochs=8, lr=3e-3, num_train=256)
    run = train(config, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    before = predict(prepare(config, qm9)[0], qm9, run.split.test) - run.predictions["target_eV"]
    assert run.errors["mae_eV"] < 0.8 * np.abs(before).mean()
    assert run.metrics["train_loss"].iloc[-1] < run.metrics["train_loss"].iloc[0]


def test_the_same_configuration_gives_the_same_weights(smoke_run, qm9, tmp_path):
    assert_same_weights(smoke_run, train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9))


def test_a_complete_run_is_not_trained_again(smoke_run):
    before = (smoke_run.path / "model.safetensors").stat().st_mtime_ns
    assert train(SMOKE, runs_dir=smoke_run.path.parent).path == smoke_run.path
    assert (smoke_run.path / "model.safetensors").stat().st_mtime_ns == before


class Cut(Exception):
    """Stands for whatever ends a process between two steps."""


@pytest.mark.parametrize("at_step", [1, 2, 3])
def test_cut_off_within_an_epoch_it_ends_with_the_same_weights(smoke_run, qm9, tmp_path, monkeypatch, capsys, at_step):
    import equinotes.training.loop as training

    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    shows = iter(range(1, 100))

    def cut(*_):
        if next(shows) == at_step:
            raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(training, "_show", cut)
        with pytest.raises(Cut):
            train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    assert load_run(SMOKE.run_id, tmp_path).status == "unfinished"
    resumed = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=True, qm9=qm9)
    assert f"{SMOKE.run_id} goes on in epoch" in capsys.readouterr().err
    assert resumed.provenance["sittings"] == 2
    assert_same_weights(smoke_run, resumed)
    timings = ["seconds", "molecules_per_s"]
    assert resumed.metrics.drop(columns=timings).equals(smoke_run.metrics.drop(columns=timings))


def test_killed_with_sigkill_it_ends_with_the_same_weights(qm9, tmp_path, threads):
    threads(1)
    """Another process goes on with what the killed one left."""
    config = SMOKE.but(epochs=40)
    code = (
        "import sys, torch; torch.set_num_threads(1); from equinotes import RunConfig, train; "
        "train(RunConfig.preset('smoke', epochs=40), device='cpu', runs_dir=sys.argv[1], progress=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "killed")])
    checkpoint = tmp_path / "killed" / config.run_id / "checkpoint.safetensors"
    while not checkpoint.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not load_run(config.run_id, tmp_path / "killed").complete
    killed, whole = (
        train(config, device="cpu", runs_dir=tmp_path / where, progress=False, qm9=qm9) for where in ("killed", "whole")
    )
    assert killed.provenance["sittings"] == 2
    assert_same_weights(killed, whole)


def test_two_processes_on_one_configuration_do_no_harm(smoke_run, tmp_path):
    code = (
        "import sys, torch; torch.set_num_threads(1); from equinotes import RunConfig, train; "
        "print(train(RunConfig.preset('smoke'), device='cpu', runs_dir=sys.argv[1], progress=False).provenance['sittings'])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0].splitlines()[-1] for process in both]
    assert said == ["1", "1"]


def test_a_damaged_checkpoint_starts_over_and_says_so(smoke_run, qm9, tmp_path, capsys):
    folder = tmp_path / SMOKE.run_id
    folder.mkdir()
    (folder / "checkpoint.safetensors").write_bytes(b"not a checkpoint")
    run = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    assert "damaged" in capsys.readouterr().out
    assert_same_weights(smoke_run, run)


@pytest.mark.parametrize("name", ["model.safetensors", "predictions.parquet"])
def test_a_cut_off_result_is_recognised_and_made_again(qm9, tmp_path, name):
    run = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    before = {key: tensor.clone() for key, tensor in weights(run).items()}  # not a view of the file
    (run.path / name).write_bytes((run.path / name).read_bytes()[:100])
    assert run.status == "damaged"
    with pytest.raises(ValueError, match="damaged; train"):
        run.network()
    again = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    assert again.complete
    for key, tensor in weights(again).items():
        assert torch.equal(tensor, before[key])


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(qm9, tmp_path, monkeypatch):
    import equinotes.training.loop as training

    config = SMOKE.but(lr=1e30, epochs=3)
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf) in epoch 1.*lower lr"):
        train(config, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    assert (tmp_path / config.run_id / "checkpoint.safetensors").exists()
    assert not load_run(config.run_id, tmp_path).complete


def test_a_full_disk_keeps_the_last_checkpoint(qm9, tmp_path, monkeypatch):
    import equinotes.training.checkpoints as training

    whole = training.save_file
    saves = iter(range(1, 100))

    def save(tensors, path, metadata=None):
        if next(saves) == 2:
            raise OSError(28, "No space left on device")
        whole(tensors, path, metadata=metadata)

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_file", save)
        with pytest.raises(OSError, match=r"could not write .*No space left"):
            train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    folder = tmp_path / SMOKE.run_id
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == [
        "checkpoint.safetensors",
        "config.json",
        "split.json",
    ]
    assert train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9).provenance["sittings"] == 2


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "tpu", "meta"])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(ValueError, match=device):
        pick_device(device)


def test_composition_references_are_least_squares_with_a_constant_or_without(qm9):
    """The network's reference fits no constant and adds the mean of the rest; the linear baseline fits a constant."""
    from equinotes.analysis.controls import linear_baselines

    net, split = prepare(RunConfig.preset("quick"), qm9)
    there = composition(qm9, split.train).any(axis=0)
    fitted, tested = (composition(qm9, rows)[:, there] for rows in (split.train, split.test))
    known, true = (np.asarray(qm9.targets["U0_atom"][rows], np.float64) for rows in (split.train, split.test))
    weights = np.linalg.lstsq(fitted, known, rcond=None)[0]
    guess = composition(qm9, split.test) @ net.ref_elements.numpy() + float(net.ref_mean)
    np.testing.assert_allclose(guess, tested @ weights + (known - fitted @ weights).mean(), atol=1e-4)
    *weights, constant = np.linalg.lstsq(np.column_stack([fitted, np.ones(len(fitted))]), known, rcond=None)[0]
    mae = np.abs(tested @ weights + constant - true).mean()
    assert linear_baselines(qm9, split)["mae_eV"][0] == pytest.approx(mae, rel=1e-5)
