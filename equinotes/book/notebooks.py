"""Run parameterised notebooks in this environment, with a note on where their numbers come from."""

import logging
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from equinotes.book.kernels import kernel_manager, terminal
from equinotes.book.parameters import (
    PARAMETERS,
    Parameter,
    check_known,
    copy_of,
    find_notebook,
    name_of,
    parameters_of,
    read_notebook,
    write_notebook,
)
from equinotes.data.qm9 import load_qm9
from equinotes.runs import provenance
from equinotes.support.errors import TaskFailed, UserError
from equinotes.support.progress import line
from equinotes.support.values import check

INJECTED, PROVENANCE = "injected-parameters", "provenance"
HIDDEN = "remove-cell"
"""Tag that keeps a cell out of the book."""


logging.getLogger("papermill").addHandler(logging.NullHandler())  # its errors are raised as exceptions as well


class NotebookFailed(TaskFailed):
    """A cell failed; the message gives the cell, the end of the traceback and the path of the partial notebook."""


def run_notebook(
    name_or_path: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    out: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Execute a notebook in this environment and return the path of the executed copy.

    The copy is written to `out`, a file or a folder that is there (default `executed/<name>.ipynb`, unless the copy of another
    notebook is there), atomically, with a cell after its title that states version, commit, date, parameters and command.
    Relative paths in the notebook start at the current folder.

    Raises FileNotFoundError for an unknown notebook, UserError for an unknown parameter, a value of another type or out of range,
    a damaged file and a default place that is taken, NotebookFailed where a cell fails: what ran is then kept as
    `<name>.failed.ipynb`.
    """
    path = find_notebook(name_or_path)
    known = parameters_of(path)
    given = dict(parameters or {})
    check_known(path, list(given), known)
    given = {name: check(name, value, known[name].hint) for name, value in given.items()}
    for name, value in given.items():
        _check_there(name, value, known[name].help)
    out = _place(path, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    kept = out.with_name(f"{out.stem}.failed.ipynb")
    beside = out.with_name(f".{out.stem}.{os.getpid()}.ipynb")
    try:
        write_notebook(_prepared(path, given, known), beside)
        _execute(beside, path.stem, progress)
        notebook = read_notebook(beside)
        notebook.metadata.papermill |= {"input_path": path.name, "output_path": out.name, "parameters": given}
        write_notebook(notebook, out)
        kept.unlink(missing_ok=True)
    except (PapermillExecutionError, DeadKernelError) as error:
        beside.replace(kept)
        raise NotebookFailed(_failure(path, error, kept)) from None
    except OSError as error:
        raise OSError(error.errno, f"{path.name} was not executed: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
    return out


def _check_there(name: str, value: Any, help: str) -> None:
    """Refuse a molecule that QM9 leaves out and a folder that is not there before a notebook starts."""
    if help.startswith("QM9 number"):
        load_qm9().row(value)
    if help.startswith("folder of stored tables") and value and not Path(value).is_dir():
        raise UserError(f"{name}: there is no folder {value}")


def _free_place(path: Path) -> Path:
    """The default place of the executed copy; UserError where the copy of another notebook is there."""
    place = copy_of(path)
    if place.is_file():
        try:
            other = read_notebook(place).metadata.get("equinotes", {}).get("source")
        except UserError:  # nothing to keep
            other = None
        if other not in (None, _source(path)):
            raise UserError(f"{place} holds the result of another notebook, {other}; say --out for a place of its own")
    return place


def _source(path: Path) -> str:
    return name_of(path) or str(path.resolve())


def _place(path: Path, out: str | Path | None) -> Path:
    """Where the executed copy of a notebook goes; UserError for a file that is not named as a notebook."""
    place = _free_place(path) if out is None else Path(out)
    if place.is_dir():
        return place / path.name
    if place.suffix != ".ipynb":
        raise UserError(f"an executed notebook is written as .ipynb, or into a folder that is there; got {str(place)!r}")
    return place


def rerun_command(path: Path, given: Mapping[str, Any]) -> str:
    """The command that runs a notebook with the same values again.

    >>> rerun_command(find_notebook("01"), {"lmax": 3, "ls": [0, 1]})
    'equinotes run 01_spherical_harmonics -p lmax=3 -p ls=0,1'
    """
    words = ["equinotes", "run", name_of(path) or str(path)]
    for name, value in given.items():
        flat = isinstance(value, list | tuple) and not any(isinstance(item, list | tuple) for item in value)
        words += ["-p", f"{name}={','.join(map(str, value)) if flat else value}"]
    return shlex.join(words)


def _prepared(path: Path, given: Mapping[str, Any], known: Mapping[str, Parameter]) -> nbformat.NotebookNode:
    """The notebook with the given values after its parameters cell, and the provenance cell after its title."""
    notebook = nbformat.v4.upgrade(read_notebook(path))
    record = {
        "version": provenance.versions()["equinotes"],
        "commit": provenance.commit(),
        "date": provenance.now(),
        "parameters": {name: given.get(name, parameter.default) for name, parameter in known.items()},
        "command": rerun_command(path, given),
        "source": _source(path),
    }
    notebook.metadata["equinotes"] = record
    notebook.cells = [cell for cell in notebook.cells if not {INJECTED, PROVENANCE} & set(cell.metadata.get("tags", []))]
    if given:
        place = next(i for i, cell in enumerate(notebook.cells) if PARAMETERS in cell.metadata.get("tags", []))
        source = "\n".join(f"{name} = {value!r}" for name, value in given.items())
        notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source, metadata={"tags": [INJECTED, HIDDEN]}))
    after_title = 1 if notebook.cells and notebook.cells[0].cell_type == "markdown" else 0
    notebook.cells.insert(after_title, _provenance_cell(record))
    return notebook


def _provenance_cell(record: Mapping[str, Any]) -> nbformat.NotebookNode:
    """A collapsed note, in HTML, which Jupyter and the book both collapse."""
    values = ", ".join(f"`{name} = {value!r}`" for name, value in record["parameters"].items()) or "none"
    source = [
        "<details class='provenance'><summary>Where this page's numbers come from</summary>",
        "",
        f"Executed {record['date']} with equinotes {record['version']}, commit {record['commit'] or 'unknown'}.",
        f"Parameters: {values}.",
        f"The same again: `{record['command']}`",
        "",
        "</details>",
    ]
    return nbformat.v4.new_markdown_cell("\n".join(source), metadata={"tags": [PROVENANCE]})


def _execute(path: Path, name: str, progress: bool) -> None:
    """Execute a notebook in place and save it after each cell; the kernel ends with this call, also after an error."""
    shown = {"desc": name, "leave": False, "mininterval": 10.0}
    if terminal():
        shown |= {"mininterval": 0.2, "position": line()}
    with kernel_manager() as manager:
        place = str(path).replace("{", "{{").replace("}", "}}")  # papermill formats paths
        papermill.execute_notebook(
            place,
            place,
            kernel_name="python3",
            language="python",
            progress_bar=shown if progress else False,
            kernel_manager_class=manager,
        )


def _failure(path: Path, error: Exception, kept: Path) -> str:
    """The error in one line, the end of the traceback, and the path of the partial notebook."""
    rest = f"the partial notebook is kept in {kept}"
    if not isinstance(error, PapermillExecutionError):
        return f"the kernel of {path.name} died (out of memory?); {rest}"
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    lines = [f"    {line}" for line in plain.splitlines() if line.strip()][-6:-1]
    reason = error.evalue.splitlines()[0] if error.evalue else ""
    return "\n".join([f"cell [{error.exec_count}] of {path.name} failed: {error.ename}: {reason}", *lines, rest])
