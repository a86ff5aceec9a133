"""A stored row trained again agrees with itself, and with nothing else."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from equinotes import RunConfig, train
from equinotes.audit import check as module
from equinotes.audit.check import EXACT, check
from equinotes.audit.protocol import Protocol
from equinotes.audit.store import store
from equinotes.audit.tables import load, write
from equinotes.cli import main as cli

TINY = RunConfig.preset("smoke", num_blocks=2, average=0.9)
TINIEST = Protocol(
    name="tiniest", experiments=lambda: {"table": [TINY]}, judge=lambda tables: pd.DataFrame(), scales=(RunConfig(num_train=100),)
)


@pytest.fixture(scope="module")
def row(qm9, tmp_path_factory):
    """Folder of the stored tables of one tiny run."""
    runs, out = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("out")
    train(TINY, device="cpu", runs_dir=runs, progress=False, qm9=qm9)
    store(runs, out, protocol=TINIEST, progress=False)
    return out


def altered(row, folder, name, change):
    for path in row.glob("*"):
        (folder / path.name).write_bytes(path.read_bytes())
    write(name, change(load(name, folder, TINIEST)), folder, TINIEST)
    return folder


def test_a_row_agrees_with_its_second_training(row):
    found = check(TINY.run_id, row, protocol=TINIEST, progress=False)
    assert found.same and found.agrees and found.largest_eV <= EXACT
    assert {"mae_eV", "average_mae_eV"} <= set(found.errors.index)
    assert "agrees" in str(found) and f"{EXACT:g} eV" in str(found)


def test_one_other_prediction_is_noticed(row, tmp_path):
    def change(table):
        table.loc[3, TINY.run_id] += 1e-3
        return table

    found = check(TINY.run_id, altered(row, tmp_path, "predictions", change), protocol=TINIEST, progress=False)
    assert not found.agrees and found.largest_eV == pytest.approx(1e-3, rel=0.05) and "DIFFERS" in str(found)


@pytest.mark.parametrize(("factor", "agrees"), [(1.1, True), (1.5, False)])
def test_rows_of_a_gpu_are_held_to_their_errors(row, tmp_path, factor, agrees):
    def change(runs):
        return runs.assign(device="cuda", device_name="some GPU", average_mae_eV=factor * runs["average_mae_eV"])

    found = check(TINY.run_id, altered(row, tmp_path, "runs", change), protocol=TINIEST, progress=False)
    assert not found.same and found.agrees == agrees and "other arithmetic" in str(found) and "some GPU" in str(found)


def test_unknown_rows_and_other_numerics_are_refused(row, tmp_path):
    with pytest.raises(ValueError, match=f"did you mean '{TINY.run_id}'"):
        check(TINY.run_id + "x", row, protocol=TINIEST)
    old = altered(row, tmp_path, "runs", lambda runs: runs.assign(numerics=0))
    with pytest.raises(ValueError, match="numerics 0, today's are"):
        check(TINY.run_id, old, protocol=TINIEST)


@pytest.mark.parametrize("agrees", [True, False])
def test_command_says_so_and_fails_where_a_row_differs(monkeypatch, capsys, agrees):
    errors = pd.DataFrame({"stored": {"mae_eV": 0.1}, "again": {"mae_eV": 0.1}})
    found = module.Check("some-run", "here", "there", True, 0.0 if agrees else 1.0, errors)
    monkeypatch.setattr(module, "_found", lambda *_: ("a version", "a row"))
    monkeypatch.setattr(module, "_again", lambda *_: found)
    assert cli.main(["audit", "check", "some-run"]) == int(not agrees)
    assert ("agrees" if agrees else "DIFFERS") in capsys.readouterr().out
    assert np.isclose(found.errors["again"]["mae_eV"], 0.1)


def test_all_ids_are_looked_up_before_anything_is_trained(row, monkeypatch, capsys):
    monkeypatch.setattr(module, "PROTOCOLS", ["tiniest"])
    monkeypatch.setattr(module, "named", lambda name: TINIEST)
    monkeypatch.setattr(module, "_again", lambda *_: pytest.fail("trained"))
    begun = TINY.run_id[:-8]
    assert cli.main(["audit", "check", TINY.run_id, begun, "--results-dir", str(row)]) == 2
    assert f"unknown stored run '{begun}'; did you mean '{TINY.run_id}'?" in capsys.readouterr().err


def test_an_unknown_id_is_answered_without_torch():
    code = """
import sys
from equinotes.cli.main import main
assert main(["audit", "check", "U0_atom-l0-mul16"]) == 2
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "did you mean 'U0_atom-l0-mul16-n" in done.stderr


def test_command_needs_a_row(capsys):
    assert cli.main(["audit", "check"]) != 0
    assert "check needs the name of a stored run" in capsys.readouterr().err
