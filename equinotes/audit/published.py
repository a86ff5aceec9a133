"""Which published models claim C6 examines, and their stored tables; what is measured lies in `foundation`.

Every network has a folder of its own, in which each finished part lies: a command that was stopped goes on there.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from equinotes.analysis.calibration import DRAWS
from equinotes.audit import foundation
from equinotes.audit.foundation import Examined
from equinotes.audit.protocol import named
from equinotes.audit.tables import write
from equinotes.data.qm9 import load_qm9
from equinotes.networks.adapted import Adapted
from equinotes.networks.sevennet import MODELS, VERSION, build_sevennet
from equinotes.support.files import write_atomically

RANDOM_SEEDS = 10
"""Draws of random weights, the replicates of the null of structure."""
TRAINED, RANDOM = "trained", "random"
TABLES = {
    "foundation": "damage", "foundation_structure": "structure", "foundation_norms": "norms", "foundation_pictures": "pictures",
    "foundation_models": "summary",
}  # fmt: skip
"""Stored tables, and the parts of single networks that they are made of."""


def tasks(seeds: int = RANDOM_SEEDS) -> Iterator[tuple[str, str, int]]:
    """Model, kind of weights and seed of every network that is examined."""
    for name in MODELS:
        yield name, TRAINED, 0
        yield from ((name, RANDOM, seed) for seed in range(seeds))


def examine_all(work: Path, folder: Path | str | None = None, *, progress: bool = True) -> dict[str, int]:
    """Measure every network of `tasks` and store the tables; returns the rows of each.

    `work` holds what is finished and is read again. Raises ValueError without the package `sevenn`.
    """
    torch.set_num_threads(1)  # many small products
    for model, weights, seed in tasks():
        measure(model, weights, seed, work, progress=progress)
    return store(work, folder)


def measure(model: str, weights: str, seed: int, work: Path, *, draws: int = DRAWS, progress: bool = True) -> None:
    """Examine one network and put its tables into a folder of `work`; what lies there is not measured again."""
    place = place_of(work, model, weights, seed)
    place.mkdir(parents=True, exist_ok=True)
    wanted = ["norms", "structure", "summary", *(["pictures"] if seed == 0 else []), *(["damage"] if weights == TRAINED else [])]
    groups = foundation.GROUPS if weights == TRAINED else 0
    if all((place / f"{name}.parquet").exists() for name in wanted) and (not groups or _slice(place, groups - 1).exists()):
        return
    net = build_sevennet(model, None if weights == TRAINED else seed)
    examined = foundation.examine(net, foundation.sample(load_qm9()), progress=progress)
    made = {
        "norms": foundation.norms, "structure": foundation.structure, "pictures": foundation.pictures,
        "summary": lambda examined: foundation.summary(net, examined).assign(draws=draws),
    }  # fmt: skip
    for name in made.keys() & set(wanted):
        write_atomically(place / f"{name}.parquet", made[name](examined).to_parquet)
    if groups:
        _shuffle(net, examined, place, draws, progress)


def _shuffle(net: Adapted, examined: Examined, place: Path, draws: int, progress: bool) -> None:
    """Shuffles group by group of molecules; the table of damage holds those that are finished."""
    group_of, done = foundation.group_of(examined), []
    for group in range(foundation.GROUPS):
        path = _slice(place, group)
        if not path.exists():
            found = foundation.shuffles(net, examined, np.flatnonzero(group_of == group), draws=draws, progress=progress)
            write_atomically(path, partial(_save, found))
        done.append(np.load(path))
        if group:  # a half needs the other half
            table = foundation.damage_shares(examined, np.concatenate(done), np.flatnonzero(group_of <= group))
            write_atomically(place / "damage.parquet", table.to_parquet)


def store(work: Path, folder: Path | str | None = None) -> dict[str, int]:
    """Write the tables from what is finished; returns the rows of each."""
    rows = {}
    for name, part in TABLES.items():
        tables = [
            pd.read_parquet(path).assign(model=model, weights=weights, seed=seed)
            for model, weights, seed in tasks()
            if (path := place_of(work, model, weights, seed) / f"{part}.parquet").exists()
        ]
        if tables:
            table = pd.concat(tables, ignore_index=True)
            write(name, table, folder, named("second"), sevenn=VERSION)
            rows[name] = len(table)
    return rows


def place_of(work: Path, model: str, weights: str, seed: int) -> Path:
    """Folder of one network's parts."""
    return work / f"{model}-{weights}-{seed}"


def _slice(place: Path, group: int) -> Path:
    return place / f"shuffles-{group}.npy"


def _save(array: np.ndarray, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, array)
