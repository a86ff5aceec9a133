"""Bad input, as a user gives it: the command says in one line what is wrong, ends with code 2, and nothing is lost.

What a damaged cache needs stands in data/test_cache.py, killed processes in test_training.py, workers in test_sweeps.py.
"""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import nbformat
import pytest
from safetensors import safe_open

from equinotes import RunConfig, load_run, train
from equinotes.cli import main as cli
from equinotes.config import MAX_L

SMOKE = RunConfig.preset("smoke")


@pytest.fixture
def refused(capsys):
    """Call the command, which must fail; returns the one line that it says."""

    def call(*words):
        assert cli.main([str(word) for word in words]) == 2
        captured = capsys.readouterr()
        lines = [line for line in captured.err.splitlines() if not re.search(r"^$|\d%\||^runs: \d+, complete: \d+$", line)]
        (line,) = lines  # beside bars and the plan of a sweep
        assert captured.out == "" and line.startswith("equinotes: ")
        return line.removeprefix("equinotes: ")

    return call


@contextmanager
def files_no_larger_than(size):
    """As on a full disk, the system refuses to write more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("command", ["train", "sweep"])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--ls", "1,2"], r"ls must rise from 0 without repeats, got \(1, 2\)"),
        (["--ls", "0,2,1"], r"ls must rise from 0 without repeats, got \(0, 2, 1\)"),
        (["--ls", "0,1,1"], r"ls must rise from 0 without repeats, got \(0, 1, 1\)"),
        (["--ls", f"0,{MAX_L + 1}"], rf"ls may go up to {MAX_L} .*got \(0, {MAX_L + 1}\)"),
        (["--mul", "0"], r"mul must be at least 1, got 0"),
        (["--epochs", "0"], r"epochs must be at least 1, got 0"),
        (["--batch-size", "-1"], r"batch_size must be at least 1, got -1"),
        (["--target", "U0_atm"], r"unknown target 'U0_atm'; did you mean 'U0_atom'"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, list) else "",
)
def test_values_that_no_run_can_have(refused, tmp_path, command, flags, says):
    assert re.search(says, refused(command, "--preset", "smoke", "--runs-dir", tmp_path / "runs", *flags))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("size", ["--num-train", "--num-val", "--num-test"])
def test_more_molecules_than_there_are(refused, tmp_path, size):
    line = refused("train", "--preset", "smoke", "--runs-dir", tmp_path, size, "130800")
    assert "130831" in line and re.search("asks for 1308[0-9][0-9]", line)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["train", "sweep"])
@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_an_unknown_device(refused, tmp_path, command, device):
    assert device in refused(command, "--preset", "smoke", "--runs-dir", tmp_path, "--device", device)


def test_an_unknown_device_is_refused_where_the_run_is_complete(refused, tmp_path, qm9):
    train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    assert "unknown device 'gpu'" in refused("train", "--preset", "smoke", "--runs-dir", tmp_path, "--device", "gpu")


@pytest.mark.parametrize(("number", "says"), [(0, "from 1 to 133885, got 0"), (133886, "got 133886"), (21725, "left out")])
def test_a_molecule_that_qm9_lacks(refused, number, says):
    assert says in refused("data", "--molecule", number)


def test_a_dask_address_that_does_not_answer(refused, tmp_path, monkeypatch):
    monkeypatch.setattr("equinotes.sweeps.cluster.SECONDS_TO_CONNECT", 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        line = refused("sweep", "--preset", "smoke", "--runs-dir", tmp_path, "--scheduler", address)
    assert line.startswith(f"no Dask scheduler answers at '{address}'; start one with `dask scheduler`")


@pytest.mark.parametrize("name", ["config.json", "split.json", "predictions.parquet", "model.safetensors", "provenance.json"])
def test_a_damaged_run_is_trained_again(tmp_path, qm9, name):
    run = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    before = run.errors
    os.truncate(run.path / name, (run.path / name).stat().st_size // 2)
    assert not load_run(run.path).complete
    assert cli.main(["results", "--runs-dir", str(tmp_path)]) == 0
    assert cli.main(["train", "--preset", "smoke", "--device", "cpu", "--runs-dir", str(tmp_path)]) == 0
    assert load_run(run.path).complete and load_run(run.path).errors == before


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"{}"], ids=["empty", "zeros", "something else"])
def test_a_damaged_checkpoint_starts_over(tmp_path, qm9, content):
    folder = tmp_path / SMOKE.run_id
    folder.mkdir()
    (folder / "checkpoint.safetensors").write_bytes(content)
    again = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    alone = train(SMOKE, device="cpu", runs_dir=tmp_path / "alone", progress=False, qm9=qm9)
    assert again.complete and again.errors == alone.errors


def test_a_damaged_notebook(refused, tmp_path):
    (tmp_path / "01.ipynb").write_text('{"cells": [')
    for words in (["--list"], [], ["-p", "lmax=3"]):
        assert "01.ipynb is damaged or not a notebook" in refused("run", tmp_path / "01.ipynb", *words)


@pytest.mark.parametrize("size", [10, 5_000, 60_000], ids=["no configuration", "no checkpoint", "no weights"])
def test_a_full_disk_loses_nothing(refused, tmp_path, size):
    words = ["train", "--preset", "smoke", "--mul", "8", "--device", "cpu", "--runs-dir", tmp_path]
    with files_no_larger_than(size):
        assert re.match(r"could not write .*: File too large", refused(*words))
    (folder,) = tmp_path.iterdir()
    assert not [path for path in folder.iterdir() if path.name.startswith(".") and path.name != ".lock"]
    assert cli.main([str(word) for word in words]) == 0


def test_a_full_disk_leaves_no_notebook_behind(refused, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    with files_no_larger_than(10):
        assert re.match(
            "a.ipynb was not executed: .*File too large", refused("run", tmp_path / "a.ipynb", "--out", tmp_path / "b.ipynb")
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]


def test_ctrl_c_while_training_keeps_the_checkpoint(tmp_path):
    config = SMOKE.but(epochs=100_000)
    words = ["train", "--preset", "smoke", "--epochs", "100000", "--device", "cpu", "--runs-dir", str(tmp_path)]
    code = f"import sys; from equinotes.cli.main import main; sys.exit(main({words!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    checkpoint, end = tmp_path / config.run_id / "checkpoint.safetensors", time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 130
    assert said[-1] == "stopped; nothing is lost: the same command continues"
    assert not any("Traceback" in line for line in said)
    assert load_run(config.run_id, tmp_path).status == "unfinished"
    with safe_open(checkpoint, "pt") as stored:
        assert stored.keys()
