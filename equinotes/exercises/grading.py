"""Grade hand-ins: run each in a process of its own, and check its answers with the package's own `check`."""

import asyncio
import json
import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from equinotes.book.kernels import kernel_manager
from equinotes.exercises.checking import EXERCISES, Outcome
from equinotes.exercises.handins import HandIn, asked_in, find_hand_ins
from equinotes.exercises.judging import UNDEFINED
from equinotes.support.errors import UserError, check_names
from equinotes.support.progress import bar

PACKAGE = Path(__file__).parents[2]
SHARE = 5
"""One cell may take this part of the time of its notebook."""
STAY = "globals().update(dict.fromkeys(['exit', 'quit'], lambda *_, **__: None))"
"""A kernel that is asked to exit ends during a later cell, which would get the blame."""
CHECK = """\
def __equinotes_check__(__answer__):
    import sys
    own = {{name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] == "equinotes"}}
    path, sys.path = sys.path, [{package!r}, *sys.path]
    try:
        from equinotes.exercises.judging import judge
        judge({name!r}, __answer__, {seed}, {place!r})
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "equinotes"]:
            del sys.modules[name]
        sys.modules.update(own)
        sys.path = path

__equinotes_check__(lambda: ({answer}))
"""
"""Checks an answer behind the cell that hands it in. The package is loaded anew, so nothing of it that the hand-in replaced is
used. There are no names of builtins, which a notebook may use for its own values."""


@dataclass(frozen=True)
class Mark:
    """What one exercise of a hand-in came to."""

    outcome: Outcome
    about: str = ""
    """The case that failed, or the error; one line."""

    def __str__(self) -> str:
        return f"{self.outcome}: {self.about}" if self.about else self.outcome


@dataclass(frozen=True)
class Graded:
    """A hand-in with its marks."""

    name: str
    marks: dict[str, Mark]
    """Of every exercise that it should answer."""
    note: str = ""
    """Why it was not graded; empty where it was."""

    @property
    def passed(self) -> int:
        return sum(mark.outcome == "passed" for mark in self.marks.values())


def grade(
    places: Sequence[str | Path],
    *,
    seed: int = 7,
    exercises: Sequence[str] = (),
    seconds: int = 300,
    jobs: int = 2,
    progress: bool = True,
) -> list[Graded]:
    """Grade the notebooks in folders or at paths, `jobs` at a time.

    Each runs in a kernel and a scratch folder of its own, for `seconds` at most; a cell may take a fifth of that. A cell that
    runs longer or ends its kernel is left out, and the notebook is run again without it. Students' code has the rights of this
    user.

    Parameters
    ----------
    seed
        Random cases of the checks are drawn from it.
    exercises
        Names of those that count; by default, all of the book's notebook that a hand-in was made from.

    Raises
    ------
    FileNotFoundError
        A place does not exist.
    UserError
        A place holds no notebook, an exercise is unknown, or a number is out of range. A hand-in that cannot be read is no error:
        it comes back with a note.
    """
    check_names("exercise", exercises, list(EXERCISES))
    for name, value, least in (("seed", seed, 0), ("seconds", seconds, SHARE), ("jobs", jobs, 1)):
        if value < least:
            raise UserError(f"{name} must be a whole number of at least {least}, got {value}")
    hand_ins = find_hand_ins(places, exercises)
    stop, graded = threading.Event(), dict[str, Graded]()
    with ThreadPoolExecutor(jobs) as pool:
        tasks = [pool.submit(_grade, hand_in, seed, seconds, stop) for hand_in in hand_ins]
        try:
            for task in bar(as_completed(tasks), len(tasks), "grading", progress, unit="notebook"):
                graded[task.result().name] = task.result()
        except BaseException:
            stop.set()  # ends the kernels that run
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [graded[hand_in.name] for hand_in in hand_ins]


@dataclass
class _Step:
    """A cell of a hand-in, or the check of an answer behind it."""

    source: str
    """Of a cell; of a check, the expression that is handed in."""
    names: tuple[str, ...] = ()
    """Exercises that the cell asks to check, or the one that this check is of."""
    is_check: bool = False
    over: bool = False
    """It has an outcome, or is left out."""


def _grade(hand_in: HandIn, seed: int, seconds: int, stop: threading.Event) -> Graded:
    if hand_in.note:
        return Graded(hand_in.name, {}, hand_in.note)
    marks = dict.fromkeys(hand_in.wanted, Mark("not done"))
    steps, end = [_Step(STAY), *_steps(hand_in, marks)], monotonic() + seconds
    try:
        while not stop.is_set() and any(step.is_check and not step.over for step in steps):
            if monotonic() > end:
                _record(marks, [step for step in steps if not step.over], f"not reached in the {seconds} s of the notebook")
                break
            asyncio.run(_attempt(steps, marks, seed, end, seconds / SHARE, stop))
    except RuntimeError as error:  # of nbclient
        return Graded(hand_in.name, {}, f"its kernel did not start: {_line(str(error))}")
    return Graded(hand_in.name, {name: marks[name] for name in hand_in.wanted})


