"""Workers of a sweep: local processes, or an existing Dask cluster."""

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from equinotes.support.errors import TaskFailed, UserError

SECONDS_TO_CONNECT = 5
GIB_PER_WORKER = 1.5
IDLE_DEATHS = 3
"""Deaths of local workers, beyond those of failed runs, that are tolerated."""


@contextmanager
def connect(address: str) -> Iterator[Any]:
    """A client of the Dask scheduler at this address; UserError if it does not answer within 10 s."""
    from distributed import Client

    _knock(address)
    with _unbroken():
        client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    try:
        yield client
    finally:
        with _unbroken():
            client.close()


def check_address(address: str) -> None:
    """UserError for what is no address of a scheduler."""
    if not re.fullmatch(r"(\w+://)?[^/\s]+:\d+", address):
        raise UserError(f"the address of a Dask scheduler must have the form tcp://node1:8786, got {address!r}")


def _knock(address: str) -> None:
    """Check that a scheduler answers; a client without one hangs when it closes."""
    from distributed.comm import connect as open_comm

    async def shake_hands() -> None:
        comm = await asyncio.wait_for(open_comm(address), SECONDS_TO_CONNECT)  # its own timeout does not cover a silent peer
        await comm.close()

    check_address(address)
    try:
        with ThreadPoolExecutor(1) as pool:  # a new thread: in Jupyter this one already runs an event loop
            pool.submit(asyncio.run, shake_hands()).result()
    except (OSError, ValueError, TypeError) as error:
        hint = "start one with `dask scheduler`, or leave the address out to use local processes"
        raise UserError(f"no Dask scheduler answers at {address!r}; {hint}") from error


@contextmanager
def _unbroken() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block: a Dask client hangs if its start or close is interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt


@dataclass
class LocalWorkers:
    """Local worker processes. Dead ones are replaced; all end with the process that started them."""

    scheduler: str
    count: int
    threads: int
    scratch: str
    gpus: Sequence[str] = ()
    """GPUs to share, by their names in CUDA_VISIBLE_DEVICES: each worker sees one of them. Without any, workers see all."""
    processes: dict[int, tuple[subprocess.Popen, IO[bytes]]] = field(default_factory=dict)
    """Process and log of each worker, by its number from 0 to count - 1."""
    deaths: int = 0

    def keep_up(self, wanted: int, failed: int) -> None:
        """Start missing processes, up to `wanted`; TaskFailed if workers die more often than runs fail."""
        for number, (process, log) in [*self.processes.items()]:
            if process.poll() is None:
                continue
            del self.processes[number]
            self.deaths += 1
            with log:
                if self.deaths > failed + IDLE_DEATHS:
                    raise TaskFailed(f"worker processes die as soon as they start: {_last_line(log)}")
        missing = [number for number in range(self.count) if number not in self.processes]
        for number in missing[: max(0, min(wanted, self.count) - len(self.processes))]:
            self.processes[number] = self._start(number)

    def environment(self, number: int) -> dict[str, str]:
        """Environment variables that a worker has in addition to ours."""
        threads = str(self.threads)
        gpu = {"CUDA_VISIBLE_DEVICES": self.gpus[number % len(self.gpus)]} if self.gpus else {}
        return {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "EQUINOTES_PROGRESS": "0", **gpu}

    def _start(self, number: int) -> tuple[subprocess.Popen, IO[bytes]]:
        log = tempfile.TemporaryFile(dir=self.scratch)  # noqa: SIM115 (open as long as the process runs)
        call = f"work({self.scheduler!r}, {self.scratch!r}, parent={os.getpid()})"
        process = subprocess.Popen(
            [sys.executable, "-c", f"from equinotes.sweeps.cluster import work; {call}"],
            env=os.environ | self.environment(number),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the terminal reaches only the sweep, which then ends them
        )
        return process, log

    def kill(self) -> None:
        """Kill all processes; runs continue from their checkpoints."""
        for process, _ in self.processes.values():
            process.kill()
        for process, log in self.processes.values():
            process.wait()
            log.close()
        self.processes.clear()


def visible_gpus(device: str) -> list[str]:
    """GPUs that local workers share, by their names in CUDA_VISIBLE_DEVICES; none for `cpu`, and for `cuda:1`, which is one."""
    if device not in ("auto", "cuda"):
        return []
    import torch

    count = torch.cuda.device_count()
    names = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    return [name.strip() for name in names.split(",")][:count]


@contextmanager
def local_workers(runs: int, workers: int | None, device: str = "auto") -> Iterator[tuple[Any, LocalWorkers]]:
    """A client and its worker processes: at most one per run, and `workers` of them.

    Without `workers`: one per GPU, where the device is a GPU, otherwise as many as cores and memory allow.
    """
    import dask
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    gpus = visible_gpus(device)
    count = min(runs, workers or len(gpus) or (1 if device.startswith("cuda") else affordable()))
    quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL + 1}
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 0}))
        with _unbroken():
            cluster = stack.enter_context(LocalCluster(n_workers=0, host="127.0.0.1", **quiet))
            client = stack.enter_context(Client(cluster, set_as_default=False))
        pool = LocalWorkers(cluster.scheduler_address, count, max(1, CPU_COUNT // count), scratch, gpus)
        try:
            yield client, pool
        finally:
            with _unbroken():
                pool.kill()
                stack.close()


def work(scheduler: str, scratch: str, *, parent: int) -> None:
    """Main function of a local worker process."""
    from distributed import Worker

    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    async def serve() -> None:
        async with Worker(scheduler, nthreads=1, memory_limit=0, local_directory=scratch, dashboard=False) as worker:
            await worker.finished()

    asyncio.run(serve())


def _end_with(parent: int) -> None:
    """Exit when the parent process has ended, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def affordable() -> int:
    """How many processes the cores and the memory that this process may use allow, as a job on a cluster was given them."""
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return max(1, min(CPU_COUNT, int(MEMORY_LIMIT / 2**30 / GIB_PER_WORKER)))


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
