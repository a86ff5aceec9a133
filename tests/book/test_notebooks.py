"""Notebooks: their parameters, their execution in this very environment, and what is left when they fail."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import nbformat
import papermill
import psutil
import pytest

import equinotes.book.notebooks
from equinotes.book.notebooks import NotebookFailed, rerun_command, run_notebook
from equinotes.book.parameters import find_notebook, list_notebooks, parameters_of, parse_parameters, read_notebook, title_of
from equinotes.config import RunConfig
from equinotes.support.errors import UserError
from equinotes.support.values import check
from equinotes.training.terms import control_of

PARAMETERS = """\
lmax: int = 4  # highest order drawn (0 to 11)
ls: list[int] = [
    0,
    1,
]  # orders (each 0 to 11)
name: str = "demo"  # a word
what = ""
"""
REPORT = """\
import os, sys, warnings
from equinotes.support.progress import bar
for _ in bar(range(3), desc="inner"):
    pass
print(lmax, ls, name, sys.executable, os.getcwd(), sep="\\n")
"""
ACT = """\
import time
if what == "fail":
    raise ValueError("first line\\nsecond line")
if what == "sleep":
    print(os.getpid(), file=open("kernel.pid", "w"))
    time.sleep(600)
import matplotlib.pyplot as plt
plt.plot([1, 2]);
"""


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """A notebook in a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# A lesson\n\nand a question"),
            nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(REPORT),
            nbformat.v4.new_code_cell(ACT),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = tmp_path / "07_demo.ipynb"
    nbformat.write(notebook, path)
    return path


