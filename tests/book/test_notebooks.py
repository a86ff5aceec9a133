"""Notebooks: their names, their execution in this very environment, and what is left when they fail."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest

import equinotes.book.notebooks
from equinotes.book.notebooks import NotebookFailed, rerun_command, run_notebook
from equinotes.book.parameters import find_notebook, list_notebooks, parameters_of, parse_parameters, read_notebook, title_of
from equinotes.support.errors import UserError
from equinotes.support.values import check


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


@pytest.mark.parametrize("out", ["x.txt", "x", "x.ipynb.html"])
def test_what_is_no_name_of_a_notebook_is_refused_before_anything_runs(demo, out):
    with pytest.raises(UserError, match=rf"written as \.ipynb, or into a folder that is there; got '{out}'"):
        run_notebook(demo, {"lmax": 3}, out=out, progress=False)
    assert [path.name for path in demo.parent.iterdir()] == ["07_demo.ipynb"]


def test_a_folder_takes_the_notebook_under_its_own_name(demo):
    (demo.parent / "there").mkdir()
    out = run_notebook(demo, out=demo.parent / "there", progress=False)
    assert out == demo.parent / "there" / "07_demo.ipynb" and read_notebook(out).metadata.papermill.output_path == out.name


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


def test_an_unknown_notebook_names_the_nearest():
    with pytest.raises(FileNotFoundError, match=r"unknown notebook 'spherical_harmonic'; did you mean '01_spherical_harmonics'"):
        find_notebook("spherical_harmonic")


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
