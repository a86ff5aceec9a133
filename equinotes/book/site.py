"""Build the book: execute notebooks that are out of date, then build the site if anything changed."""

import contextlib
import hashlib
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Literal

from equinotes.book.slides import write_slides
from equinotes.support.errors import TaskFailed, UserError
from equinotes.support.files import write_atomically
from equinotes.support.repository import find_root

Execute = Literal["stale", "all", "none"]

SITE = Path("_build", "html")
STAMP = Path("_build", "site.sha256")
EXECUTED = Path("_executed")
LOG = Path("_build", "book.log")

NOT_IN_NOTEBOOKS = {"book", "cli"}
"""Subpackages that no notebook depends on."""


def build(root: Path | str | None = None, *, execute: Execute = "stale", jobs: int = 2, progress: bool = True) -> Path:
    """Execute the notebooks that are out of date, build the site if anything changed, and return its first page.

    A notebook is out of date if its source, the package, the lock or the stored results changed since it was executed.
    Notebooks start in order of their names; if two need the same network, one waits while the other trains it.

    Parameters
    ----------
    root
        The repository; by default the one above the working directory or the package.
    execute
        "stale": notebooks that are out of date; "all": every notebook; "none": build the site from earlier executions.
    jobs
        Notebooks that run at a time; they share the cores.
    progress
        Print each step.

    Raises
    ------
    ValueError
        `jobs` is less than 1, or no entry of _toc.yml matches a notebook.
    FileNotFoundError
        There is no book at `root`, or `execute="none"` and a notebook was never executed.
    RuntimeError
        A notebook failed (the others are executed and kept), or the site has warnings, which count as errors.
    """
    if jobs < 1:
        raise UserError(f"jobs must be at least 1, got {jobs}")
    root = find_root(root)
    notebooks = _notebooks(root / "notebooks")
    _check_contents(root, notebooks)
    _forget_removed(root, notebooks)
    if execute != "none":
        read = [*_files(root / "results"), *_files(root / "notebooks" / "templates"), root / "requirements.lock"]
        inputs = _digest(root, [*_package(root, NOT_IN_NOTEBOOKS), *read])
        stale = [notebook for notebook in notebooks if execute == "all" or not _is_fresh(root, notebook, inputs)]
        _execute_all(root, stale, inputs, progress, jobs)
    elif missing := [notebook.name for notebook in notebooks if not (root / EXECUTED / notebook.name).exists()]:
        raise FileNotFoundError(f"not executed yet: {', '.join(missing)}; build without execute='none' first")
    return _build_site(root, progress)


def _check_contents(root: Path, notebooks: list[Path]) -> None:
    """UserError unless the table of contents names every notebook, or a pattern in it matches."""
    from sphinx.util.matching import patmatch
    from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

    try:
        contents = parse_toc_yaml(root / "_toc.yml")
    except MalformedError as error:
        raise UserError(f"_toc.yml is not a table of contents: {error}") from error
    pages = {notebook.name: (EXECUTED / notebook.stem).as_posix() for notebook in notebooks}
    missing = [
        name
        for name, page in pages.items()
        if page not in contents and not any(patmatch(page, glob) for glob in contents.globs())
    ]
    if missing:
        raise UserError(f"{', '.join(missing)} would be missing from the book: no entry of _toc.yml matches")


def _execute_all(root: Path, notebooks: list[Path], inputs: str, progress: bool, jobs: int) -> None:
    failures, keys = [], {notebook: _key(root, notebook, inputs) for notebook in notebooks}
    for notebook, seconds, error in _executed(root, notebooks, progress, jobs):
        if error is None:
            write_atomically(_stamp(root, notebook), lambda beside, key=keys[notebook]: beside.write_text(key))  # type: ignore[misc]
        else:
            failures.append(f"{notebook.name}: {error}")
        _say(progress, f"{notebook.stem} {'done' if error is None else 'failed'} after {seconds:.0f} s")
    if failures:
        raise TaskFailed(f"{len(failures)} of {len(notebooks)} notebooks failed, the others are kept:\n" + "\n".join(failures))


def _executed(root: Path, notebooks: list[Path], progress: bool, jobs: int) -> Iterator[tuple[Path, float, str | None]]:
    """Execute notebooks, `jobs` at a time; yield each with its seconds and its error when it ends.

    Each process is a pool of its own: if one dies, only its notebook is lost, and a new process replaces it.
    """
    if jobs < 2 or len(notebooks) < 2:
        yield from ((notebook, *_execute(root, notebook, progress)) for notebook in notebooks)
        return
    todo, running = notebooks[::-1], dict[Future[tuple[float, str | None]], tuple[Path, int]]()
    with contextlib.ExitStack() as stack:
        free = list(range(min(jobs, len(notebooks))))[::-1]
        pools = {line: stack.enter_context(_process(jobs, line)) for line in free}
        while todo or running:
            while todo and free:  # none is queued in a pool, where Ctrl-C would not reach it
                notebook, line = todo.pop(), free.pop()
                running[pools[line].submit(_execute, root, notebook, progress)] = notebook, line
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                notebook, line = running.pop(future)
                free.append(line)
                lost = future.exception()
                if lost:  # its process died
                    pools[line] = stack.enter_context(_process(jobs, line))
                yield notebook, *((0.0, str(lost)) if lost else future.result())


