"""Train many configurations: on local processes, or on a Dask cluster by its address."""

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import pandas as pd
from tqdm.std import tqdm

from equinotes.config import RunConfig
from equinotes.runs.store import Run
from equinotes.support.devices import check_device
from equinotes.support.errors import UserError
from equinotes.support.progress import bar
from equinotes.sweeps.cluster import check_address, connect, local_workers

DIED = "its worker process died (out of memory?)"
RESTARTS = 2
"""How often a run is resubmitted if its worker died before the run started."""


def retrain_without(config: RunConfig, l: int) -> RunConfig:
    """The configuration without order l, to train again: a different experiment from zeroing l in a trained network.

    >>> retrain_without(RunConfig(ls=(0, 1, 2)), 1).ls
    (0, 2)
    """
    if l not in config.ls or l == 0:
        raise UserError(f"l must be one of the orders above 0 in ls={config.ls}, got {l}")
    return config.but(ls=[order for order in config.ls if order != l])


def check_means(workers: int | None, scheduler: str | None, device: str) -> None:
    """UserError for a number of workers, an address of a scheduler or a device that cannot be; nothing is started for it."""
    if workers is not None and workers < 1:
        raise UserError(f"workers must be at least 1, got {workers}")
    if scheduler is not None:
        check_address(scheduler)
    check_device(device)


