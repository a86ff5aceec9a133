"""`equinotes audit` from its words to what it calls and says."""

import re
from importlib import import_module

import pandas as pd
import pytest

from equinotes import cli
from equinotes.audit import protocol
from equinotes.audit.claims import CLAIMS, VERDICTS


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
        many = len(asked["ids"])
    failed = [f"{many} of {many} runs did not end well; the same command tries them again"]
    assert (code, err) == ((0, []) if status == "done" else (1, failed))


def test_diagnose_says_what_it_wrote(audit, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        "equinotes.audit.diagnostics.diagnose", lambda *places, **more: asked.append((places, more)) or {"norms": 7}
    )
    code, out, _ = audit("diagnose", "--runs-dir", tmp_path, "--results-dir", tmp_path / "out")
    assert code == 0 and [line.split() for line in out] == [["norms", "7", "rows"]]
    assert asked == [((tmp_path, tmp_path / "out"), {"work": tmp_path / "diagnostics", "workers": None})]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "tabel"], "unknown experiment 'tabel'; did you mean 'table'"),
        (["store", "table"], "only run takes experiments, got store table"),
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
