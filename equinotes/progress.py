"""One kind of progress bar for the whole package."""

import os
import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm.std import tqdm  # the text bar everywhere: a widget would leave its state in the executed notebooks

T = TypeVar("T")


def bar(
    iterable: Iterable[T] | None = None,
    total: int | None = None,
    desc: str = "",
    progress: bool = True,
    *,
    unit: str = "it",
    leave: bool = True,
) -> "tqdm[T]":
    """A text progress bar on stderr; silent with `progress=False` or EQUINOTES_PROGRESS=0 in the environment.

    The environment variable is for programs whose output is kept, such as executed notebooks. Where stderr is not a
    terminal the bar is drawn rarely, so that logs stay short.

    >>> sum(bar([1, 2, 3], progress=False))
    6
    """
    shown = progress and os.environ.get("EQUINOTES_PROGRESS", "1") != "0"
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return tqdm(
        iterable,
        total=total,
        desc=desc or None,
        disable=not shown,
        unit=unit,
        leave=leave,
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else 10.0,
    )
