"""PHATE of an irrep's features: equinotes' settings against PHATE's defaults, and whether both show the same."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
import torch

from equinotes import RunConfig, load_qm9, train
from equinotes.analysis.features import embed
from equinotes.analysis.manifold import feature_tables, neighbour_overlap, phate, procrustes_correlation

MOLECULES = 13_083
NEIGHBOURS = 10
FEWER_LANDMARKS = (1000, 500)
CONFIG = RunConfig.preset("quick", ls=(0, 1, 2))
"""The network whose features are projected: one of those that the book's lessons train (trained here where it is not there)."""


def run(*, quick: bool, threads: int, device: str, seconds: float) -> Iterator[pd.DataFrame]:
    """Rows for each irrep, one per setting."""
    torch.set_num_threads(threads)
    rows = np.random.default_rng(0).permutation(len(load_qm9(progress=False)))[: 2_000 if quick else MOLECULES]
    last = embed(train(CONFIG, device=device).network(device), rows)[-2]  # the last block's input: all its orders are trained
    for irrep, part in list(feature_tables(last.x, last.irreps, "norms").items())[: 1 if quick else None]:
        yield _compare(irrep, part, threads)


def _compare(irrep: str, x: np.ndarray, threads: int) -> pd.DataFrame:
    """One row per setting: seconds, the agreement of its picture with that of PHATE's defaults, and the neighbours it keeps."""
    from phate import PHATE

    def default(seed: int) -> np.ndarray:
        return PHATE(random_state=seed, n_jobs=threads, verbose=0).fit_transform(x)

    settings: dict[str, Callable[[], np.ndarray]] = {
        "PHATE's defaults": lambda: default(0),
        "PHATE's defaults, another seed": lambda: default(1),
        "equinotes": lambda: phate(x, n_jobs=threads),
    }
    for landmarks in FEWER_LANDMARKS:
        settings[f"equinotes, {landmarks:,} landmarks"] = partial(phate, x, landmarks=landmarks, n_jobs=threads)
    PHATE(random_state=0, n_jobs=threads, verbose=0).fit_transform(x[:500])  # warm-up: what it loads when it is first used
    rows: list[dict[str, object]] = []
    expected, seconds_of_default = None, 0.0
    for name, make in settings.items():
        start = time.perf_counter()
        places = make()
        seconds = time.perf_counter() - start
        if expected is None:
            expected, seconds_of_default = places, seconds
        rows.append(
            {
                "irrep": irrep,
                "molecules": len(x),
                "setting": name,
                "seconds": seconds,
                "times_faster": seconds_of_default / seconds,
                "procrustes_correlation": procrustes_correlation(places, expected),
                "neighbours_kept": neighbour_overlap(x, places, NEIGHBOURS).overlap,
            }
        )
    return pd.DataFrame(rows)
