"""Batches of 32 molecules from packed arrays against PyTorch Geometric's DataLoader over a list of its `Data`."""

import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch

from benchmarks.rounds import take_turns
from equinotes import RunConfig, build_network, load_qm9
from equinotes.data.batches import shuffled_batches
from equinotes.support.cores import side_by_side

MOLECULES = 3200
BATCH_SIZE = 32
BATCHES = MOLECULES // BATCH_SIZE


def run(*, quick: bool, threads: int, device: str, seconds: float) -> Iterator[pd.DataFrame]:
    """One row per contestant: milliseconds per batch, as a share of equinotes' training step of [0, 1, 2] / 32 as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_geometric.loader import DataLoader

    torch.set_num_threads(threads)
    qm9 = load_qm9(progress=False)
    chosen = np.random.default_rng(0).permutation(len(qm9))[:MOLECULES]
    start = time.perf_counter()
    data = qm9.batch(chosen).to_pyg()  # made beforehand, as a PyG data set holds them in memory
    prepared = time.perf_counter() - start
    loader = DataLoader(data, batch_size=BATCH_SIZE, shuffle=False)
    own, theirs = next(iter(shuffled_batches(chosen, BATCH_SIZE, 0, 0))), next(iter(loader))
    same = qm9.batch(chosen[:BATCH_SIZE])
    assert torch.equal(same.pos, theirs.pos) and torch.equal(same.z, theirs.z) and torch.equal(same.molecule, theirs.batch)

    config = RunConfig(ls=(0, 1, 2), mul=32)
    net, batch = build_network(config).to(device), qm9.batch(own).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True)

    @side_by_side()
    def step() -> None:
        optimizer.zero_grad()
        net.normalised(batch).square().mean().backward()
        optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()

    turns: dict[str, Callable[[int], float]] = {
        "equinotes": lambda number: _seconds(
            lambda: [qm9.batch(some) for some in shuffled_batches(chosen, BATCH_SIZE, 0, number)]
        ),
        "PyTorch Geometric DataLoader": lambda number: _seconds(lambda: list(loader)),
        "training step": lambda number: _seconds(step) * BATCHES,
    }
    for turn in turns.values():
        turn(0)
    timings = dict(
        zip(turns, take_turns(list(turns.values()), rounds=4 if quick else 16, seconds=seconds, desc="batches"), strict=True)
    )
    of_step = timings.pop("training step")
    rows = []
    for name, timing in timings.items():
        middle, low, high = (1e3 * spent / BATCHES for spent in timing.spread())
        rows.append(
            {
                "contestant": name, "batch_size": BATCH_SIZE, "median_ms": middle, "quartile1_ms": low, "quartile3_ms": high,
                "rounds": len(timing.rounds), "times_equinotes": timing.ratio(timings["equinotes"])[0],
                "share_of_step": timing.ratio(of_step)[0], "prepared_s": prepared if name != "equinotes" else 0.0,
            }
        )  # fmt: skip
    yield pd.DataFrame(rows)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