def cells_tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def outputs_of(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_a_run_is_whole_clean_and_says_where_its_numbers_come_from(demo, monkeypatch):
    """Under a `python3` kernel that does not work, as on a machine where it belongs to another environment."""
    broken = demo.parent / "jupyter" / "kernels" / "python3"
    broken.mkdir(parents=True)
    (broken / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(demo.parent / "jupyter"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    source = demo.read_bytes()

    out = run_notebook(demo, {"lmax": 3, "ls": (0, 2)}, out=Path("new/{braces}.ipynb"), progress=False)

    notebook = read_notebook(out)
    printed = "".join(output.text for output in outputs_of(notebook) if output.output_type == "stream").splitlines()
    assert printed == ["3", "[0, 2]", "demo", sys.executable, os.getcwd()]
    assert [output for output in outputs_of(notebook) if output.get("name") == "stderr"] == []
    assert any("image/png" in output.get("data", {}) for output in outputs_of(notebook))
    (injected,) = cells_tagged(notebook, "injected-parameters")
    assert injected.source == "lmax = 3\nls = [0, 2]" and "remove-cell" in injected.metadata.tags
    assert notebook.cells[0].source.startswith("# A lesson")
    (header,) = cells_tagged(notebook, "provenance")
    record = notebook.metadata["equinotes"]
    assert notebook.cells[1] == header and record["command"] in header.source and record["date"] in header.source
    assert record["parameters"] == {"lmax": 3, "ls": [0, 2], "name": "demo", "what": ""}
    assert demo.read_bytes() == source
    assert sorted(path.name for path in out.parent.iterdir()) == ["{braces}.ipynb"]


def test_a_failing_cell_is_told_in_short_and_what_ran_is_kept(demo):
    out = Path("out.ipynb")
    out.write_text("an older result")
    with pytest.raises(NotebookFailed) as caught:
        run_notebook(demo, {"what": "fail"}, out=out, progress=False)
    lines = str(caught.value).splitlines()
    assert lines[0] == "cell [4] of 07_demo.ipynb failed: ValueError: first line"
    assert lines[-1] == "the partial notebook is kept in out.failed.ipynb"
    assert any('raise ValueError("first line' in line for line in lines) and len(lines) < 10
    assert out.read_text() == "an older result"
    kept = read_notebook(Path("out.failed.ipynb"))
    assert any(output.output_type == "error" for output in outputs_of(kept))
    assert sorted(path.name for path in demo.parent.glob("*out*")) == ["out.failed.ipynb", "out.ipynb"]


def test_ctrl_c_ends_the_kernel_and_leaves_nothing_half_done(demo):
    code = f"from equinotes.book.notebooks import run_notebook; run_notebook({str(demo)!r}, {{'what': 'sleep'}}, out='out.ipynb')"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True)
    pid = Path("kernel.pid")
    wait_until(lambda: pid.exists() and pid.read_text().strip(), process)
    kernel = psutil.Process(int(pid.read_text()))
    os.killpg(process.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    wait_until(lambda: not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE)
    assert sorted(path.name for path in demo.parent.iterdir()) == ["07_demo.ipynb", "kernel.pid"]


def wait_until(condition, process=None, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_parameters_cell_says_names_types_defaults_and_help(demo):
    found = parameters_of(demo)
    assert [str(parameter) for parameter in found.values()] == [
        "lmax: int = 4",
        "ls: list[int] = [0, 1]",
        "name: str = 'demo'",
        "what = ''",
    ]
    assert [parameter.help for parameter in found.values()] == [
        "highest order drawn (0 to 11)", "orders (each 0 to 11)", "a word", ""
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "error", "says"),
    [
        ({"lmx": 3}, ValueError, r"unknown parameter of 07_demo 'lmx'; did you mean 'lmax'"),
        ({"lmax": "3"}, TypeError, r"lmax must be a whole number from 0 to 11, got '3'"),
        ({"lmax": True}, TypeError, r"lmax must be a whole number from 0 to 11, got True"),
        ({"lmax": 12}, ValueError, r"lmax must be a whole number from 0 to 11, got 12"),
        ({"ls": [0, -1]}, ValueError, r"ls must be whole numbers from 0 to 11 such as 0,1,2, got \[0, -1\]"),
        ({"ls": 3}, TypeError, r"ls must be whole numbers from 0 to 11 such as 0,1,2, got 3"),
        ({"ls": (0, "a")}, TypeError, r"ls must be whole numbers"),
        ({"name": 3}, TypeError, r"name must be text, got 3"),
    ],
)
def test_unknown_names_and_wrong_types_are_refused_before_anything_runs(demo, parameters, error, says):
    with pytest.raises(error, match=says):
        run_notebook(demo, parameters, progress=False)
    assert [path.name for path in demo.parent.iterdir()] == ["07_demo.ipynb"]


@pytest.mark.parametrize("out", ["x.txt", "x", "x.ipynb.html"])
def test_what_is_no_name_of_a_notebook_is_refused_before_anything_runs(demo, out):
    with pytest.raises(UserError, match=rf"written as \.ipynb, or into a folder that is there; got '{out}'"):
        run_notebook(demo, {"lmax": 3}, out=out, progress=False)
    assert [path.name for path in demo.parent.iterdir()] == ["07_demo.ipynb"]


def test_a_folder_takes_the_notebook_under_its_own_name(demo):
    (demo.parent / "there").mkdir()
    out = run_notebook(demo, out=demo.parent / "there", progress=False)
    assert out == demo.parent / "there" / "07_demo.ipynb" and read_notebook(out).metadata.papermill.output_path == out.name


def test_the_command_in_the_header_gives_the_same_parameters(demo):
    given = {"lmax": 3, "ls": [0, 2, 5], "name": "a b", "what": "it's = $HOME"}
    words = shlex.split(rerun_command(demo, given))
    assert words[:3] == ["equinotes", "run", str(demo)]
    assert parse_parameters(demo, words[4::2]) == given
    with pytest.raises(ValueError, match="name=value, got 'lmax'"):
        parse_parameters(demo, ["lmax"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"",
        lambda whole: b"\x80\x81 no text",
        lambda whole: b"{}",
        lambda whole: b"[1, 2]",
        lambda whole: b"null",
        lambda whole: whole.replace(b'"cell_type": "code"', b'"cell_type": "coda"'),
        lambda whole: whole.replace(b"lmax: int = 4", b"lmax: int = = 4"),
    ],
    ids=["cut off", "empty", "binary", "no notebook", "a list", "null", "a strange cell", "no Python"],
)
def test_a_damaged_notebook_is_named_in_one_line(demo, damage):
    demo.write_bytes(damage(demo.read_bytes()))
    with pytest.raises(ValueError, match=r"07_demo\.ipynb") as caught:
        run_notebook(demo, progress=False)
    assert "\n" not in str(caught.value)
    assert [path.name for path in demo.parent.iterdir()] == ["07_demo.ipynb"]


@pytest.mark.parametrize("name", ["exercises/01_groups", "exercises/01", "exercises/groups", "01_groups", "groups"])
def test_exercise_notebooks_have_names(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = find_notebook(name)
    assert path.parts[-3:] == ("notebooks", "exercises", "01_groups.ipynb")
    assert shlex.split(rerun_command(path, {"seed": 7})) == ["equinotes", "run", "exercises/01_groups", "-p", "seed=7"]
    assert find_notebook("solutions/01_groups").parts[-2:] == ("solutions", "01_groups.ipynb")
    assert find_notebook("01").parts[-2:] == ("notebooks", "01_spherical_harmonics.ipynb")
    with pytest.raises(FileNotFoundError, match="did you mean 'exercises/01_groups'"):
        find_notebook("exercises/01_group")


def test_two_notebooks_of_one_name_do_not_overwrite_each_other(demo, monkeypatch):
    other = demo.parent / "notebooks" / demo.name  # such a folder is not yet the book's
    other.parent.mkdir()
    other.write_bytes(demo.read_bytes())
    ran = []
    monkeypatch.setattr(equinotes.book.notebooks, "_execute", lambda path, name, progress: ran.append(papermill_of(path)))
    out = run_notebook(demo, progress=False)
    first = out.read_bytes()
    with pytest.raises(
        ValueError, match=rf"07_demo\.ipynb holds the result of another notebook, {re.escape(str(demo))}; say --out"
    ):
        run_notebook(other, progress=False)
    assert out.read_bytes() == first and len(ran) == 1
    assert run_notebook(demo, progress=False) == out and len(ran) == 2
    out.write_text("no notebook")
    assert run_notebook(other, progress=False) == out
    assert run_notebook(find_notebook("exercises/01"), progress=False) == Path("executed/exercises/01_groups.ipynb")


def papermill_of(path):
    """Adds what papermill notes in a notebook that it has executed."""
    notebook = read_notebook(path)
    notebook.metadata["papermill"] = {}
    nbformat.write(notebook, path)


def test_a_notebook_without_parameters_says_so(demo):
    notebook = read_notebook(demo)
    del notebook.cells[1]
    nbformat.write(notebook, demo)
    says = r"07_demo.ipynb has no parameter 'lmax': this notebook has no cell tagged `parameters`"
    with pytest.raises(ValueError, match=says):
        parse_parameters(demo, ["lmax=3"])
    with pytest.raises(ValueError, match=says):
        run_notebook(demo, {"lmax": 3}, progress=False)


def test_an_unknown_notebook_names_the_nearest():
    with pytest.raises(FileNotFoundError, match=r"unknown notebook 'spherical_harmonic'; did you mean '01_spherical_harmonics'"):
        find_notebook("spherical_harmonic")


@pytest.mark.parametrize(
    "line", ["x: tuple[int, ...] = (0, 1)", "x: int | None = None", "x: int = 1  # with = in its help", "x, y = 1, 2"]
)
def test_a_parameter_that_papermill_does_not_read_is_refused_not_dropped(demo, line):
    demo.write_text(demo.read_text().replace('what = \\"\\"', line))
    with pytest.raises(
        ValueError, match=rf"parameters cell of .*07_demo.ipynb must assign {line[:1]}\w* in the form name: type = value"
    ):
        parameters_of(demo)


@pytest.mark.parametrize(
    ("line", "good", "bad", "says"),
    [
        ("x: int = 3  # count (at least 1)", [1, 10**9], [0], "a whole number of at least 1"),
        ("x: float = 0.5  # share (0.25 to 0.75)", [0.25, 0.75], [0.2, 0.8], "a number from 0.25 to 0.75"),
        ('x: str = "a"  # kind (one of a, b)', ["a", "b"], ["c", ""], "'a' or 'b'"),
        (
            'x: str = "0-2"  # network (one of equinotes.audit.protocols.strategies.runs.NETWORKS)',
            ["0-2", "0-4, gated"],
            ["0-3"],
            "'0-2' or '0-2, gated' or '0-4' or '0-4, gated'",
        ),
        (
            "x: list[int] = [0]  # orders (each -1 to 2)",
            [[], [-1, 2]],
            [[3], [0, -2]],
            "whole numbers from -1 to 2 such as 0,1,2",
        ),
        ("x: int = 3  # a count (of what is there)", [-5], [], ""),
    ],
)
def test_a_help_that_ends_in_a_range_is_held_to(demo, line, good, bad, says):
    notebook = read_notebook(demo)
    notebook.cells[1].source = line
    nbformat.write(notebook, demo)
    for value in good:
        assert parse_parameters(demo, [shlex.split(rerun_command(demo, {"x": value}))[-1]]) == {"x": value}
    for value in bad:
        with pytest.raises(ValueError, match=re.escape(f"x must be {says}, got {value!r}")):
            run_notebook(demo, {"x": value}, progress=False)


@pytest.mark.parametrize(
    ("chapter", "given", "says"),
    [
        ("13", "term=banana", "unknown term 'banana'; known: adversarial, anisotropy"),
        ("13", "term=dipoles", "unknown term 'dipoles'; did you mean 'dipole'"),
        ("13", "term=feature_l2", "unknown term 'feature_l2'; did you mean 'weight_l2'"),
        ("13", "network=0-3", "network must be '0-2' or '0-2, gated' or"),
        ("14", "basis=cartesians", "unknown basis 'cartesians'; did you mean 'cartesian'"),
    ],
)
def test_a_name_that_no_registry_has_stops_before_anything_runs(chapter, given, says, monkeypatch):
    monkeypatch.setattr("equinotes.book.notebooks._execute", None)
    name, _, value = given.partition("=")
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_parameters(find_notebook(chapter), [given])
    with pytest.raises(ValueError, match=re.escape(says)):
        run_notebook(find_notebook(chapter), {name: value}, progress=False)


def test_every_term_that_the_chapter_may_try_has_a_control_that_trains_there():
    parameter = parameters_of(find_notebook("13"))["term"]
    for term in get_args(parameter.hint):
        for name in (term, control_of(term)):
            assert RunConfig(gate=True, terms=(name,), term_weights=(1.0,)).terms == (name,)


@pytest.mark.parametrize("registry", ["equinotes.training.terms.TERM", "equinotes.training.nothing.TERMS"])
def test_a_registry_that_the_package_does_not_have_is_named(demo, registry):
    notebook = read_notebook(demo)
    notebook.cells[1].source = f'x: str = "a"  # kind (one of {registry})'
    nbformat.write(notebook, demo)
    with pytest.raises(ValueError, match=f"one of {registry}, which the package does not have"):
        parameters_of(demo)


def outside(parameter):
    """Values just below and just above the range that ends a parameter's help."""
    stated = re.search(r"(?:(\d+) to (\d+)|at least (\d+))\)$", parameter.help)
    low, high, least = map(int, stated.groups(-1)) if stated else (0, -1, -1)
    numbers = [low - 1, high + 1] if high >= 0 else [least - 1] if least >= 0 else []
    return [[number] for number in numbers] if "(each" in parameter.help else numbers


@pytest.mark.parametrize("path", list_notebooks(), ids=lambda path: path.stem)
def test_values_out_of_range_stop_before_anything_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equinotes.book.notebooks._execute", None)
    for name, parameter in parameters_of(path).items():
        is_number = parameter.annotation in ("int", "list", "list[int]", "float")
        assert bool(outside(parameter)) == is_number, f"{name} states no range"
        for value in outside(parameter):
            with pytest.raises(
                ValueError, match=rf"{name} must be .*(from \d+ to \d+|of at least \d+).*, got {re.escape(repr(value))}"
            ):
                run_notebook(path, {name: value}, progress=False)
            with pytest.raises(ValueError, match=f"{name} must be"):
                parse_parameters(path, [f"{name}={value}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "parameters", "says"),
    [
        ("01", {"molecule": 58}, "molecule 58 is left out"),
        ("06", {"chiral": 58}, "molecule 58 is left out"),
        ("08", {"results_dir": "nowhere"}, "results_dir: there is no folder nowhere"),
    ],
)
def test_what_is_not_there_stops_before_anything_runs(number, parameters, says, qm9, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equinotes.book.notebooks._execute", None)
    with pytest.raises(ValueError, match=says):
        run_notebook(number, parameters, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", list_notebooks(), ids=lambda path: path.stem)
def test_the_books_notebooks_can_be_run_by_anyone(path, monkeypatch, tmp_path):
    """By name from any folder, with typed and commented parameters that papermill finds as well."""
    monkeypatch.chdir(tmp_path)
    number, _, title = path.stem.partition("_")
    assert (
        find_notebook(path.stem).samefile(path) and find_notebook(number).samefile(path) and find_notebook(title).samefile(path)
    )
    assert title_of(path) != path.stem
    found = parameters_of(path)
    for name, parameter in found.items():
        assert parameter.hint is not None and parameter.help, f"{name} wants a type and a comment"
        assert check(name, parameter.default, parameter.hint) == parameter.default
        assert parse_parameters(path, [shlex.split(rerun_command(path, {name: parameter.default}))[-1]]) == {
            name: parameter.default
        }
    assert {name: known["help"] for name, known in papermill.inspect_notebook(path).items()} == {
        name: parameter.help for name, parameter in found.items()
    }
