"""Training steps of the other networks, fast against plain e3nn, taking turns in one process."""

import math
import time
from collections.abc import Callable, Iterator
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch

from benchmarks.rounds import take_turns
from equinotes import RunConfig, build_network, load_qm9
from equinotes.layers import edgewise

CASES = {
    "SE(3)-Transformer, bonds, 8 channels": RunConfig.preset("se3_transformer"),
    "SE(3)-Transformer, 5 Å, 8 channels": RunConfig.preset("se3_transformer", graph="radius", cutoff=5.0),
    "SE(3)-Transformer, bonds, 32 channels": RunConfig.preset("se3_transformer", mul=32),
    "SE(3)-Transformer, 6 Å, 32 channels": RunConfig.preset("se3_transformer", graph="radius", cutoff=6.0, mul=32),
    "SEGNN, 2 Å, 8 channels": RunConfig.preset("segnn"),
    "SEGNN, bonds, 8 channels": RunConfig.preset("segnn", graph="bonds"),
}
AT_BONDS = "fast, weights made at the bonds"
"""The fast layers without their choice: see `equinotes.layers.edgewise`."""


def run(*, quick: bool, threads: int, device: str, seconds: float) -> Iterator[pd.DataFrame]:
    """One row per case and implementation; ratios are to the fast one, within rounds."""
    torch.set_num_threads(threads)
    for name, config in list(CASES.items())[:: 2 if quick else 1]:
        some = ("fast", "e3nn") if config.network == "segnn" else ("fast", AT_BONDS, "e3nn")
        turns = {implementation: _step(config, implementation, device) for implementation in some}
        for turn in turns.values():
            turn(0)
        timings = take_turns(list(turns.values()), rounds=4 if quick else 16, seconds=seconds, desc=name)
        rows = []
        for implementation, timing in zip(turns, timings, strict=True):
            middle, first, third = timing.spread()
            ratio, low, high = timing.ratio(timings[0])
            rows.append(
                {
                    "case": name, "implementation": implementation, "batch_size": config.batch_size,
                    "median_ms": middle * 1e3, "quartile1_ms": first * 1e3, "quartile3_ms": third * 1e3,
                    "rounds": len(timing.rounds), "times_fast": ratio, "times_fast_q1": low, "times_fast_q3": high,
                }
            )  # fmt: skip
        yield pd.DataFrame(rows)


def _step(config: RunConfig, implementation: str, device: str) -> Callable[[int], float]:
    """A turn: seconds of one training step (forward, backward, AdamW) on fixed random molecules."""
    qm9 = load_qm9(progress=False)
    rows = np.random.default_rng(0).choice(len(qm9), config.batch_size, replace=False)
    batch = qm9.batch(rows, graph=config.graph, cutoff=config.cutoff).to(device)
    net = build_network(config, "e3nn" if implementation == "e3nn" else "fast").to(device)
    margin = math.inf if implementation == AT_BONDS else edgewise.MARGIN
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.lr, fused=True)

    def step(_: int) -> float:
        start = time.perf_counter()
        optimizer.zero_grad()
        with patch.object(edgewise, "MARGIN", margin):
            net.normalised(batch).square().mean().backward()
        optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return step
