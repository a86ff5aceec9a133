"""The diagnostics of trained networks, and of the same networks before their first step, on the test molecules of the protocol.

Networks are examined side by side, each in a process of its own. What was found out about a network is kept in a work folder, so
that the same command continues; when all have had their turn the tables are written.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from equinotes.analysis.representation import cka
from equinotes.audit.protocol import Protocol, named
from equinotes.audit.tables import NETWORK, checksum, folder_of, load, merged, write
from equinotes.config import RunConfig
from equinotes.data.qm9 import load_qm9
from equinotes.runs.store import AVERAGE, MODEL, Run
from equinotes.support.progress import bar
from equinotes.sweeps.cluster import affordable

WORK = Path("runs", "diagnostics")
"""Where results of single networks are kept until they are gathered; like runs, nothing to commit."""
SINGLE = ("gradients", "norms", "ranks", "weights", "ablations", "structure", "probes", "pictures", "uses")
"""Tables that a network yields on its own, beside those of a version's own schemas; `similarity` takes pairs of them."""
SPECTRA = "spectra.npz"
VERSION = 3
"""To be raised when a network is examined in another way: what was kept of the old way is then not used."""


Examine = Callable[..., Any] | None
"""How a version examines a network; see `Protocol.examine`."""


class Task(NamedTuple):
    """One network to examine: trained or not, and whether in full or by its gradients, norms and ranks alone."""

    config: RunConfig
    trained: bool
    full: bool
    weights: str = ""
    """Start of the checksum of its weights: what is known of a run that was trained again is not used."""

    @property
    def name(self) -> str:
        """Name of its folder of results."""
        state = f"trained-{self.weights}" if self.trained else "untrained"
        return f"{self.config.run_id}-{state}-v{VERSION}"


def tasks(runs_dir: Path | str, protocol: Protocol | None = None) -> list[Task]:
    """Runs with weights: the subjects of a version, in full, and its other networks. Seed by seed, the longest first."""
    protocol = protocol or named()
    full = protocol.subjects()
    ids = {config.run_id for config in full}
    found = []
    for config in [*full, *(config for config in protocol.others() if config.run_id not in ids)]:
        run = Run(Path(runs_dir) / config.run_id)
        if run.has_weights(average=config.average > 0):
            weights = checksum(run.path / (AVERAGE if config.average else MODEL))[:12]
            found += [Task(config, trained, config.run_id in ids, weights) for trained in (True, False)]
    return sorted(found, key=lambda task: (not task.full, task.config.seed, -len(task.config.ls), not task.trained))


def diagnose(
    runs_dir: Path | str = "runs", out: Path | str | None = None, *, protocol: Protocol | None = None, work: Path | str = WORK,
    workers: int | None = None, progress: bool = True,
) -> dict[str, int]:  # fmt: skip
    """Examine every complete run of `tasks` that was not examined yet, and write the tables of diagnostics into `out`.

    `workers` processes with one thread each (unless given, as many as cores and memory allow). Returns the rows of each table;
    rows of runs that were stored before and do not lie in `runs_dir` stay. A network that fails stops the others; what is done is
    kept. Raises FileNotFoundError where no run is complete.
    """
    protocol = protocol or named()
    folder, todo = Path(work), tasks(runs_dir, protocol)
    if not todo:
        raise FileNotFoundError(
            f"no complete runs of the audit in {Path(runs_dir).resolve()}; equinotes audit run{protocol.words} makes them"
        )
    load_qm9(progress=progress)  # packed once here; the processes then map it
    waiting = [task for task in todo if not (folder / task.name).is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    if waiting:
        _examine_all(waiting, protocol.examine, Path(runs_dir), folder, min(len(waiting), workers or affordable()), progress)
    return gather(todo, folder, out, protocol)


def gather(examined: list[Task], work: Path, out: Path | str | None = None, protocol: Protocol | None = None) -> dict[str, int]:
    """Write the tables from the results of single networks; returns the rows of each."""
    protocol = protocol or named()
    place, keep = folder_of(out, protocol), {config.run_id for config in [*protocol.subjects(), *protocol.others()]}
    rows = {}
    for name in dict.fromkeys([*SINGLE, *protocol.schemas]):
        parts = [pd.read_parquet(path) for task in examined if (path := work / task.name / f"{name}.parquet").exists()]
        if parts:
            table = merged(name, pd.concat(parts, ignore_index=True), keep, place, protocol)
            write(name, table, place, protocol)
            rows[name] = len(table)
    if pairs := _similarities([task for task in examined if task.full], work):
        table = pd.concat([load("similarity", place, protocol), pd.DataFrame(pairs)], ignore_index=True)
        table = table.drop_duplicates([column for column in table if column != "cka"], keep="last", ignore_index=True)
        write("similarity", table, place, protocol)
        rows["similarity"] = len(table)
    return rows


def _similarities(examined: list[Task], work: Path) -> list[dict]:
    """CKA of the power spectra of two seeds, for each set of orders, irrep and pair of seeds, trained and untrained."""
    groups: dict[tuple, list[Task]] = {}
    for task in examined:
        groups.setdefault((task.config.ls, task.config.mul, task.trained), []).append(task)
    rows = []
    for (ls, mul, trained), members in groups.items():
        spectra = {
            task.config.seed: np.load(work / task.name / SPECTRA) for task in members if (work / task.name / SPECTRA).exists()
        }
        for a, b in combinations(sorted(spectra), 2):
            for irrep in spectra[a].files:
                value = cka(spectra[a][irrep], spectra[b][irrep])
                pair = {"seed_a": a, "seed_b": b, "trained": trained}
                rows.append({"ls": ls, "mul": mul, "irrep": irrep, **pair, "cka": value})
    return rows


def _examine_all(waiting: list[Task], examine: Examine, runs_dir: Path, work: Path, workers: int, progress: bool) -> None:
    with _one_thread(), ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_give_way) as pool:
        futures = {pool.submit(_examine_into, task, examine, runs_dir, work): task for task in waiting}
        try:
            for future in bar(as_completed(futures), total=len(futures), desc="networks", unit="net", progress=progress):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start within use one thread, in torch and in linear algebra."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ |= dict.fromkeys(names, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _give_way() -> None:
    """Runs in a worker, once: other processes of the machine come first."""
    if hasattr(os, "nice"):
        os.nice(5)


def _examine_into(task: Task, examine: Examine, runs_dir: Path, work: Path) -> None:
    """Runs in a worker: examine a network and put its tables into its folder, all of them or none."""
    import torch

    from equinotes.audit import examination

    torch.set_num_threads(1)
    tables, spectra = (examine or examination.examine)(task.config, runs_dir, trained=task.trained, full=task.full)
    config = task.config
    about = dict(zip(NETWORK, (config.run_id, config.ls, config.mul, config.seed, task.trained), strict=True))
    beside = work / f".{task.name}-{os.getpid()}"
    beside.mkdir()
    try:
        for name, table in tables.items():
            columns = pd.DataFrame({column: [value] * len(table) for column, value in about.items()})
            pd.concat([columns, table], axis=1).to_parquet(beside / f"{name}.parquet", index=False)
        if spectra:
            np.savez(beside / SPECTRA, **spectra)
        beside.replace(work / task.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
