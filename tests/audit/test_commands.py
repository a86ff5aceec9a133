"""`equinotes audit` from its words to what it calls and says."""

import re
from dataclasses import replace
from importlib import import_module

import pandas as pd
import pytest

from equinotes import RunConfig
from equinotes.audit.protocol import NOT_RUN, named
from equinotes.audit.protocols.first import PROTOCOL
from equinotes.audit.protocols.first.claims import CLAIMS, VERDICTS
from equinotes.cli import main as cli


@pytest.fixture
def audit(capsys):
    """Call the command; returns its exit code and the lines that it wrote to stdout and stderr."""

    def call(*words):
        code = cli.main(["audit", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return call


def test_without_a_word_it_says_how_far_the_runs_are(audit, tmp_path):
    for words in ([], ["status"]):
        code, out, err = audit(*words, "--results-dir", tmp_path)
        assert (code, err) == (0, []) and out[0].split() == ["experiment", "planned", "stored"]
        planned = PROTOCOL.experiments()
        assert [line.split() for line in out[1 : 1 + len(planned)]] == [[name, str(len(c)), "0"] for name, c in planned.items()]


def test_runs_that_are_not_stored_are_named_with_the_command_that_trains_them(audit, monkeypatch, tmp_path):
    """Of 2 sets x 3 seeds at two sizes, those with orders 0, 1 and 200 molecules lack seeds 1 and 2."""
    planned = [RunConfig(ls=ls, mul=4, num_train=n, seed=seed) for n in (100, 200) for ls in ((0,), (0, 1)) for seed in range(3)]
    version = replace(named("second"), experiments=lambda: {"pilot": planned, "whole": planned[:2]})
    there = [config.run_id for config in planned if not (config.lmax and config.seed and config.num_train == 200)]
    monkeypatch.setattr("equinotes.audit.protocol.named", lambda name: version)
    stored = pd.DataFrame({"run_id": there, "experiment": "pilot"})
    monkeypatch.setattr("equinotes.audit.store.load", lambda *_: stored)
    code, out, err = audit("--protocol", "second", "--results-dir", tmp_path)
    assert (code, err) == (0, []) and out[1].split() == ["pilot", "12", "10"]
    assert out[3:] == [
        "",
        "pilot: 2 runs are missing; equinotes audit run pilot --protocol second trains them",
        "    200 molecules: 0, 1 (4) × seeds 1, 2",
    ]


def test_verdicts_of_all_claims_are_printed(audit, tmp_path):
    code, out, _ = audit("verdicts", "--results-dir", tmp_path)
    starts = [line for line in out if re.match(r"C\d  ", line)]
    assert code == 0 and [line.split()[0] for line in starts] == [claim.name for claim in CLAIMS]
    assert all(any(f"  {verdict}  (" in line for verdict in (*VERDICTS, NOT_RUN)) for line in starts)
    assert max(map(len, out)) <= 130


@pytest.mark.parametrize(
    ("words", "experiments"),
    [
        (["run"], ["table", "substitutes", "factors", "scalars"]),
        (["run", "full"], ["full"]),
        (["run", "table", "full"], ["table", "full"]),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("status", ["done", "failed"])
def test_run_trains_experiments_and_stores_what_is_complete(audit, monkeypatch, tmp_path, words, experiments, status):
    asked = {}

    def sweep(configs, **given):
        asked.update(given, ids=[config.run_id for config in configs])
        return pd.DataFrame({"run_id": asked["ids"], "status": status})

    def store(runs_dir, out, protocol):
        assert protocol is PROTOCOL
        return pd.DataFrame({"experiment": ["table"], "stored": [f"{runs_dir.name} to {out.name}"]})

    monkeypatch.setattr(import_module("equinotes.sweeps.sweep"), "sweep", sweep)
    monkeypatch.setattr("equinotes.audit.store.store", store)
    code, out, err = audit(*words, "--runs-dir", tmp_path / "here", "--results-dir", tmp_path / "there", "--workers", 2)
    known = PROTOCOL.experiments()
    assert asked["ids"] == [config.run_id for name in experiments for config in known[name]]
    assert asked["workers"] == 2 and asked["device"] == "auto" and asked["scheduler"] is None
    assert "here to there" in out[-1]
    many = len(asked["ids"])
    failed = [f"{many} of {many} runs did not finish; the same command tries them again"]
    assert (code, err) == ((0, []) if status == "done" else (1, failed))


def test_diagnose_says_what_it_wrote(audit, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        "equinotes.audit.diagnostics.diagnose", lambda *places, **more: asked.append((places, more)) or {"norms": 7}
    )
    code, out, _ = audit("diagnose", "--runs-dir", tmp_path, "--results-dir", tmp_path / "out")
    assert code == 0 and [line.split() for line in out] == [["norms", "7", "rows"]]
    assert asked == [((tmp_path, tmp_path / "out"), {"protocol": PROTOCOL, "work": tmp_path / "diagnostics", "workers": None})]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "tabel"], "unknown experiment 'tabel'; did you mean 'table'"),
        (["store", "table"], "only run takes experiments, got store table"),
        (["diagnose", "--device", "cuda"], "only run and check take --device, got diagnose --device cuda"),
        (["verdicts", "--scheduler", "tcp://a:1"], "only run takes --scheduler, got verdicts --scheduler tcp://a:1"),
        (["store", "--workers", "2"], "only run and diagnose take --workers, got store --workers 2"),
        (["verdicts", "--protocol", "frist"], "unknown protocol 'frist'; did you mean 'first'"),
        (["run", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["stor"], "invalid choice 'stor'"),
        (["diagnose"], "no complete runs of the audit in .*; equinotes audit run makes them"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_told_in_one_line(audit, tmp_path, words, says):
    code, out, err = audit(*words, "--runs-dir", tmp_path / "nowhere", "--results-dir", tmp_path)
    assert code == 2 and out == [] and len(err) == 1
    assert re.search(says, err[0])
    assert not (tmp_path / "nowhere").exists()
