"""Whole training steps (forward, backward, AdamW) against the peers, on batches of 32 molecules."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.contestants import CONTESTANTS, Contestant, Skipped
from benchmarks.rounds import take_turns
from benchmarks.work import step_flops
from benchmarks.worker import Worker
from equinotes import RunConfig
from equinotes.audit.protocols.first.runs import PAPER_SETS
from equinotes.support.values import parse

CASES = sorted(PAPER_SETS, key=lambda case: step_flops(RunConfig(ls=case[0], mul=case[1]), bonds=1))
"""Orders and channels of the paper's table, by the work of a step."""
TOLERANCE = 1e-5
TURN = 1.0
"""Seconds of one turn at least, in whole steps: short steps are repeated."""


def run(
    *, quick: bool, threads: int, device: str, seconds: float, cases: Sequence[tuple[tuple[int, ...], int]] = ()
) -> Iterator[pd.DataFrame]:
    """One row per set of orders and contestant."""
    for ls, mul in cases or (CASES[:2] if quick else CASES):
        yield measure(ls, mul, CONTESTANTS, rounds=4 if quick else 16, threads=threads, device=device, seconds=seconds)


def cases_of(orders: str) -> list[tuple[tuple[int, ...], int]]:
    """The case with these orders, written 0,1,2 or 0,3-6; ValueError where there is none."""
    ls = parse("orders", orders, tuple[int, ...])
    found = [case for case in CASES if case[0] == ls]
    if not found:
        known = "; ".join(",".join(map(str, ls)) for ls, _ in CASES)
        raise ValueError(f"no case has the orders {orders}; known: {known}")
    return found


class Running(NamedTuple):
    """A contestant that takes part, its row of the table, and how many steps it does in one turn."""

    worker: Worker
    row: dict[str, Any]
    repeat: int

    def turn(self, number: int) -> float:
        """Seconds of one step."""
        return float(self.worker.call("steps", number, self.repeat))


def measure(
    ls: tuple[int, ...],
    mul: int,
    contestants: Sequence[Contestant],
    *,
    rounds: int,
    threads: int,
    device: str,
    seconds: float,
) -> pd.DataFrame:
    """These contestants on one set of orders, after a check that they compute the same; who fails before the race is left out."""
    config = RunConfig(ls=ls, mul=mul)
    expected: dict[str, np.ndarray] = {}
    running: list[Running] = []
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        for contestant in contestants:
            row = {"orders": str(list(ls)), "mul": mul, "batch_size": config.batch_size, "contestant": contestant.name}
            rows.append(row)
            worker = stack.enter_context(closing(Worker(contestant, config, threads, device)))
            try:
                row["build_s"] = worker.result()
                row["warm_up_s"] = worker.call("warm_up")
                found, first_step = worker.call("gradients"), worker.call("steps", 0, 1)
            except Skipped as reason:
                if not running:  # equinotes itself, with which all others are compared
                    raise
                row["skipped"] = str(reason)
                continue
            expected = found | expected  # a quantity is first computed by one contestant, which the later ones must match
            row["largest_relative_error"] = largest_error(expected | found, expected, contestant.name)
            running.append(Running(worker, row, max(1, round(TURN / max(first_step, 1e-3)))))
        _race(running, config, rounds=rounds, seconds=seconds)
    return pd.DataFrame(rows)


def _race(running: list[Running], config: RunConfig, *, rounds: int, seconds: float) -> None:
    """Let the workers take turns, and write what was measured into their rows; the first one also measures the roof."""
    own = running[0]
    roofs: list[float] = []

    def roof(_: int) -> float:
        roofs.append(own.worker.call("roof"))
        return roofs[-1]

    turns = [*(one.turn for one in running), roof]
    *timings, _ = take_turns(turns, rounds=rounds, seconds=seconds, least=1, desc=f"training {config.ls}")
    for one, timing in zip(running, timings, strict=True):
        middle, first, third = timing.spread()
        ratio, low, high = timing.ratio(timings[0])
        one.row.update(
            median_ms=middle * 1e3, quartile1_ms=first * 1e3, quartile3_ms=third * 1e3, rounds=len(timing.rounds),
            molecules_per_s=config.batch_size / middle,
            times_equinotes=ratio, times_equinotes_q1=low, times_equinotes_q3=high,
            peak_memory_MB=one.worker.call("peak_megabytes"),
        )  # fmt: skip
    needed = step_flops(config, statistics.mean(own.worker.call("bonds")))
    rate, peak = needed / timings[0].spread()[0] / 1e9, statistics.median(roofs)
    own.row.update(needed_GFLOP=needed / 1e9, GFLOP_per_s=rate, roof_GFLOP_per_s=peak, share_of_roof=rate / peak)


def largest_error(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], name: str) -> float:
    """Largest difference of predictions and gradients as a share of the largest value; stops the benchmark above 1e-5."""
    errors = {key: float(np.abs(found[key] - expected[key]).max() / np.abs(expected[key]).max()) for key in expected}
    worst = max(errors, key=lambda key: np.nan_to_num(errors[key], nan=np.inf))
    if not errors[worst] <= TOLERANCE:
        raise AssertionError(f"{name} computes another {worst}: its relative difference is {errors[worst]:.1e}")
    return errors[worst]
