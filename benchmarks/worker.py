"""One contestant in a process of its own, so that each has its allocator and its peak of memory to itself."""

import math
import multiprocessing
import os
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.contestants import Contestant, Skipped
from equinotes import RunConfig, load_qm9
from equinotes.data.batches import Batch

NUM_BATCHES = 4
PROCESS = Path("/proc/self")
"""Where Linux tells about the process."""


class Trainer:
    """Training steps of one contestant on a few fixed batches of random molecules."""

    def __init__(self, contestant: Contestant, config: RunConfig, threads: int, device: str) -> None:
        torch.set_num_threads(threads)
        qm9 = load_qm9(progress=False)
        draw = np.random.default_rng(0)
        rows = [draw.choice(len(qm9), config.batch_size, replace=False) for _ in range(NUM_BATCHES)]
        self.device = device
        self.batches = [qm9.batch(some, graph=config.graph, cutoff=config.cutoff).to(device) for some in rows]
        for batch in self.batches:
            batch.pos.requires_grad_(contestant.positions)
        self.targets = [torch.from_numpy(draw.normal(size=config.batch_size)).float().to(device) for _ in rows]
        self.baseline = self.peak = reset_peak(device)
        start = time.perf_counter()
        self.net = contestant.build(config).to(device)
        options = {"lr": config.lr, "weight_decay": config.weight_decay, "fused": True}
        self.optimizer = torch.optim.AdamW(self.net.parameters(), **options)
        self.threads = contestant.threads
        self.seconds_to_build = time.perf_counter() - start

    def warm_up(self) -> float:
        """Seconds of the first forward and backward pass."""
        start = time.perf_counter()
        with self.threads():
            self.prediction = self._backward(self.batches[0], self.targets[0]).detach()
        self._synchronize()
        return time.perf_counter() - start

    def gradients(self) -> dict[str, np.ndarray]:
        """What the warm-up found, at the initial weights, and what must be the same for all contestants: predictions, and the
        loss's gradients.
        """
        found = {"prediction": self.prediction}
        for name, parameter in self.net.named_parameters():
            found[name] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        if self.batches[0].pos.grad is not None:
            found["positions"] = self.batches[0].pos.grad
        return {name: tensor.cpu().numpy() for name, tensor in found.items()}

    def steps(self, number: int, repeat: int) -> float:
        """Seconds of one whole step (forward, backward, AdamW) on batch `number`, mean of `repeat` steps."""
        number %= NUM_BATCHES
        with self.threads():
            self._synchronize()
            start = time.perf_counter()
            for _ in range(repeat):
                self._step(self.batches[number], self.targets[number])
            self._synchronize()
            return (time.perf_counter() - start) / repeat

    def peak_megabytes(self) -> float:
        """Memory at its peak, above what was there before the network."""
        return (max(self.peak, peak_bytes(self.device)) - self.baseline) / 1e6

    def roof(self) -> float:
        """GFLOP/s of a product of large square matrices, here and now; their memory does not count."""
        self.peak = max(self.peak, peak_bytes(self.device))
        size = 1024 if self.device == "cpu" else 8192
        a = torch.randn(size, size, device=self.device)
        a @ a
        self._synchronize()
        start = time.perf_counter()
        for _ in range(4):
            a @ a
        self._synchronize()
        seconds = time.perf_counter() - start
        del a
        reset_peak(self.device)
        return 4 * 2 * size**3 / seconds / 1e9

    def bonds(self) -> list[int]:
        """Bonds in each batch."""
        return [batch.edge_index.shape[1] // 2 for batch in self.batches]

    def _step(self, batch: Batch, target: torch.Tensor) -> None:
        self._backward(batch, target)
        self.optimizer.step()

    def _backward(self, batch: Batch, target: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad()
        batch.pos.grad = None
        predicted = self.net.normalised(batch)
        (predicted - target).square().mean().backward()
        return predicted

    def _synchronize(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize()


def reset_peak(device: str) -> float:
    """Forget the largest memory so far; what is in use now [bytes], NaN where the system cannot forget."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    else:
        try:
            (PROCESS / "clear_refs").write_text("5")  # Linux: the peak becomes what is in use
        except OSError:
            return math.nan
    return peak_bytes(device)


def peak_bytes(device: str) -> float:
    """Largest memory of this process, or of the GPU's allocator; NaN where the system does not tell."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated()
    try:
        lines = (PROCESS / "status").read_text().splitlines()
    except OSError:
        return math.nan
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), math.nan)


class Worker:
    """A `Trainer` in another process; its methods are called by name."""

    def __init__(self, contestant: Contestant, config: RunConfig, threads: int, device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.contestant = contestant
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, contestant, config, threads, device), daemon=True)
        with environment(contestant.environment | {"OMP_NUM_THREADS": str(threads)}):
            self._process.start()
        there.close()

    def call(self, method: str, *args: Any) -> Any:
        """The method's result."""
        self._here.send((method, args))
        return self.result()

    def result(self) -> Any:
        """What the process has to say next; raises Skipped where something went wrong there, which ends it."""
        try:
            result = self._here.recv()
        except (EOFError, ConnectionError):
            self._process.join(timeout=60)
            result = Skipped(f"its process ended with exit code {self._process.exitcode}")
        if isinstance(result, Skipped):
            raise result
        return result

    def close(self) -> None:
        """End the process: it stops when nobody can ask it any more."""
        self._here.close()
        self._process.join(timeout=60)
        self._process.kill()


def _serve(pipe: Connection, contestant: Contestant, config: RunConfig, threads: int, device: str) -> None:
    warnings.simplefilter("ignore")
    try:
        trainer = Trainer(contestant, config, threads, device)
        result: Any = trainer.seconds_to_build
        while True:
            pipe.send(result)
            try:
                method, args = pipe.recv()
            except EOFError:  # nobody can ask any more
                return
            result = getattr(trainer, method)(*args)
    except Skipped as reason:
        pipe.send(reason)
    except Exception as error:  # in words, for those of other packages need not survive the way
        traceback.print_exc()
        pipe.send(Skipped(f"{type(error).__name__}: {error}".splitlines()[0]))


@contextmanager
def environment(changes: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
