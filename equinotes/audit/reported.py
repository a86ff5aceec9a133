"""What the paper reports (https://laserkelvin.github.io/neurips24-ai4mat-slides), and what its networks hold."""

from functools import cache
from typing import NamedTuple

from equinotes.analysis.harmonics import selection_rules


class Reported(NamedTuple):
    """A row of the paper's table: orders, channels, epochs (None where none are printed), "test error (eV)"."""

    ls: tuple[int, ...]
    mul: int
    epochs: int | None
    error: float


REPORTED = (
    Reported((0, 1, 2), 32, None, 0.12),
    Reported((0, 1, 2, 4), 32, None, 0.15),
    Reported((0, 1, 2, 6), 32, None, 0.21),
    Reported((0, 1, 2, 8), 32, None, 0.19),
    Reported((0, 1, 2, 10), 32, None, 0.19),
    Reported((0, 1, 2, 3, 4), 16, 30, 1.24),
    Reported((0, 1, 2, 3, 4, 5, 6), 16, 30, 0.73),
    Reported((0, 1, 2, 3, 4, 5, 6, 7, 8), 16, 30, 1.02),
    Reported((0, 3, 4, 5, 6), 16, 30, 0.52),
    Reported((0, 1, 2, 3, 4), 16, 100, 0.22),
    Reported((0, 3, 4, 5, 6), 16, 100, 0.01),
)
"""The table, in its order."""


def printed_error(ls: tuple[int, ...], mul: int, epochs: int) -> float | None:
    """The paper's "test error (eV)" of a network after so many epochs; one that is printed without epochs counts for any number.
    None where the table has none.

    >>> printed_error((0, 3, 4, 5, 6), 16, 30)
    0.52
    """
    known = [row.error for row in REPORTED if (row.ls, row.mul) == (tuple(ls), mul) and row.epochs in (epochs, None)]
    return known[0] if known else None


def counted_parameters(ls: tuple[int, ...], mul: int) -> int:
    """Parameters of the paper's network, counted from its description (equation eq-parameters of the book).

    >>> counted_parameters((0, 1, 2), 32)
    1648034
    """
    return 6400 + (20 * mul + 64 * mul**2 * len(ls)) + 4 * (20 * mul + _count_paths(tuple(ls)) * mul**3) + mul + 2


@cache
def _count_paths(ls: tuple[int, ...]) -> int:
    return int(selection_rules(ls).allowed.sum())