def _steps(hand_in: HandIn, marks: dict[str, Mark]) -> Iterator[_Step]:
    """Each cell and the checks behind it; a cell that is not valid Python only leaves marks."""
    for source in hand_in.cells:
        asked = asked_in(source)
        if wrong := [each for each in asked if each.answer is None]:
            marks |= {each.name: Mark("error", _line(each.error)) for each in wrong}
            continue
        yield _Step(source, tuple(each.name for each in asked))
        for each in asked:
            yield _Step(each.answer or "", (each.name,), is_check=True)


async def _attempt(steps: list[_Step], marks: dict[str, Mark], seed: int, end: float, most: float, stop: threading.Event) -> None:
    """Run the steps that are not over in a new kernel, until all checks are over or a step has to be left out."""
    quiet = {"EQUINOTES_PROGRESS": "0", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    with kernel_manager(quiet) as manager, _folder() as scratch, _folder() as answers:
        place = Path(answers, "outcome.json")
        client = _Client(
            new_notebook(cells=[new_code_cell(_source(step, seed, place)) for step in steps]),
            kernel_manager_class=manager,
            kernel_name="python3",
            timeout_func=lambda _: max(1, math.ceil(min(most, end - monotonic()))),
            shutdown_kernel="immediate",
            store_widget_state=False,
            resources={"metadata": {"path": scratch}},
        )
        async with client.async_setup_kernel():
            watch = asyncio.ensure_future(_end_when(stop, client))
            said: Mark | None = None
            for number, step in enumerate(steps):
                if not any(each.is_check and not each.over for each in steps[number:]):
                    break
                if step.over:
                    continue
                try:
                    error = await _run(client, number)
                except (CellTimeoutError, DeadKernelError) as ended:
                    behind = [] if step.is_check else steps[number + 1 : number + 1 + len(step.names)]
                    reason = "ran too long" if isinstance(ended, CellTimeoutError) else "ended its process"
                    _record(marks, [step, *behind], f"the cell {reason}")
                    break
                if step.is_check:
                    step.over = True
                    _merge(marks, step.names[0], _outcome(place, error, said))
                else:
                    said = error
            watch.cancel()


class _Client(NotebookClient):
    def output(self, *_: Any) -> None:
        """Nothing that a hand-in prints or draws is kept: there may be much of it."""


async def _run(client: NotebookClient, number: int) -> Mark | None:
    """Run a cell; the mark of what it raises."""
    try:
        await client.async_execute_cell(client.nb.cells[number], number, store_history=False)
    except CellExecutionError as error:
        return (
            Mark("not done") if error.ename == "NotImplementedError" else Mark("error", _line(f"{error.ename}: {error.evalue}"))
        )
    return None


async def _end_when(stop: threading.Event, client: NotebookClient) -> None:
    while not stop.is_set():
        await asyncio.sleep(0.2)
    await client.km.shutdown_kernel(now=True)  # type: ignore[union-attr,misc]


def _folder() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="equinotes-", ignore_cleanup_errors=True)


def _source(step: _Step, seed: int, place: Path) -> str:
    if not step.is_check:
        return step.source
    return CHECK.format(package=str(PACKAGE), name=step.names[0], seed=seed, place=str(place), answer=step.source)


def _outcome(place: Path, error: Mark | None, said: Mark | None) -> Mark:
    """The outcome that a check left; where the answer has no value, what the cell before it raised says why."""
    if error is not None or not place.is_file():
        return error or Mark("error", "the check left no result")
    outcome, about = json.loads(place.read_text(encoding="utf-8"))
    place.unlink()
    if outcome == UNDEFINED:
        return said or Mark("error", _line(about))
    return Mark(outcome, "" if outcome == "not done" else _line(about))


def _record(marks: dict[str, Mark], steps: list[_Step], error: str) -> None:
    for step in steps:
        step.over = True
        for name in step.names:
            _merge(marks, name, Mark("error", error))


def _merge(marks: dict[str, Mark], name: str, mark: Mark) -> None:
    """An exercise that is handed in more than once is passed if one of its answers passes; otherwise the last one counts."""
    if name not in marks or marks[name].outcome != "passed":
        marks[name] = mark


def _line(text: str, most: int = 100) -> str:
    """One printable line.

    >>> _line("first\\nsecond " + 100 * "x", 20)
    'first second xxxx...'
    """
    line = "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 3]}..."
