"""Cost per molecule of equinotes' own training steps: does it stay the same for other batch sizes and for larger data sets?"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.rounds import Timings, take_turns
from equinotes import RunConfig, build_network, load_qm9
from equinotes.data.batches import shuffled_batches
from equinotes.support.cores import side_by_side

CASES = [((0, 1, 2), 32), ((0, 1, 2, 3, 4), 16)]
BATCH_SIZES = (16, 32, 64, 128, 256, 512)
DATASET_SIZES = (1_000, 10_000, 100_000)
MOLECULES = 512
"""Molecules that each turn trains on, whatever the batch size."""


def run_batch(**settings: Any) -> Iterator[pd.DataFrame]:
    """Milliseconds per molecule against the batch size."""
    return _run([(size, 10_000) for size in BATCH_SIZES], **settings)


def run_dataset(**settings: Any) -> Iterator[pd.DataFrame]:
    """Milliseconds per molecule against the number of molecules that batches are drawn from."""
    return _run([(32, size) for size in DATASET_SIZES], **settings)


def _run(sizes: list[tuple[int, int]], *, quick: bool, threads: int, device: str, seconds: float) -> Iterator[pd.DataFrame]:
    torch.set_num_threads(threads)
    for ls, mul in CASES[:1] if quick else CASES:
        epochs = [_Epoch(RunConfig(ls=ls, mul=mul, batch_size=batch_size), molecules, device) for batch_size, molecules in sizes]
        start = time.perf_counter()
        for epoch in epochs:
            epoch(0)
        warm_up = time.perf_counter() - start
        timings = take_turns(epochs, rounds=3 if quick else 12, seconds=seconds, desc=f"sizes {ls}")
        yield pd.DataFrame(_row(epoch, timing, timings[1], warm_up) for epoch, timing in zip(epochs, timings, strict=True))


class _Epoch:
    """The first batches of shuffled epochs over part of QM9, cut and trained on."""

    def __init__(self, config: RunConfig, molecules: int, device: str) -> None:
        self.config, self.molecules, self.device = config, molecules, device
        self.qm9 = load_qm9(progress=False)
        self.rows = np.random.default_rng(0).permutation(len(self.qm9))[:molecules]
        self.net = build_network(config).to(device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=config.lr, fused=True)

    @side_by_side()
    def __call__(self, epoch: int) -> float:
        """Seconds per molecule."""
        start = time.perf_counter()
        for number, rows in enumerate(shuffled_batches(self.rows, self.config.batch_size, 0, epoch)):
            if number * self.config.batch_size >= MOLECULES:
                break
            batch = self.qm9.batch(rows).to(self.device)
            self.optimizer.zero_grad()
            self.net.normalised(batch).square().mean().backward()
            self.optimizer.step()
        if self.device != "cpu":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / MOLECULES


def _row(epoch: _Epoch, timing: Timings, reference: Timings, warm_up: float) -> dict[str, object]:
    middle, first, third = timing.spread()
    ratio, low, high = timing.ratio(reference)
    return {
        "orders": str(list(epoch.config.ls)), "mul": epoch.config.mul, "batch_size": epoch.config.batch_size,
        "dataset_size": epoch.molecules, "ms_per_molecule": middle * 1e3,
        "quartile1_ms": first * 1e3, "quartile3_ms": third * 1e3, "rounds": len(timing.rounds),
        "times_reference": ratio, "times_reference_q1": low, "times_reference_q3": high, "warm_up_s": warm_up,
    }  # fmt: skip
