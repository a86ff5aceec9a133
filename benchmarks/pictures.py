"""PHATE of an irrep's features: equinotes' settings against PHATE's defaults, and whether both show the same."""

import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from equinotes import RunConfig, load_qm9, train
from equinotes.analysis.manifold import feature_tables, neighbour_overlap, phate, procrustes_correlation
from equinotes.embedding import embed

MOLECULES = 13_083
NEIGHBOURS = 10
CONFIG = RunConfig.preset("quick", ls=(0, 1, 2))
"""The network whose features are projected: one of those that the book's lessons train (trained here where it is not there)."""


def run(*, quick: bool, threads: int, device: str, seconds: float) -> Iterator[pd.DataFrame]:
    """One row per irrep: seconds of both, correlation of the pictures, and how many true neighbours each one keeps."""
    torch.set_num_threads(threads)
    rows = np.random.default_rng(0).permutation(len(load_qm9(progress=False)))[: 2_000 if quick else MOLECULES]
    last = embed(train(CONFIG, device=device).network(device), rows)[-2]  # the last block's input: all its orders are trained
    for irrep, part in list(feature_tables(last.x, last.irreps, "norms").items())[: 1 if quick else None]:
        yield pd.DataFrame([_compare(irrep, part, threads)])


def _compare(irrep: str, x: np.ndarray, threads: int) -> dict[str, object]:
    from phate import PHATE

    start = time.perf_counter()
    default = PHATE(random_state=0, n_jobs=threads, verbose=0).fit_transform(x)
    middle = time.perf_counter()
    own = phate(x, seed=0, n_jobs=threads)
    end = time.perf_counter()
    return {
        "irrep": irrep,
        "molecules": len(x),
        "default_s": middle - start,
        "equinotes_s": end - middle,
        "default_times_equinotes": (middle - start) / (end - middle),
        "procrustes_correlation": procrustes_correlation(own, default),
        "default_keeps": neighbour_overlap(x, default, NEIGHBOURS).overlap,
        "equinotes_keeps": neighbour_overlap(x, own, NEIGHBOURS).overlap,
    }
