"""Training steps with and without gradients with respect to positions, equinotes against e3nn."""

from collections.abc import Iterator

import pandas as pd

from benchmarks import training
from benchmarks.contestants import POSITION_CONTESTANTS

CASES = [((0, 1, 2), 32), ((0, 1, 2, 3, 4), 16)]


def run(*, quick: bool, threads: int, device: str, seconds: float) -> Iterator[pd.DataFrame]:
    """One row per set of orders and contestant; ratios are to equinotes without these gradients."""
    for ls, mul in CASES:
        rounds = 4 if quick else 16
        settings = {"rounds": rounds, "threads": threads, "device": device, "seconds": seconds}
        yield training.measure(ls, mul, POSITION_CONTESTANTS, **settings)
