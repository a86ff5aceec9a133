"""The subcommand `equinotes grade`: hand-ins of a class, and which exercises they pass."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from equinotes.support.errors import UserError
from equinotes.support.files import write_atomically

if TYPE_CHECKING:
    from equinotes.exercises.grading import Graded


@dataclass(kw_only=True)
class Grade:
    """Check the exercises of all hand-ins of a class, and print a table: passed, failed, not done or error.

    A hand-in is a notebook made from those in notebooks/exercises. Folders are searched at any depth. Each hand-in runs in a
    process and a scratch folder of its own and is not changed. What counts is what the package's own check says of the functions,
    not what a notebook prints. Students' code runs with your rights: use an account or a container that has nothing to lose.

    $ equinotes grade hand-ins/ --seed 7 --csv marks.csv
    $ equinotes grade anna/03_products.ipynb ben/03_products.ipynb
    $ equinotes grade hand-ins/ --exercises paths tensor_product
    """

    hand_ins: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER_OR_NOTEBOOK ...")] = ()
    """Folders of notebooks, and notebooks."""
    seed: int = 7
    """Random cases are drawn from this seed; students see those of seed 0."""
    exercises: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Exercises that count; by default all of the notebook that a hand-in was made from."""
    csv: Path | None = None
    """Write the table to this file as well, a row for each hand-in."""
    seconds: int = 300
    """Time limit of each notebook. One cell may take a fifth of it: a longer one is left out, and the rest is checked."""
    jobs: int = 2
    """Hand-ins that run at a time."""

    def run(self) -> int:
        if not self.hand_ins:
            raise UserError("no hand-in is named; say equinotes grade FOLDER, see equinotes grade --help")
        if self.csv is not None and not self.csv.absolute().parent.is_dir():  # before minutes of work
            raise FileNotFoundError(f"no folder {self.csv.parent} to write {self.csv.name} in")
        from equinotes.exercises.grading import grade

        graded = grade(self.hand_ins, seed=self.seed, exercises=self.exercises, seconds=self.seconds, jobs=self.jobs)
        print("\n\n".join("\n".join(lines) for lines in (*_tables(graded), list(_details(graded))) if lines))
        if self.csv is not None:
            write_csv(graded, self.csv)
            print(f"\nwrote {self.csv}")
        return int(any(each.note for each in graded))


def _tables(graded: Iterable["Graded"]) -> Iterable[list[str]]:
    """A table for the hand-ins that have the same exercises."""
    sheets = defaultdict[tuple[str, ...], list["Graded"]](list)
    for each in graded:
        if not each.note:
            sheets[tuple(each.marks)].append(each)
    for names, some in sheets.items():
        rows = [[each.name, *(mark.outcome for mark in each.marks.values()), f"{each.passed} of {len(names)}"] for each in some]
        yield _in_columns([["hand-in", *names, "passed"], *rows])


def _in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _details(graded: Iterable["Graded"]) -> Iterable[str]:
    """Which case failed, and which error it was."""
    for each in graded:
        if each.note:
            yield f"{each.name}: not graded: {each.note}"
        yield from (f"{each.name}: {name}: {mark}" for name, mark in each.marks.items() if mark.about)


def write_csv(graded: Sequence["Graded"], path: Path) -> None:
    """Write a row for each hand-in: its name, a column for each exercise of any hand-in, how many passed, of how many, a note."""
    names = list(dict.fromkeys(name for each in graded for name in each.marks))
    rows = [
        [each.name, *(str(each.marks.get(name, "")) for name in names), each.passed, len(each.marks), each.note]
        for each in graded
    ]

    def write(beside: Path) -> None:
        with beside.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["hand-in", *names, "passed", "of", "note"], *rows])

    write_atomically(path, write)
