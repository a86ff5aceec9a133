"""Whole training steps (forward, backward, AdamW) against the peers, on batches of 32 molecules."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.contestants import CONTESTANTS, Skipped
from benchmarks.rounds import take_turns
from benchmarks.work import step_flops
from benchmarks.worker import Worker
from equinotes import RunConfig
from equinotes.values import parse

CASES = [
    ((0, 1, 2), 32),
    ((0, 1, 2, 3, 4), 16),
    ((0, 3, 4, 5, 6), 16),
    ((0, 1, 2, 3, 4, 5, 6), 16),
    ((0, 1, 2, 4), 32),
    ((0, 1, 2, 6), 32),
    ((0, 1, 2, 8), 32),
    ((0, 1, 2, 10), 32),
    ((0, 1, 2, 3, 4, 5, 6, 7, 8), 16),
]
"""Orders and channels of the paper's table, and one set beyond it; what takes longest comes last."""
TOLERANCE = 1e-5
TURN = 1.0
"""Seconds of one turn at least, in whole steps: short steps are repeated."""


def run(
    *, quick: bool, threads: int, device: str, seconds: float, cases: Sequence[tuple[tuple[int, ...], int]] = ()
) -> Iterator[pd.DataFrame]:
    """One row per set of orders and contestant."""
    for ls, mul in cases or (CASES[:2] if quick else CASES):
        yield measure(ls, mul, rounds=4 if quick else 16, threads=threads, device=device, seconds=seconds)


def cases_of(orders: str) -> list[tuple[tuple[int, ...], int]]:
    """The case with these orders, written 0,1,2 or 0,3-6; ValueError where there is none."""
    ls = parse("orders", orders, tuple[int, ...])
    found = [case for case in CASES if case[0] == ls]
    if not found:
        known = "; ".join(",".join(map(str, ls)) for ls, _ in CASES)
        raise ValueError(f"no case has the orders {orders}; known: {known}")
    return found


def measure(ls: tuple[int, ...], mul: int, *, rounds: int, threads: int, device: str, seconds: float) -> pd.DataFrame:
    """All contestants on one set of orders, after a check that they compute the same."""
    config = RunConfig(ls=ls, mul=mul)
    expected: dict[str, np.ndarray] = {}
    running: list[tuple[Worker, dict[str, Any]]] = []
    rows = []
    with ExitStack() as stack:
        for contestant in CONTESTANTS:
            worker = stack.enter_context(closing(Worker(contestant, config, threads, device)))
            rows.append({"orders": str(list(ls)), "mul": mul, "batch_size": config.batch_size, "contestant": contestant.name})
            try:
                rows[-1]["build_s"] = worker.result()
            except Skipped as reason:
                rows[-1]["skipped"] = str(reason)
                continue
            found = worker.call("gradients")
            expected = expected or found
            rows[-1]["largest_relative_error"] = largest_error(found, expected, contestant.name)
            rows[-1]["warm_up_s"] = worker.call("steps", 0, 1)
            running.append((worker, rows[-1]))
        _race(running, config, rounds=rounds, seconds=seconds)
    return pd.DataFrame(rows)


def _race(running: list[tuple[Worker, dict[str, Any]]], config: RunConfig, *, rounds: int, seconds: float) -> None:
    """Let the workers take turns, and write what was measured into their rows; the first one also measures the roof."""
    workers, rows = zip(*running, strict=True)
    roofs: list[float] = []
    repeats = [max(1, round(TURN / max(row["warm_up_s"], 1e-3))) for row in rows]

    def roof(_: int) -> float:
        roofs.append(workers[0].call("roof"))
        return roofs[-1]

    def turn(worker: Worker, repeat: int) -> Any:
        return lambda number: worker.call("steps", number, repeat)

    turns = [turn(worker, repeat) for worker, repeat in zip(workers, repeats, strict=True)]
    *timings, _ = take_turns([*turns, roof], rounds=rounds, seconds=seconds, least=1, desc=f"training {config.ls}")
    bonds = statistics.mean(workers[0].call("bonds"))
    peak = statistics.median(roofs)
    for worker, row, timing in zip(workers, rows, timings, strict=True):
        ratio, low, high = timing.ratio(timings[0])
        row |= {
            "median_ms": timing.quantile(0.5) * 1e3, "quartile1_ms": timing.quantile(0.25) * 1e3,
            "quartile3_ms": timing.quantile(0.75) * 1e3, "rounds": len(timing.rounds),
            "molecules_per_s": config.batch_size / timing.quantile(0.5),
            "times_equinotes": ratio, "times_equinotes_q1": low, "times_equinotes_q3": high,
            "peak_memory_MB": worker.call("peak_megabytes"),
        }  # fmt: skip
    gflops = step_flops(config, bonds) / timings[0].quantile(0.5) / 1e9
    rows[0].update(
        needed_GFLOP=step_flops(config, bonds) / 1e9, GFLOP_per_s=gflops, roof_GFLOP_per_s=peak, share_of_roof=gflops / peak
    )


def largest_error(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], name: str) -> float:
    """Largest difference of predictions and gradients as a share of the largest value; stops the benchmark above 1e-5."""
    errors = {key: float(np.abs(found[key] - expected[key]).max() / np.abs(expected[key]).max()) for key in expected}
    worst = max(errors, key=errors.__getitem__)
    if not errors[worst] <= TOLERANCE:
        raise AssertionError(f"{name} computes another {worst}: its relative difference is {errors[worst]:.1e}")
    return errors[worst]
