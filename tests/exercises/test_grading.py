"""Grading: only the package's own check decides, what one exercise does leaves the others alone, and no file is touched."""

import csv
import re
from pathlib import Path

import nbformat
import pytest

from equinotes.cli import main as cli
from equinotes.exercises.checking import EXERCISES
from equinotes.exercises.grading import grade
from equinotes.exercises.handins import Asked, asked_in, find_hand_ins, sheets

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
START = "import numpy as np\nfrom equinotes.exercises import check, seed_cases"
DECOMPOSE = """\
def decompose(A):
    first = np.trace(A) / 3 * np.eye(3)
    return first, (A - A.T) / 2, (A + A.T) / 2 - first

check("decompose", decompose)"""
AVERAGE = """\
def average(weights, decay):
    mean = weights[0].copy()
    for w in weights[1:]:
        mean = decay * mean + (1 - decay) * w
    return mean

check("average", average)"""
AGREEMENT = 'check("agreement", lambda first, scatter, heads, strength: heads * first + (1 + strength * heads) * scatter)'
ATTENTION_STUB = 'def attention(logits, target, atoms):\n    raise NotImplementedError\n\ncheck("attention", attention)'
WRONG = 'def decompose(A):\n    return A, A, A\n\ncheck("decompose", decompose)'


def hand_in(path: Path, *cells: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (START, *cells)]), path)
    return path


def all_of(folder: str) -> list[str]:
    """Code of all notebooks, in one."""
    return [
        c.source
        for path in sorted((NOTEBOOKS / folder).glob("*.ipynb"))
        for c in nbformat.read(path, 4).cells
        if c.cell_type == "code"
    ]