def sweep(
    configs: Iterable[RunConfig],
    *,
    runs_dir: str | Path = "runs",
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """Train every configuration; complete runs come back at once, and interrupted ones continue.

    Runs go to `workers` local processes, which share the cores and the GPUs: by default one per GPU, where `device` is "auto"
    or "cuda" and there are GPUs, otherwise as many as cores and memory allow. With `scheduler`, runs go to the Dask cluster at
    that address, such as `tcp://node1:8786`: its workers need this package, one thread each, and `runs_dir` on a shared disk.

    Returns one row per distinct configuration, in the order given: `run_id`, `status` ("done", "failed" or "cancelled"),
    `error` (one line, empty when done) and `path`. A failed run affects no other; an interrupted sweep continues.

    Raises ValueError for a scheduler that does not answer within 10 s and for an unknown device, OSError where `runs_dir` cannot
    be made.
    """
    check_means(workers, scheduler, device)
    todo = {config.run_id: config for config in configs}
    folder = Path(runs_dir).resolve()
    outcome = {run_id: ("done", "") for run_id in todo if Run(folder / run_id).complete}
    waiting = {run_id: config for run_id, config in todo.items() if run_id not in outcome}
    if waiting:
        outcome |= _train_all(waiting, folder, workers, scheduler, device, progress)
    rows = [(run_id, *outcome[run_id], str(folder / run_id)) for run_id in todo]
    return pd.DataFrame(rows, columns=["run_id", "status", "error", "path"])


def _train_all(
    configs: dict[str, RunConfig], folder: Path, workers: int | None, scheduler: str | None, device: str, progress: bool
) -> dict[str, tuple[str, str]]:
    if scheduler is not None:
        with connect(scheduler) as client:
            folder.mkdir(parents=True, exist_ok=True)
            return _Sweep(client, folder, device, configs).run(progress)
    from equinotes.data.qm9 import load_qm9

    if device not in ("auto", "cpu"):  # checking others needs torch, which takes seconds to import
        from equinotes.training.loop import pick_device

        pick_device(device)
    folder.mkdir(parents=True, exist_ok=True)  # here, where it fails once for all runs
    load_qm9(progress=progress)  # packed once here; workers then memory-map it
    with local_workers(len(configs), workers, device) as (client, pool):
        return _Sweep(client, folder, device, configs).run(progress, pool.keep_up)


@dataclass
class _Sweep:
    """The runs in progress on one cluster: futures by run, and progress reported by the workers."""

    client: Any
    folder: Path
    device: str
    configs: dict[str, RunConfig]
    topic: str = field(default_factory=lambda: f"equinotes-{uuid4().hex}")
    news: "SimpleQueue[dict[str, Any]]" = field(default_factory=SimpleQueue)
    running: dict[str, Any] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    outcome: dict[str, tuple[str, str]] = field(default_factory=dict)
    met: bool = False

    def run(self, progress: bool, keep_up: Callable[[int, int], None] | None = None) -> dict[str, tuple[str, str]]:
        """Train all and return status and error by run; `keep_up(running, failed)` replaces dead workers."""
        self.client.subscribe_topic(self.topic, lambda event: self.news.put(event[1]))
        total = sum(config.epochs for config in self.configs.values())
        with bar(total=total, desc="sweep", progress=progress, unit="epoch") as shown:
            try:
                self.running = {run_id: self._submit(run_id) for run_id in self.configs}
                while self.running:
                    if keep_up is None:
                        self._wait_aloud(shown)
                    else:
                        keep_up(len(self.running), sum(status == "failed" for status, _ in self.outcome.values()))
                    with suppress(Empty):
                        self._hear(self.news.get(timeout=0.5), shown)
                    self._collect(shown)
            except BaseException:
                with suppress(Exception):  # the error above is the one to report
                    self.client.cancel(list(self.running.values()))
                raise
        return self.outcome

    def _wait_aloud(self, shown: "tqdm[Any]") -> None:
        """Say so while no worker of the cluster has come: a queue may hold them back for hours."""
        if self.met or shown.disable:
            return
        self.met = bool(self.client.nthreads())
        shown.set_postfix_str("" if self.met else "waiting, since no worker is connected yet")

    def _submit(self, run_id: str) -> Any:
        future = self.client.submit(_train_one, self.configs[run_id], str(self.folder), self.device, self.topic, pure=False)
        future.add_done_callback(lambda _: self.news.put({}))
        return future

    def _hear(self, news: dict[str, Any], shown: "tqdm[Any]") -> None:
        """Advance the bar by the epochs reported; an empty report only says that a run ended."""
        if not news:
            return
        run_id, epoch = news["run_id"], news["epoch"]
        before = self.epochs.get(run_id, 0)
        self.epochs[run_id] = max(before, epoch)
        shown.set_postfix_str(f"{len(self.outcome)} of {len(self.configs)} runs ended, {news['text']}", refresh=False)
        shown.update(self.epochs[run_id] - before)

    def _collect(self, shown: "tqdm[Any]") -> None:
        """Collect futures that are done; resubmit a run whose worker died before the run started."""
        for run_id, future in list(self.running.items()):
            if not future.done():
                continue
            status, error = self._verdict(run_id, future)
            if error == DIED and run_id not in self.epochs and self.restarts.get(run_id, 0) < RESTARTS:
                self.restarts[run_id] = self.restarts.get(run_id, 0) + 1
                self.running[run_id] = self._submit(run_id)
                continue
            self.outcome[run_id] = (status, error)
            del self.running[run_id]
            shown.update(self.configs[run_id].epochs - self.epochs.get(run_id, 0))
            if error:
                shown.write(f"{run_id} {status}: {error}", file=sys.stderr)

    def _verdict(self, run_id: str, future: Any) -> tuple[str, str]:
        from distributed import KilledWorker

        if future.cancelled():
            return "cancelled", "the cluster cancelled it"
        error = future.exception()
        if isinstance(error, KilledWorker):
            return "failed", DIED
        if error is not None:
            return "failed", " ".join(str(error).split()) or type(error).__name__
        if not Run(self.folder / run_id).complete:
            return "failed", f"it ended, but is not in {self.folder}: the cluster needs a shared disk"
        return "done", ""


def _train_one(config: RunConfig, runs_dir: str, device: str, topic: str) -> None:
    """Runs in a worker: train, and report after each epoch; stop once cancelled."""
    from distributed import get_worker

    from equinotes.training.loop import train

    worker = get_worker()
    key = worker.get_current_task()

    def tell(epoch: int, metrics: dict[str, float] | None = None) -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state in ("cancelled", "released"):
            raise InterruptedError("cancelled")
        error = next((f"{name} {value:.3f}" for name, value in (metrics or {}).items() if name.startswith("val_mae")), "")
        text = f"ls={','.join(map(str, config.ls))} seed={config.seed} {error}".strip()
        worker.log_event(topic, {"run_id": config.run_id, "epoch": epoch, "text": text})

    tell(0)
    train(config, device=device, runs_dir=runs_dir, progress=False, on_epoch=tell)
