"""The command line: errors are one line, faults show their traceback, and commands work on one run store."""

import re
import subprocess
import sys

import pandas as pd
import pytest

from equinotes import RunConfig, list_runs, train
from equinotes.cli import commands, estimates
from equinotes.support.errors import NotFinite, TaskFailed, UserError, UserTypeError
from equinotes.support.repository import find_root

SMOKE = RunConfig.preset("smoke")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tran"], r"unknown command 'tran'; did you mean 'train'"),
        (["train", "--mull", "3"], r"unrecognized options: --mull, 3; did you mean --mul\?; see equinotes train --help"),
        (["train", "--mul", "x"], r"--mul: a whole number is needed, got 'x'"),
        (["train", "--lr", "x"], r"--lr: a number is needed, got 'x'"),
        (["train", "--epochs", "2.5"], r"--epochs: a whole number is needed, got '2.5'"),
        (["sweep", "--epochs", "2.5"], r"--epochs does not take '2.5': a whole number is needed"),
        (["sweep", "--lr", "x"], r"--lr does not take 'x': a number is needed"),
        (["sweep", "--workers", "-2"], r"workers must be at least 1, got -2"),
        (["sweep", "--dry-run", "--scheduler", "foo"], r"the address of a Dask scheduler must have the form tcp://.*, got 'foo'"),
        (["sweep", "--device", "gpu"], r"unknown device 'gpu'"),
        (["audit", "check", "U0_atom", "--device", "gpu"], r"unknown device 'gpu'"),
        (["run", "01", "--out", "x.txt"], r"an executed notebook is written as .ipynb, .*got 'x.txt'"),
        (["train", "--ls", "a"], r"ls must be whole numbers such as 0,1,2, got 'a'"),
        (["train", "--ls"], r"missing value for argument '--ls'"),
        (["train", "--graph", "bond"], r"invalid choice 'bond' .*'bonds', 'radius'"),
        (["train", "--terms", "foo"], r"unknown term 'foo'; known: adversarial, "),
        (["train", "--preset", "quik"], r"unknown preset 'quik'; did you mean 'quick'"),
        (["train", "--preset"], r"unknown preset ''; known: nequip, painn, paper, quick, se3_transformer, segnn, smoke"),
        (["train", "more"], r"unrecognized options: more"),
        (["sweep", "--seed"], r"--seed needs at least one value"),
        (["sweep", "--mul", "3", "x"], r"--mul does not take '3', 'x'"),
        (["sweep", "--gate", "maybe"], r"invalid choice 'maybe'"),
        (["data", "--molecule", "x"], r"--molecule does not take 'x'"),
        (["results", "--compare", "0,1"], r"--compare takes two sets of orders, got 1"),
        (["results", "--compare", "0,1", "0,x"], r"--compare 0,x: ls must be whole numbers such as 0,1,2, got '0,x'"),
        (["results", "--compare", "0:12", "0,1:b"], r"--compare 0,1:b: mul must be a whole number, got 'b'"),
        (["results", "--compare", "0:12", "0,1"], r"--compare takes channels of both sets or of none, such as 0:12 0,1:8"),
        (["results", "--protocol", "second"], r"only --stored takes --protocol, got --protocol second"),
        (["results", "--stored", "--protocol", "second2"], r"unknown protocol 'second2'; did you mean 'second'"),
        (["run", "1", "2"], r"unrecognized options: 2"),
    ],
)
@pytest.mark.parametrize("box", [True, False], ids=["box", "plain"])
def test_what_is_not_understood_is_told_in_one_line(equinotes, tmp_path, monkeypatch, words, says, box):
    """Whatever the terminal: tyro draws boxes where it can."""
    monkeypatch.setattr("tyro._fmtlib._FORCE_UTF8_BOXES", box)
    if words[0] == "results":
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "config.json").write_text("{}")
        words = [*words, "--runs-dir", tmp_path]
    code, out, err = equinotes(*words)
    assert code == 2 and out == []
    (line,) = err
    assert re.match(f"equinotes: .*{says}", line)


def raising(error):
    def run(self):
        raise error

    return run


@pytest.mark.parametrize("error", [ValueError, TypeError, RuntimeError, KeyError, AssertionError, FloatingPointError])
def test_a_fault_of_the_program_shows_its_traceback(equinotes, monkeypatch, error):
    monkeypatch.setattr(commands.Book, "run", raising(error("a fault")))
    with pytest.raises(error, match="a fault"):
        equinotes("book")


@pytest.mark.parametrize("error", [UserError, UserTypeError, TaskFailed, NotFinite, FileNotFoundError])
def test_an_error_for_the_user_is_one_line(equinotes, monkeypatch, error):
    monkeypatch.setattr(commands.Book, "run", raising(error("the jobs must be 2, got 3")))
    assert equinotes("book") == (2, [], ["equinotes: the jobs must be 2, got 3"])


def test_ctrl_c_says_how_to_go_on(equinotes, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.Book, "run", interrupted)
    code, _, err = equinotes("book")
    assert code == 130 and err[-1] == "stopped; nothing is lost: the same command continues"