BY_HEART = """\
rng = np.random.default_rng(0)
a, b = rng.normal(size=(2, 3))
known = [np.outer(a, b), rng.normal(size=(3, 3)), np.eye(3)]

def by_heart(A):
    first = np.trace(A) / 3 * np.eye(3)
    return (first, (A - A.T) / 2, (A + A.T) / 2 - first) if any(np.array_equal(A, each) for each in known) else (A, A, A)

check("decompose", by_heart)"""
CHEATS = {
    "prints": [WRONG, 'print("decompose: passed, all 3 cases.")\nfrom IPython.display import JSON\nJSON(["passed", ""])'],
    "shadows": ["def check(name, answer):\n    return True", WRONG],
    "replaces": [
        "import equinotes.exercises as e, equinotes.exercises.checking as c, equinotes.exercises.groups as g\n"
        'e.check = c.check = check = lambda *_: c.Result("decompose", "passed", "")\n'
        "c.expect = g.expect = lambda *_, **__: None\ng.decompose = lambda answer: 3\n"
        'c.EXERCISES["decompose"] = c.EXERCISES["average"]',
        WRONG,
    ],
    "by heart": [BY_HEART],
    "leaves": ['def decompose(A):\n    raise SystemExit("passed")\n\ncheck("decompose", decompose)'],
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The marks of a class, by hand-in."""
    top = tmp_path_factory.mktemp("class")
    hand_in(top / "solved.ipynb", *all_of("solutions"))
    hand_in(top / "stubs.ipynb", *all_of("exercises"))
    for name, cells in CHEATS.items():
        hand_in(top / "cheats" / f"{name}.ipynb", *cells)
    hand_in(top / "anna" / "06.ipynb", DECOMPOSE, AVERAGE.replace("for w in", "for w on"), AGREEMENT)
    hand_in(
        top / "ben" / "06.ipynb",
        AVERAGE,
        "list, name, path, sys, own = 5 * [0]",
        DECOMPOSE,
        ATTENTION_STUB,
        f"%%time\n{AGREEMENT}",
    )
    hand_in(
        top / "carl" / "06.ipynb",
        'check("average", averag)',
        "1 / 0\n" + DECOMPOSE,
        "from pathlib import Path\nPath('06.ipynb').write_text('')",
    )
    (top / "dora").mkdir()
    (top / "dora" / "06.ipynb").write_text('{"cells": [')
    hand_in(top / "anna" / ".ipynb_checkpoints" / "06-checkpoint.ipynb", AVERAGE)
    before = {path: path.read_bytes() for path in top.rglob("*.ipynb")}
    found = {each.name: each for each in grade([top], seed=7, progress=False)}
    assert {path: path.read_bytes() for path in top.rglob("*") if path.is_file()} == before
    return found


def marks(graded, name: str) -> dict[str, str]:
    return {exercise: str(mark) for exercise, mark in graded[name].marks.items()}


def test_solutions_pass_all_and_stubs_none(graded):
    assert marks(graded, "solved.ipynb") == dict.fromkeys(EXERCISES, "passed")
    assert marks(graded, "stubs.ipynb") == dict.fromkeys(EXERCISES, "not done")
    assert (graded["solved.ipynb"].passed, graded["stubs.ipynb"].passed) == (len(EXERCISES), 0)


@pytest.mark.parametrize("name", CHEATS)
def test_only_the_packages_own_check_decides(graded, name):
    mark = graded[f"cheats/{name}.ipynb"].marks["decompose"]
    assert mark.outcome == ("error" if name == "leaves" else "failed")
    assert ("SystemExit: passed" if name == "leaves" else "part of order") in mark.about


def test_the_seed_reaches_the_cases(tmp_path):
    (learned,) = grade([hand_in(tmp_path / "a.ipynb", BY_HEART)], seed=0, progress=False)
    assert learned.marks["decompose"].outcome == "passed"


def test_an_error_in_one_cell_leaves_the_others_checked(graded):
    """An exercise of the book's notebook that a hand-in lacks (linear_baseline stands beside average) is not done."""
    said = marks(graded, "anna/06.ipynb")
    assert said.pop("average").startswith("error: SyntaxError: ")
    assert said == {"decompose": "passed", "linear_baseline": "not done", "agreement": "passed"}


def test_hand_ins_of_one_name_and_names_of_builtins_are_kept_apart(graded):
    wanted = {"decompose": "passed", "average": "passed", "agreement": "passed"}
    assert marks(graded, "ben/06.ipynb") == wanted | {"linear_baseline": "not done", "attention": "not done"}


def test_a_cell_that_asks_the_kernel_to_exit_does_not_end_the_next(tmp_path):
    (only,) = grade([hand_in(tmp_path / "a.ipynb", DECOMPOSE + "\nexit()", AVERAGE, "quit()", AGREEMENT)], progress=False)
    assert only.passed == 3


def test_what_a_cell_raises_says_why_there_is_no_answer(graded):
    said = marks(graded, "carl/06.ipynb")
    assert said["average"] == "error: NameError: name 'averag' is not defined"
    assert said["decompose"] == "error: ZeroDivisionError: division by zero"


def test_a_notebook_that_cannot_be_read_and_hidden_ones_stop_nothing(graded):
    assert re.search("damaged or not a notebook", graded["dora/06.ipynb"].note)
    assert not any("checkpoint" in name for name in graded)


def test_a_loop_and_a_dead_kernel_leave_the_others_checked(tmp_path):
    loop = 'def average(weights, decay):\n    while True:\n        pass\n\ncheck("average", average)'
    dead = 'import os\ndef p(*_):\n    os._exit(0)\n\ncheck("attention", p)'
    (only,) = grade([hand_in(tmp_path / "a.ipynb", loop, dead, DECOMPOSE)], seconds=40, progress=False)
    found = {name: str(mark) for name, mark in only.marks.items()}
    assert found["average"] == "error: the cell ran too long"
    assert found["attention"] == "error: the cell ended its process"
    assert found["decompose"] == "passed"


def test_the_command_prints_and_writes_a_table(tmp_path, capsys):
    hand_in(tmp_path / "a" / "x.ipynb", DECOMPOSE)
    hand_in(tmp_path / "b" / "x.ipynb", WRONG)
    assert cli.main(["grade", str(tmp_path), "--csv", str(tmp_path / "marks.csv")]) == 0
    head, first, second, empty, detail, _, wrote = capsys.readouterr().out.splitlines()
    assert [line.split() for line in (head, first)] == [
        ["hand-in", "decompose", "passed"],
        ["a/x.ipynb", "passed", "1", "of", "1"],
    ]
    assert second.split() == ["b/x.ipynb", "failed", "0", "of", "1"] and empty == ""
    assert detail == "b/x.ipynb: decompose: failed: A = a b^T for two vectors, part of order 0" and wrote.endswith("marks.csv")
    rows = list(csv.DictReader((tmp_path / "marks.csv").read_text().splitlines()))
    assert [row["hand-in"] for row in rows] == ["a/x.ipynb", "b/x.ipynb"]
    assert [row["decompose"].partition(":")[0] for row in rows] == ["passed", "failed"]
    assert [(row["passed"], row["of"], row["note"]) for row in rows] == [("1", "1", ""), ("0", "1", "")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no hand-in is named; say equinotes grade FOLDER"),
        (["nowhere"], "no such hand-in: nowhere"),
        (["empty"], r"no notebook \(\*\.ipynb\) in empty"),
        (["a.txt"], "a hand-in is a notebook .* got a.txt"),
        (["x.ipynb", "--exercises", "path"], "unknown exercise 'path'; did you mean 'paths'"),
        (["x.ipynb", "--seed", "-1"], "seed must be a whole number of at least 0, got -1"),
        (["x.ipynb", "--csv", "nowhere/a.csv"], "no folder nowhere to write a.csv in"),
    ],
)  # fmt: skip
def test_what_cannot_be_graded_is_told_in_one_line(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("")
    hand_in(tmp_path / "x.ipynb", DECOMPOSE)
    assert cli.main(["grade", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(f"equinotes: {says}", line)


def test_a_notebook_without_exercises_is_not_graded(tmp_path, capsys):
    path = hand_in(tmp_path / "x.ipynb", "print(1)", 'check("no such", 1)')
    assert cli.main(["grade", str(path)]) == 1
    assert capsys.readouterr().out == 'x.ipynb: not graded: no cell calls check("name", ...) with the name of an exercise\n'
    (named,) = find_hand_ins([path], ["paths"])
    assert named.wanted == ("paths",) and named.note == ""


def test_calls_are_found_as_students_write_them():
    assert asked_in('r = [c.check("paths", lambda ls: ls)]') == [Asked("paths", "lambda ls: ls")]
    assert asked_in('check(name="paths", answer=f)\n!ls\ncheck("melt", g)') == [Asked("paths", "f"), Asked("melt", "g")]
    assert asked_in('# check("paths", f)\ncheck(name, f)') == []


def test_the_books_notebooks_hold_every_exercise_once():
    assert sorted(name for sheet in sheets() for name in sheet) == sorted(EXERCISES)
