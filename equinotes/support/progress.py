"""The package's progress bar."""

import os
import sys
from collections.abc import Iterable
from functools import cache
from typing import TextIO, TypeVar

from tqdm.std import tqdm  # text bars: widgets would leave state in executed notebooks

T = TypeVar("T")


def bar(
    iterable: Iterable[T] | None = None,
    total: int | None = None,
    desc: str = "",
    progress: bool = True,
    *,
    unit: str = "it",
    leave: bool = True,
    initial: int = 0,
) -> "tqdm[T]":
    """A text progress bar on stderr; silent with `progress=False`. What was done before, `initial`, counts in no rate.

    EQUINOTES_PROGRESS=0 in the environment disables all bars; the path of a terminal there redirects them to it, since executed
    notebooks store stderr. If stderr is not a terminal (a log), bars are updated every 10 s. EQUINOTES_BAR_LINE=1 draws them one
    line lower, for a second process on the same terminal.

    >>> sum(bar([1, 2, 3], progress=False))
    6
    """
    where = os.environ.get("EQUINOTES_PROGRESS", "1")
    file = sys.stderr if where in ("0", "1") else _opened(where)
    terminal = file is not None and file.isatty()
    return tqdm(
        iterable,
        total=total,
        initial=initial,
        desc=desc or None,
        disable=not progress or where == "0" or file is None,
        file=file,
        unit=unit,
        leave=leave and file is sys.stderr,
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else 10.0,
        position=line() if terminal else None,
    )


def line() -> int | None:
    """Line below the cursor for this process's bars; None for tqdm's default."""
    return int(os.environ.get("EQUINOTES_BAR_LINE", "0")) or None


@cache
def _opened(path: str) -> TextIO | None:
    try:
        return open(path, "w")  # open for the lifetime of the process
    except OSError:
        return None
