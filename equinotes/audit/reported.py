"""What the paper reports, from its authors' slides (https://laserkelvin.github.io/neurips24-ai4mat-slides)."""

from typing import NamedTuple


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
