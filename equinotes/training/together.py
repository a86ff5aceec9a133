"""Training on a GPU: runs that differ only in their seeds go side by side, in steps recorded once as a CUDA graph and replayed.

A step of one small network is several hundred short kernels that leave a GPU idle. Here a kernel serves all seeds (see
`networks.stacked`), and a graph holds several steps: their batches are cut from molecules in the GPU's memory, the geometry of
all of them is computed at once, and the CPU only says "again". Results are those of `loop.train` to rounding.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equinotes.config import RunConfig
from equinotes.data.batches import Batch, Split
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.data.resident import Resident, Room
from equinotes.data.splits import shuffled_batches
from equinotes.layers.geometry import Geometry
from equinotes.networks.stacked import Stacked, not_stackable
from equinotes.runs import store as runs
from equinotes.runs.store import Run
from equinotes.support.errors import NotFinite
from equinotes.support.progress import bar
from equinotes.training import loop
from equinotes.training.averaging import decay_at
from equinotes.training.checkpoints import State, save_checkpoint
from equinotes.training.schedules import SCHEDULES
from equinotes.training.targets import composition

STEPS_AT_ONCE = 16
"""Steps of one graph, whose geometry is computed together."""
WARM_UP = 3
EVALUATION_BATCH = 512
SECONDS_BETWEEN_CHECKPOINTS = 20.0


def train_together(
    configs: Sequence[RunConfig],
    *,
    device: str,
    runs_dir: str | Path = "runs",
    progress: bool = True,
    qm9: QM9 | None = None,
) -> list[Run]:
    """Train all configurations that are not complete yet; those that differ only in their seeds, side by side.

    Groups follow one another: one of them fills a GPU. What cannot be trained side by side (see `not_stackable`), or was cut off
    within an epoch elsewhere, is trained by itself. Raises as `loop.train` does.
    """
    qm9 = qm9 or load_qm9(progress=progress)
    groups: dict[RunConfig, list[RunConfig]] = defaultdict(list)
    for config in dict.fromkeys(configs):
        groups[config.but(seed=0)].append(config)
    for group in groups.values():
        _train_group(group, device, Path(runs_dir), progress, qm9)
    return [Run(Path(runs_dir) / config.run_id) for config in configs]


def _train_group(configs: list[RunConfig], device: str, runs_dir: Path, progress: bool, qm9: QM9) -> None:
    with ExitStack() as stack:
        stack.enter_context(torch.cuda.stream(torch.cuda.Stream()) if device.startswith("cuda") else nullcontext())
        for config in configs:
            (runs_dir / config.run_id).mkdir(parents=True, exist_ok=True)
            stack.enter_context(loop.claim(runs_dir / config.run_id))
        configs = [config for config in configs if not Run(runs_dir / config.run_id).complete]
        found = [Run(runs_dir / config.run_id) for config in configs]
        begun = [loop.begin(run, config, qm9, device) for run, config in zip(found, configs, strict=True)]
        states = [state for state, _ in begun]
        together: dict[int, list[int]] = defaultdict(list)
        alone = []
        for k, state in enumerate(states):
            if state.position.step or not_stackable(state.net):
                alone.append(configs[k])
            else:
                together[state.position.epoch].append(k)
        for some in together.values():
            Group([found[k] for k in some], [states[k] for k in some], begun[0][1], qm9, device).train(progress)
    for config in alone:
        loop.train(config, device=device, runs_dir=runs_dir, progress=progress, qm9=qm9, recorded=False)


@dataclass
class _Clock:
    """What a graph finds on the GPU: where it stands, and the sums that it adds to."""

    cursor: Tensor
    """Next step of the epoch."""
    step: Tensor
    """Next step of the run."""
    loss_sum: Tensor
    error_sum: Tensor


class Group:
    """Runs that differ only in their seeds, at the same epoch."""

    def __init__(self, found: list[Run], states: list[State], split: Split, qm9: QM9, device: str) -> None:
        self.runs, self.states, self.split, self.qm9, self.device = found, states, split, qm9, device
        self.config = config = states[0].net.config
        self.steps = loop.steps_per_epoch(config)
        self.stacked = Stacked([state.net for state in states])
        self.weights = list(self.stacked.weights.values())
        cuda = device.startswith("cuda")
        self.lr = torch.tensor(config.lr, device=device)
        self.optimizer = torch.optim.AdamW(
            self.weights, lr=self.lr if cuda else config.lr, weight_decay=config.weight_decay, fused=True, capturable=cuda
        )
        for weight in self.weights:  # as AdamW's first step would make them
            self.optimizer.state[weight] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
        self.averages = [weight.detach().clone() for weight in self.weights] if config.average else []
        self._gather()
        steps = range(config.epochs * self.steps)
        rates = [config.lr * SCHEDULES[config.schedule](step, len(steps)) for step in steps]
        decays = [decay_at(step + 1, config.average) for step in steps]
        self.rates, self.decays = (torch.tensor(values, device=device) for values in (rates, decays))
        self.resident = Resident(qm9, np.concatenate([split.train, split.val, split.test]), device)
        self.wanted = torch.from_numpy(self._normalised_targets()).to(device)
        self.saved = time.monotonic()
        number = len(states)
        self.order = torch.zeros(number, self.steps + STEPS_AT_ONCE, config.batch_size, dtype=torch.int64, device=device)
        self.clock = _Clock(
            *(torch.zeros(1, dtype=torch.int64, device=device) for _ in range(2)),
            *(torch.zeros(number, dtype=torch.float64, device=device) for _ in range(2)),
        )

    def train(self, progress: bool = True) -> None:
        """All epochs that are left, then results on disk."""
        for _ in self.epochs(progress):
            pass
        for run, state, predictions in zip(self.runs, self.states, self._predictions(self.split.test), strict=True):
            loop.finish(run, state.net.config, state, self.split, self.qm9, self.device, predictions)

    def epochs(self, progress: bool = True) -> Iterator[int]:
        """Train epoch by epoch; every now and then the checkpoints are written between two of them."""
        config, done = self.config, self.states[0].position.epoch
        batches = [self._batches(epoch) for epoch in range(done, config.epochs)]
        room = Room.of(self.qm9, np.concatenate([rows.reshape(-1, config.batch_size) for rows in batches]))
        replays = {size: self._record(size, room) for size in set(self._sizes())}
        total = (config.epochs - done) * self.steps
        with bar(total=total, desc=f"ls={config.ls}, {len(self.runs)} seeds", unit="step", progress=progress) as shown:
            for epoch, rows in enumerate(batches, start=done):
                start = time.monotonic()
                self._start_epoch(epoch, rows)
                for size in self._sizes():
                    replays[size]()
                    shown.update(size)
                self._end_epoch(start)
                yield epoch

    def _sizes(self) -> list[int]:
        whole, rest = divmod(self.steps, STEPS_AT_ONCE)
        return [STEPS_AT_ONCE] * whole + [1] * rest

    def _batches(self, epoch: int) -> np.ndarray:
        """Rows of every batch of an epoch, [networks, steps, batch_size]; -1 fills the last one up."""
        config = self.config
        rows = np.full((len(self.states), self.steps * config.batch_size), -1)
        for k, state in enumerate(self.states):
            batches = shuffled_batches(self.split.train, config.batch_size, state.net.config.seed, epoch)
            rows[k, : config.num_train] = np.concatenate(list(batches))
        return rows.reshape(len(self.states), self.steps, config.batch_size)

    def _start_epoch(self, epoch: int, rows: np.ndarray) -> None:
        self.order[:, : self.steps] = self.resident.places(rows)
        self.clock.cursor.zero_()
        self.clock.step.fill_(epoch * self.steps)
        self.clock.loss_sum.zero_()
        self.clock.error_sum.zero_()

    def _end_epoch(self, start: float) -> None:
        sums = torch.stack([self.clock.loss_sum, self.clock.error_sum]).cpu()  # waits for the GPU
        seconds = time.monotonic() - start
        self._scatter()
        predictions = self._predictions(self.split.val)
        if save := time.monotonic() - self.saved > SECONDS_BETWEEN_CHECKPOINTS:
            self.saved = time.monotonic()
        for k, (run, state) in enumerate(zip(self.runs, self.states, strict=True)):
            position = state.position
            if not torch.isfinite(sums[:, k]).all():
                raise NotFinite(loop.not_finite(run, state.net.config, "the loss is not finite", position))
            position.loss_sum, position.error_sum = float(sums[0, k]), float(sums[1, k]) * state.net.scale
            position.epoch_seconds = seconds
            position.seconds += seconds
            loop.end_epoch(state.net.config, position, self.split, self.qm9, lambda k=k: predictions[k])  # type: ignore[misc]
            if save:
                save_checkpoint(run.path / runs.CHECKPOINT, state)

    def _record(self, size: int, room: Room) -> Callable[[], object]:
        """A function that takes the next `size` steps; on a GPU they are recorded, and everything is left as it was before."""
        if not self.device.startswith("cuda"):
            return lambda: self._steps(size, room)
        kept = [tensor.clone() for tensor in self._changing()]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._steps(size, room)
                self.clock.cursor.zero_()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._steps(size, room)
        with torch.no_grad():
            for tensor, value in zip(self._changing(), kept, strict=True):
                tensor.copy_(value)
        return graph.replay

    def _changing(self) -> list[Tensor]:
        """Tensors that a step changes."""
        clock = self.clock
        moments = [tensor for weight in self.weights for tensor in self.optimizer.state[weight].values()]
        return [*self.weights, *self.averages, clock.cursor, clock.step, clock.loss_sum, clock.error_sum, *moments]

    def _steps(self, size: int, room: Room) -> None:
        """The next steps, beginning where the clock stands."""
        number, clock = len(self.states), self.clock
        upcoming = self.order.index_select(1, clock.cursor + torch.arange(size, device=self.device))
        places = upcoming.transpose(0, 1).flatten(0, 1)  # (step, network)
        batch = self.resident.batch(places, room)
        edges = self.stacked.geometry(batch)
        for k in range(size):
            self._step(
                replace(
                    batch,
                    pos=_part(batch.pos, k, size),
                    z=_part(batch.z, k, size),
                    molecule=_part(batch.molecule, k, size) - k * number * (room.molecules + 1),
                    rows=_part(batch.rows, k, size),
                ),
                _part_of(edges, k, size, number * room.atoms),
                _part(places, k, size),
            )
        clock.cursor += size

    def _step(self, batch: Batch, edges: Geometry, places: Tensor) -> None:
        # leaves of this step alone: autograd keeps a leaf's stream, and a recording must not meet another one
        leaves = {name: weight.detach().requires_grad_() for name, weight in self.stacked.weights.items()}
        outputs = self.stacked.outputs(batch, edges, leaves)[:, : places.shape[1]]
        real = places < len(self.wanted) - 1
        difference = (outputs - self.wanted[places]) * real
        counts = real.sum(1)
        errors = difference.square().sum(1) / counts
        gradients = torch.autograd.grad(errors.sum(), list(leaves.values()))
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        self._set_rate(self.rates[self.clock.step])
        self.optimizer.step()
        with torch.no_grad():
            self.clock.loss_sum += (errors * counts).double()
            self.clock.error_sum += difference.abs().sum(1).double()
            if self.averages:
                decay = self.decays[self.clock.step][0]
                torch._foreach_mul_(self.averages, decay)
                torch._foreach_add_(self.averages, torch._foreach_mul(self.weights, 1 - decay))
            self.clock.step += 1

    def _set_rate(self, rate: Tensor) -> None:
        if self.device.startswith("cuda"):
            self.lr.copy_(rate[0])
        else:
            self.optimizer.param_groups[0]["lr"] = rate.item()

    @torch.no_grad()
    def _predictions(self, rows: np.ndarray) -> list[dict[str, np.ndarray]]:
        """For each run: predictions [rows] in the target's unit, float64, of the last iterate and of the average."""
        found: list[dict[str, np.ndarray]] = [{} for _ in self.states]
        net = self.states[0].net
        mean, scale = float(net.ref_mean), net.scale
        energies = composition(self.qm9, rows) @ net.ref_elements.cpu().numpy()
        for prefix in ("", "average_") if self.averages else ("",):
            if prefix:
                self._swap()
            parts = [self._outputs(rows[start : start + EVALUATION_BATCH]) for start in range(0, len(rows), EVALUATION_BATCH)]
            if prefix:
                self._swap()
            for predictions, values in zip(found, np.concatenate(parts, axis=1), strict=True):
                predictions[f"{prefix}"] = mean + scale * values.astype(np.float64) + energies
        return found

    def _outputs(self, rows: np.ndarray) -> np.ndarray:
        batch = self.resident.batch(self.resident.places(np.tile(rows, (len(self.states), 1))), Room.of(self.qm9, rows[None]))
        return self.stacked.outputs(batch, self.stacked.geometry(batch))[:, : len(rows)].cpu().numpy()

    def _swap(self) -> None:
        for weight, average in zip(self.weights, self.averages, strict=True):
            own = weight.detach().clone()
            weight.copy_(average)
            average.copy_(own)

    def _normalised_targets(self) -> np.ndarray:
        """Targets of the resident molecules as the loss sees them, and zero for no molecule, float32."""
        net = self.states[0].net
        rows = np.concatenate([self.split.train, self.split.val, self.split.test])
        energies = composition(self.qm9, rows) @ net.ref_elements.cpu().numpy()
        values = (self.qm9.targets[self.config.target][rows] - float(net.ref_mean) - energies) / net.scale
        return np.append(values, 0.0).astype(np.float32)

    @torch.no_grad()
    def _gather(self) -> None:
        """Moments and averages of the single runs, where their checkpoints brought some, to the stacked ones."""
        for name, weight in self.stacked.weights.items():
            for k, state in enumerate(self.states):
                moments = state.optimizer.state.get(dict(state.net.named_parameters())[name], {})
                for key, tensor in moments.items():
                    stacked = self.optimizer.state[weight][key]
                    (stacked if key == "step" else stacked[k]).copy_(tensor)
        for average, name in zip(self.averages, self.stacked.weights, strict=bool(self.averages)):
            average.copy_(torch.stack([state.average.weights[name] for state in self.states if state.average is not None]))

    @torch.no_grad()
    def _scatter(self) -> None:
        """Weights, moments and averages to the single runs."""
        self.stacked.give_back()
        for place, (name, weight) in enumerate(self.stacked.weights.items()):
            moments = self.optimizer.state[weight]
            for k, state in enumerate(self.states):
                single = dict(state.net.named_parameters())[name]
                state.optimizer.state[single] = {
                    "step": moments["step"].clone(),
                    **{key: moments[key][k].clone() for key in ("exp_avg", "exp_avg_sq")},
                }
                if state.average is not None:
                    state.average.weights[name].copy_(self.averages[place][k])


def _part(x: Tensor, k: int, parts: int) -> Tensor:
    size = len(x) // parts
    return x[k * size : (k + 1) * size]


def _part_of(edges: Geometry, k: int, parts: int, atoms: int) -> Geometry:
    """The geometry of one of several equal parts of a batch, whose atoms are numbered from zero again."""
    atoms_of = {name: _part(getattr(edges, name), k, parts) - k * atoms for name in ("source", "target")}
    bonds_of = {name: _part(getattr(edges, name), k, parts) for name in ("vectors", "basis", "sh", "lift", "is_element")}
    own: dict[str, Any] = atoms_of | bonds_of
    return replace(edges, **own)
