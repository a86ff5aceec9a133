"""The order of events follows git's history where it is there, and the record beside the tables where it is not."""

import subprocess

import pytest

from equinotes.audit import history
from equinotes.audit.protocols.first import claims
from equinotes.audit.tables import load_all
from equinotes.support.repository import find_root


def git(*words, cwd):
    subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """The record beside no clone, and in a shallow clone."""
    folder = tmp_path_factory.mktemp("places")
    kept = (find_root() / "results" / "audit" / history.RECORD).read_bytes()
    bare, origin, shallow = folder / "none", folder / "origin", folder / "shallow"
    origin.mkdir()
    git("init", "-q", cwd=origin)
    for text in ("one", "two"):
        (origin / "file").write_text(text)
        git("add", "file", cwd=origin)
        git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", text, cwd=origin)
    git("clone", "-q", "--depth", "1", origin.as_uri(), str(shallow), cwd=folder)
    for place in (bare, shallow):
        (place / "results" / "audit").mkdir(parents=True)
        (place / "results" / "audit" / history.RECORD).write_bytes(kept)
    return {"no clone": bare, "a shallow clone": shallow}


def test_the_record_is_what_git_says():
    if not history.whole_history() or history.first_commit(history.CLAIMS) is None:
        pytest.skip("git does not have the history of the rules")
    assert history.make_record(load_all()) == history.record()


@pytest.mark.parametrize("name", ["no clone", "a shallow clone"])
def test_without_the_history_the_record_stands_in(places, name):
    root = places[name]
    assert not history.whole_history(root) and history.first_commit("file", root) is None
    commits, by_git = history.committed(root)
    assert not by_git and commits == history.record(root)["files"]
    assert history.unchanged(root)
    assert history.mixed_runs(load_all(), root)["committed"].notna().all()


def test_the_recorded_claims_have_the_content_that_was_committed():
    """Git's identifier of the content, which every full clone can compare."""
    known = history.record()
    assert history.blob(known["claims"]) == known["files"][history.CLAIMS]["blob"]
    assert history.blob("x") != history.blob("y")


def test_another_threshold_is_a_change(monkeypatch, places):
    monkeypatch.setattr(claims, "DAMAGE", 0.06)
    assert not history.unchanged() and not history.unchanged(places["no clone"])


def test_a_record_that_was_tampered_with_is_a_change(places, tmp_path):
    (tmp_path / "results" / "audit").mkdir(parents=True)
    text = (places["no clone"] / "results" / "audit" / history.RECORD).read_text()
    (tmp_path / "results" / "audit" / history.RECORD).write_text(text.replace("DAMAGE = 0.05", "DAMAGE = 0.050"))
    assert not history.unchanged(tmp_path)


def test_rules_came_before_the_first_run_and_their_code_after_it():
    found = history.events(load_all())
    assert all(row["seconds"] < 0 for row in found["stated"]) and all(row["seconds"] > 0 for row in found["applied"])


def test_mixed_runs_are_counted(stored):
    tables = load_all(stored)
    (row,) = history.mixed_runs(tables).to_dict("records")
    assert (row["runs"], row["numerics"], row["younger"]) == (196, 1, 0)
    runs = tables["runs"]
    other = (runs["ls"] == (0, 3, 4, 5, 6)) & (runs["seed"] == 0) & (runs["reference"] == "composition")
    mixed = tables | {"runs": runs.assign(numerics=runs["numerics"].where(~other, 2))}
    assert len(history.mixed_runs(mixed)) == 2
    assert history.mixed_pairs(mixed) == {"pairs": 90, "commits": 0, "numerics": 1}