def _process(processes: int, line: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_share_the_machine, initargs=(processes, line))


def _execute(root: Path, notebook: Path, progress: bool) -> tuple[float, str | None]:
    """Execute one notebook; seconds, and the error in one line."""
    from equinotes.book.notebooks import run_notebook

    start = time.monotonic()
    _say(progress, f"{notebook.stem} ...")
    try:
        with contextlib.chdir(root):
            run_notebook(notebook, {}, out=root / EXECUTED / notebook.name, progress=progress)
    except Exception as error:  # whatever a cell raises: the other notebooks still run
        return time.monotonic() - start, str(error)
    return time.monotonic() - start, None


def _share_the_machine(processes: int, line: int) -> None:
    """Give a process its share of the cores, and its own line of the terminal for progress bars."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ |= {"OMP_NUM_THREADS": str(max(1, cores // processes)), "EQUINOTES_BAR_LINE": str(line)}


def is_current(root: Path) -> bool:
    """Whether the site that lies there was built from the sources that lie there."""
    stamp = root / STAMP
    return stamp.exists() and stamp.read_text().partition(" ")[0] == _sources(root)


def _sources(root: Path) -> str:
    """Digest of all that the site is built from."""
    sources = [
        *_files(root / "book"),
        *_notebooks(root / EXECUTED),
        *_files(root / "notebooks"),  # templates and parameters
        *_package(root),
        *root.glob("*.yml"),
        *root.glob("*.md"),
    ]
    return _digest(root, [*sources, *_files(root / "results"), root / "requirements.lock"])


def _build_site(root: Path, progress: bool) -> Path:
    """Build the site in another folder and replace the old one when it is complete; do nothing if no source changed."""
    first_page, stamp = root / SITE / "index.html", root / STAMP
    key = f"{_sources(root)} {os.environ.get('EQUINOTES_REPOSITORY', '')}".strip()
    if first_page.exists() and stamp.exists() and stamp.read_text() == key:
        _say(progress, f"nothing changed: {first_page}")
        return first_page
    _say(progress, "building the site")
    start = time.monotonic()
    beside = root / "_build" / "next"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    _run_jupyter_book(root, beside)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(root / SITE, ignore_errors=True)
    (beside / "_build" / "html").rename(root / SITE)
    shutil.rmtree(beside)
    write_atomically(stamp, lambda path: path.write_text(key))
    _say(progress, f"      done in {time.monotonic() - start:.0f} s: {first_page}")
    return first_page


def _run_jupyter_book(root: Path, output: Path) -> None:
    """Build from scratch; a warning fails the build, and is reported with its file and line."""
    jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    options = ["build", str(root), "--path-output", str(output), "-n", "-W", "--keep-going", "-q"]
    done = subprocess.run(
        [*jupyter_book, *options], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root
    )
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    (root / LOG).write_text(text)
    if done.returncode:
        lines = text.partition("Traceback")[0].splitlines()
        said = [line.replace(f"{root}/", "") for line in lines if re.search(r"(WARNING|ERROR|CRITICAL): ", line)] or lines[-3:]
        raise TaskFailed("the site was not built (full log: _build/book.log):\n" + "\n".join(dict.fromkeys(said)))
    write_slides(output / "_build" / "html")


def _is_fresh(root: Path, notebook: Path, inputs: str) -> bool:
    stamp = _stamp(root, notebook)
    return (root / EXECUTED / notebook.name).exists() and stamp.exists() and stamp.read_text() == _key(root, notebook, inputs)


def _key(root: Path, notebook: Path, inputs: str) -> str:
    return f"{_digest(root, [notebook])} {inputs}"


def _stamp(root: Path, notebook: Path) -> Path:
    return root / EXECUTED / f"{notebook.stem}.sha256"


def _forget_removed(root: Path, notebooks: list[Path]) -> None:
    """Delete executed notebooks without a source: patterns in the table of contents would still match them."""
    names = {notebook.name for notebook in notebooks}
    for executed in _notebooks(root / EXECUTED):
        if executed.name not in names:
            executed.unlink()
            _stamp(root, executed).unlink(missing_ok=True)


def _notebooks(folder: Path) -> list[Path]:
    """Sorted by name; hidden files are none of ours, such as one that another build is writing."""
    return sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))


def _package(root: Path, leave_out: Iterable[str] = ()) -> list[Path]:
    package = root / "equinotes"
    return [file for file in _files(package) if file.relative_to(package).parts[0] not in leave_out]


def _files(folder: Path) -> list[Path]:
    """All files below a folder, without caches and whatever else is hidden, such as files that are still being written."""
    inside = ((file, file.relative_to(folder).parts) for file in folder.rglob("*") if file.is_file())
    return [file for file, parts in inside if not any(part == "__pycache__" or part.startswith(".") for part in parts)]


def _digest(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 over paths and contents of the files, sorted by path."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(root)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _say(progress: bool, text: str) -> None:
    if progress:
        print(text, flush=True)
