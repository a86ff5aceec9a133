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


NEAR = 3
"""Known names that are suggested at most."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One line that names an unknown name and the nearest known ones, which are those that begin with it, if there are any.

    >>> unknown("preset", "quik", ["smoke", "quick", "paper"]), unknown("run", "a-1", ["a-2", "a-1-x", "b"])
    ("unknown preset 'quik'; did you mean 'quick'?", "unknown run 'a-1'; did you mean 'a-1-x'?")
    """
    known = list(dict.fromkeys(known))
    begun = [one for one in known if one.startswith(name)] if name else []
    near = begun[:NEAR] or get_close_matches(name, known, n=NEAR, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {_listed(sorted(known))}"
    more = f" ({len(begun)} begin like this)" if len(begun) > NEAR else ""
    return f"unknown {kind} {name!r}; {hint}{more}"


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