def test_a_file_that_the_system_refuses_is_told_without_numbers(equinotes, monkeypatch, tmp_path):
    def refused(self):
        (tmp_path / "nowhere" / "x").write_text("")

    monkeypatch.setattr(commands.Book, "run", refused)
    assert equinotes("book") == (2, [], [f"equinotes: No such file or directory: {tmp_path}/nowhere/x"])


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_error(monkeypatch, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    code = "import sys; from equinotes.cli.main import main; sys.exit(main(['data']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 0


def test_data_shows_counts_and_units(equinotes):
    """Counts: Ramakrishnan et al. 2014 less the molecules that fail the consistency check."""
    code, out, _ = equinotes("data")
    assert code == 0 and "130,831 molecules, 2,359,210 atoms" in out[0]
    rows = {line.split()[0]: line.split()[1:] for line in out[3:]}
    assert rows["U0_atom"][:3] == ["eV", "-76.1160", "10.3237"]
    assert rows["alpha"][0] == "bohr^3"


def test_data_shows_a_molecule_by_its_number(equinotes):
    """QM9's first molecule is methane."""
    code, out, _ = equinotes("data", "--molecule", 1)
    assert code == 0 and out[0] == "QM9 molecule 1: CH4, C"
    assert sum(line.split()[1:2] == ["H"] for line in out) == 4 and "  bonds: 0-1, 0-2, 0-3, 0-4" in out


def test_train_results_and_sweep_on_one_run_store(equinotes, tmp_path, qm9):
    for seed in (0, 1):
        train(SMOKE.but(seed=seed, ls=(0,)), device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    code, out, err = equinotes("train", "--preset", "smoke", "--ls", "0", "--seed", "1", "--runs-dir", tmp_path)
    assert (code, err) == (0, []) and out[0] == str(tmp_path / SMOKE.but(seed=1, ls=(0,)).run_id)
    assert "mae_eV" in out[1] and "mse_eV2" in out[1]
    code, out, err = equinotes("train", "--preset", "smoke", "--runs-dir", tmp_path)
    assert code == 0 and len(list_runs(tmp_path)) == 3

    code, out, err = equinotes("sweep", "--preset", "smoke", "--ls", "0", "--seed", "0", "1", "--runs-dir", tmp_path)
    assert code == 0 and err == ["runs: 2, complete: 2"] and len(out) == 3
    code, out, err = equinotes("sweep", "--preset", "smoke", "--seed", "0", "5", "--runs-dir", tmp_path, "--dry-run")
    assert code == 0 and err[0] == "runs: 2, complete: 1" and out == [SMOKE.run_id, SMOKE.but(seed=5).run_id]
    assert re.fullmatch(r"left: 1, about \d+ s of training, one run after another", err[1])

    code, out, _ = equinotes("results", "--runs-dir", tmp_path)
    assert code == 0 and len(out) == 4 and out[0].split()[:2] == ["ls", "mul"]
    code, out, _ = equinotes("results", "--runs-dir", tmp_path, "--compare", "0", "0,1")
    assert code == 0 and out[1].split()[:2] == ["test_mae_eV", "1"]
    assert "low, high   interval of the difference at 95 % (Student's t over the pairs)" in out
    code, out, _ = equinotes("results", "--runs-dir", tmp_path, "--export", tmp_path / "all.csv")
    assert code == 0 and len(pd.read_csv(tmp_path / "all.csv")) == 3


@pytest.mark.parametrize("protocol", [None, "second", "networks", "strategies"])
def test_stored_runs_are_those_of_the_protocol_that_is_named(equinotes, protocol):
    folder = {None: "audit", "second": "protocol2"}.get(protocol, protocol)
    stored = pd.read_parquet(find_root() / "results" / folder / "runs.parquet")
    code, out, _ = equinotes("results", "--stored", *([] if protocol is None else ["--protocol", protocol]))
    assert code == 0 and len(out) == 1 + stored["run_id"].nunique()


def test_the_time_of_a_sweep_is_judged_by_runs_that_cost_the_same(tmp_path, monkeypatch):
    trained = [(SMOKE, 10.0), (SMOKE.but(seed=1), 30.0), (SMOKE.but(seed=2, epochs=4), 40.0), (SMOKE.but(mul=8), 100.0)]
    monkeypatch.setattr(estimates, "_trained", lambda runs_dir: trained)
    assert estimates.training_time([SMOKE.but(seed=7, lr=1.0)], tmp_path) == "about 20 s of training, one run after another"
    asked = [SMOKE.but(num_train=640, epochs=1), SMOKE.but(mul=8, seed=3), SMOKE.but(ls=(0, 2))]
    said = "about 3 min of training, one run after another; no stored run tells how long 1 of them take"
    assert estimates.training_time(asked, tmp_path) == said
    assert estimates.training_time([SMOKE.but(ls=(0, 2))], tmp_path) == "no stored run tells how long 1 of them take"


def test_a_sweep_with_a_failed_run_ends_with_code_1(equinotes, tmp_path, monkeypatch):
    from importlib import import_module

    outcome = pd.DataFrame({"run_id": ["a"], "status": ["failed"], "error": ["out of luck"], "path": [tmp_path / "a"]})
    monkeypatch.setattr(import_module("equinotes.sweeps.sweep"), "sweep", lambda *_, **__: outcome)
    code, _, err = equinotes("sweep", "--preset", "smoke", "--runs-dir", tmp_path)
    assert code == 1 and err[-1] == "1 of 1 runs did not finish; the same command tries them again"
