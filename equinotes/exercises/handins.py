"""Hand-ins of a class: where they lie, and what their cells hand to `check`."""

import ast
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from equinotes.book.parameters import notebooks_folder, read_notebook
from equinotes.exercises.checking import EXERCISES
from equinotes.support.errors import UserError

CALL = re.compile(r"""\bcheck\(\s*["'](\w+)["']""")
TIMED = re.compile(r"\A\s*%%(?:time|capture)\b.*\n")
"""Magics of whole cells that run the cell in the notebook's own names."""


class Asked(NamedTuple):
    """One call of `check`."""

    name: str
    answer: str | None
    """The expression that is handed to `check`; None where the cell is not valid Python."""
    error: str = ""
    """Why it is not."""


@dataclass(frozen=True)
class HandIn:
    """A notebook of a student."""

    name: str
    """Its path below the folder that all hand-ins have in common."""
    cells: tuple[str, ...] = ()
    """Source of its code cells."""
    wanted: tuple[str, ...] = ()
    """Exercises that it should answer."""
    note: str = ""
    """Why it cannot be graded; empty where it can."""


def asked_in(source: str) -> list[Asked]:
    """Exercises that a cell hands to `check("name", ...)`, in the order of the calls.

    >>> asked_in('def cut(x):\\n    return x\\n\\nassert check("slicing", cut)')
    [Asked(name='slicing', answer='cut', error='')]
    >>> asked_in('def cut(x) return x\\ncheck("slicing", cut)')
    [Asked(name='slicing', answer=None, error="SyntaxError: expected ':'")]
    """
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        tree = ast.parse(TransformerManager().transform_cell(TIMED.sub("", source)))
    except (SyntaxError, ValueError, RecursionError) as error:
        said = f"{type(error).__name__}: {getattr(error, 'msg', error)}"
        return [Asked(name, None, said) for name in CALL.findall(source) if name in EXERCISES]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_check(node.func)]
    return [asked for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)) if (asked := _asked(call))]


def _is_check(function: ast.expr) -> bool:
    return getattr(function, "id", None) == "check" or getattr(function, "attr", None) == "check"


def _asked(call: ast.Call) -> Asked | None:
    """What a call of `check` names and hands in; None where that is no exercise or not written out."""
    given = dict(zip(("name", "answer"), call.args, strict=False)) | {each.arg: each.value for each in call.keywords}
    name = getattr(given.get("name"), "value", None)
    if name not in EXERCISES or "answer" not in given:
        return None
    return Asked(name, ast.unparse(given["answer"]))


def sheets() -> list[tuple[str, ...]]:
    """The exercises of each of the book's exercise notebooks; none where the book is not at hand."""
    try:
        paths = sorted((notebooks_folder() / "exercises").glob("*.ipynb"))
    except FileNotFoundError:
        return []
    return [tuple(_names(_code_of(path))) for path in paths]


def find_hand_ins(places: Sequence[str | Path], exercises: Sequence[str] = ()) -> list[HandIn]:
    """The notebooks in these folders, at any depth, and at these paths, each once, sorted by folder and name.

    Each should answer `exercises`; by default, all exercises of those of the book's notebooks that it has an exercise of. Hidden
    files and folders (such as `.ipynb_checkpoints`) are left out. Raises FileNotFoundError for a place that does not exist and
    UserError for one without a notebook.
    """
    paths = [path for place in places for path in _notebooks_at(Path(place))]
    paths = list(dict.fromkeys(Path(os.path.abspath(path)) for path in paths))
    tops = [os.path.abspath(place if Path(place).is_dir() else Path(place).parent) for place in places]
    top, known = Path(os.path.commonpath(tops)), sheets()
    return [_hand_in(path, path.relative_to(top).as_posix(), tuple(exercises), known) for path in paths]


def _notebooks_at(place: Path) -> list[Path]:
    if place.is_dir():
        found = [path for path in place.rglob("*.ipynb") if path.is_file()]
        shown = [path for path in found if not any(part.startswith(".") for part in path.relative_to(place).parts)]
        if not shown:
            raise UserError(f"no notebook (*.ipynb) in {place} or its folders")
        return sorted(shown)
    if not place.exists():
        raise FileNotFoundError(f"no such hand-in: {place} (name a folder or notebooks)")
    if place.suffix != ".ipynb":
        raise UserError(f"a hand-in is a notebook (*.ipynb) or a folder of them, got {place}")
    return [place]


def _hand_in(path: Path, name: str, exercises: tuple[str, ...], known: Iterable[tuple[str, ...]]) -> HandIn:
    try:
        cells = _code_of(path)
    except (UserError, OSError) as error:
        return HandIn(name, wanted=exercises, note=str(error))
    own = _names(cells)
    wanted = exercises or tuple(dict.fromkeys(each for sheet in known if own.keys() & set(sheet) for each in sheet) | own)
    return HandIn(name, cells, wanted, "" if wanted else 'no cell calls check("name", ...) with the name of an exercise')


def _names(cells: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(asked.name for source in cells for asked in asked_in(source))


def _code_of(path: Path) -> tuple[str, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other programs' notebooks, what matters here is their code
        return tuple(cell.source for cell in read_notebook(path).cells if cell.cell_type == "code" and cell.source.strip())
