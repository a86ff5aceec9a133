"""Errors for the user: the command line prints their message in one line, and shows a traceback for every other error."""

from bisect import bisect_right
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import accumulate


class UserError(ValueError):
    """Something that the user can change; the message says what was wrong, what was found and what would be right."""


class UserTypeError(UserError, TypeError):
    """A value of another type than the one asked for."""


class TaskFailed(UserError, RuntimeError):
    """A task that started and could not be finished: a notebook, the site, worker processes."""


class NotFinite(UserError, FloatingPointError):
    """A result that is infinite or not a number."""


MOST = 400
"""Characters of known names that are listed at most where none is near."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One line that names an unknown name and the nearest known ones.

    >>> unknown("preset", "quik", ["smoke", "quick", "paper"])
    "unknown preset 'quik'; did you mean 'quick'?"
    """
    known = list(known)
    near = get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {_listed(sorted(known))}"
    return f"unknown {kind} {name!r}; {hint}"


def check_names(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """UserError for the first name that is not known, with the nearest known ones."""
    known = list(known)
    for name in names:
        if name not in known:
            raise UserError(unknown(kind, name, known))


def _listed(names: list[str]) -> str:
    """As many of the names as there is room for, and how many are left."""
    ends = list(accumulate(len(name) + 2 for name in names))
    shown = names[: bisect_right(ends, MOST)]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(shown) < len(names) else "")
