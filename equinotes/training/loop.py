"""Training: AdamW on the objective, in runs that continue after any interruption.

The order of the batches, the learning rate and all random draws depend only on seed and step, and a checkpoint holds all that
changes, so that a run that was cut off ends, on a CPU with the same number of threads, with the weights of one that was not.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from torch import Tensor
from tqdm.std import tqdm

from equinotes.config import RunConfig
from equinotes.data.batches import Split, shuffled_batches
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.runs import provenance
from equinotes.runs import store as runs
from equinotes.runs.store import Run, error_columns, error_statistics, unit_suffix
from equinotes.support.cores import side_by_side
from equinotes.support.devices import check_device
from equinotes.support.errors import NotFinite, UserError
from equinotes.support.files import write_atomically, write_json
from equinotes.support.progress import bar
from equinotes.training.averaging import Average
from equinotes.training.checkpoints import Position, State, load_checkpoint, save_checkpoint, save_file
from equinotes.training.objective import Objective, pretraining_steps
from equinotes.training.prediction import predict
from equinotes.training.schedules import SCHEDULES
from equinotes.training.stages import enter, keep_orders
from equinotes.training.targets import prepare

SECONDS_BETWEEN_CHECKPOINTS = 20.0

OnEpoch = Callable[[int, dict[str, float]], None]


def train(
    config: RunConfig,
    *,
    device: str = "auto",
    runs_dir: str | Path = "runs",
    progress: bool = True,
    qm9: QM9 | None = None,
    on_epoch: OnEpoch | None = None,
    recorded: bool = True,
) -> Run:
    """Train one network, or continue where its run was cut off; a complete run comes back at once.

    `device` is "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1"; `on_epoch(epoch, metrics)` is called after each
    epoch. On a GPU, steps are `recorded` as a CUDA graph where the network allows it (`training.together`).
    Raises ValueError for a device that is not there and for more molecules than QM9 has, FloatingPointError when the loss stops
    being finite (the last good checkpoint stays), OSError when the disk is full (likewise).
    """
    check_device(device)
    run = Run(Path(runs_dir) / config.run_id)
    if run.complete:
        return run
    where = pick_device(device)
    if recorded and where.startswith("cuda") and on_epoch is None:
        from equinotes.training.together import train_together

        return train_together([config], device=where, runs_dir=runs_dir, progress=progress, qm9=qm9)[0]
    run.path.mkdir(parents=True, exist_ok=True)
    with claim(run.path):
        if not run.complete:  # another process may have ended it while this one waited
            _train(run, config, where, progress, qm9 or load_qm9(progress=progress), on_epoch)
    return Run(run.path)


def pick_device(device: str) -> str:
    """The device's name for torch; ValueError where it is unknown or not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = torch.device(check_device(device))
    there = torch.cuda.device_count()
    if kind.type == "cuda" and (kind.index or 0) >= there:
        raise UserError(f"device {device!r} is not there: torch sees {there} CUDA devices; use 'auto' or 'cpu'")
    return device


def begin(run: Run, config: RunConfig, qm9: QM9, device: str) -> tuple[State, Split]:
    """A run's state, from its checkpoint or from the start, with its configuration and split on disk."""
    net, split = prepare(config, qm9)
    net = net.to(device)
    objective = Objective(config, net).to(device)
    parameters = [*net.parameters(), *objective.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
    average = Average(net, config.average) if config.average else None
    state = State(net, objective, optimizer, average, Position())
    (run.path / runs.PROVENANCE).unlink(missing_ok=True)
    write_json(run.path / runs.CONFIG, config.to_dict())
    write_json(run.path / runs.SPLIT, {part: qm9.index[rows].tolist() for part, rows in asdict(split).items()})
    load_checkpoint(run.path / runs.CHECKPOINT, state)
    done = state.position.epoch * steps_per_epoch(config) + state.position.step
    keep_orders(net, config, max(done - 1, 0), config.epochs * steps_per_epoch(config))
    state.position.sittings += 1
    return state, split


@side_by_side()
def _train(run: Run, config: RunConfig, device: str, progress: bool, qm9: QM9, on_epoch: OnEpoch | None) -> None:
    state, split = begin(run, config, qm9, device)
    position = state.position
    done = position.epoch * config.num_train + position.step * config.batch_size
    total = config.epochs * config.num_train
    with bar(total=total, desc=f"ls={config.ls}", unit="mol", progress=progress, initial=done) as shown:
        if done and not shown.disable:
            shown.write(f"{run.run_id} goes on in epoch {position.epoch + 1} of {config.epochs}", file=shown.fp)
        while position.epoch < config.epochs:
            _train_epoch(run, config, state, split, qm9, device, shown)
            row = end_epoch(config, state.position, split, qm9, lambda: both_predictions(state, qm9, split.val))
            save_checkpoint(run.path / runs.CHECKPOINT, state)
            if on_epoch is not None:
                on_epoch(int(row["epoch"]), row)
    finish(run, config, state, split, qm9, device, both_predictions(state, qm9, split.test))


def _train_epoch(run: Run, config: RunConfig, state: State, split: Split, qm9: QM9, device: str, shown: tqdm) -> None:
    net, position = state.net, state.position
    net.train()
    last = saved = time.monotonic()
    batches = list(shuffled_batches(split.train, config.batch_size, config.seed, position.epoch))
    for rows in batches[position.step :]:
        value, absolute, terms = _step(run, config, state, qm9, rows, device)
        now = time.monotonic()
        for name, of_batch in terms.items():
            position.term_sums[name] = position.term_sums.get(name, 0.0) + of_batch * len(rows)
        position.loss_sum += value * len(rows)
        position.error_sum += absolute * net.scale
        position.epoch_seconds += now - last
        position.seconds += now - last
        position.step += 1
        last = now
        if now - saved > SECONDS_BETWEEN_CHECKPOINTS:
            save_checkpoint(run.path / runs.CHECKPOINT, state)
            saved = now
        _show(shown, position, config, len(rows))


def _step(
    run: Run, config: RunConfig, state: State, qm9: QM9, rows: np.ndarray, device: str
) -> tuple[float, float, dict[str, float]]:
    """One step; the squared error (mean) and the sum of the target's absolute errors, as the loss sees them, and the terms."""
    step = state.position.epoch * steps_per_epoch(config) + state.position.step
    enter(state, config, step, config.epochs * steps_per_epoch(config))
    loss = state.objective.of_rows(state.net, qm9, rows, step, device)
    value = loss.error.item()
    if not math.isfinite(value) or not math.isfinite(loss.total.item()):
        raise NotFinite(not_finite(run, config, f"the loss is {loss.total.item()}", state.position))
    for group in state.optimizer.param_groups:
        group["lr"] = config.lr * SCHEDULES[config.schedule](step, config.epochs * steps_per_epoch(config))
    state.optimizer.zero_grad()
    loss.total.backward()
    state.optimizer.step()
    if state.average is not None:
        begun = pretraining_steps(config)
        state.average.update(step + 1 - (begun if step >= begun else 0))
    terms = {name: term.item() for name, term in loss.terms.items()}
    return value, loss.difference.detach()[:, 0].abs().sum().item(), terms


def steps_per_epoch(config: RunConfig) -> int:
    """Batches that an epoch is cut into; the last one may be smaller."""
    return -(-config.num_train // config.batch_size)


def _show(shown: tqdm, position: Position, config: RunConfig, molecules: int) -> None:
    seen = min(position.step * config.batch_size, config.num_train)
    loss, mae = position.loss_sum / seen, position.error_sum / seen
    text = f"epoch {position.epoch + 1}/{config.epochs}, loss {loss:.4f}, MAE {mae:.3f} {config.unit}"
    shown.set_postfix_str(text, refresh=False)
    shown.update(molecules)


def end_epoch(
    config: RunConfig, position: Position, split: Split, qm9: QM9, predictions: Callable[[], dict[str, np.ndarray]]
) -> dict[str, float]:
    """Errors on the validation set, from its predictions; moves the position to the start of the next epoch."""
    names, start = error_columns(config.unit), time.monotonic()
    watched = {
        f"val_{prefix}{names[kind]}": error_statistics(qm9.targets[config.target][split.val], values, config.unit)[names[kind]]
        for prefix, values in predictions().items()
        for kind in ("mae", "rmse")
    }
    position.seconds += time.monotonic() - start
    row = {
        "epoch": float(position.epoch + 1),
        "train_loss": position.loss_sum / config.num_train,
        f"train_{names['mae']}": position.error_sum / config.num_train,
        **{f"train_{name}": total / config.num_train for name, total in position.term_sums.items()},
        **watched,
        "molecules_per_s": config.num_train / position.epoch_seconds,
        "seconds": position.seconds,
    }
    position.metrics.append(row)
    position.epoch, position.step = position.epoch + 1, 0
    position.loss_sum = position.error_sum = position.epoch_seconds = 0.0
    position.term_sums = {}
    return row


def both_predictions(state: State, qm9: QM9, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions [rows] of the last iterate (under "") and, where one is kept, of the averaged weights (under "average_")."""
    state.net.eval()
    found = {"": predict(state.net, qm9, rows)}
    if state.average is not None:
        with state.average.in_place():
            found["average_"] = predict(state.net, qm9, rows)
    return found


def finish(
    run: Run, config: RunConfig, state: State, split: Split, qm9: QM9, device: str, predictions: dict[str, np.ndarray]
) -> None:
    """Write tables, test `predictions` among them, and weights, then the provenance that makes the run complete."""
    unit, position = unit_suffix(config.unit), state.position
    if not all(np.isfinite(values).all() for values in predictions.values()):
        raise NotFinite(not_finite(run, config, "a test prediction is not finite", position))
    metrics = pd.DataFrame(position.metrics).astype({"epoch": int})
    known = {"qm9_index": qm9.index[split.test], f"target_{unit}": qm9.targets[config.target][split.test]}
    test = pd.DataFrame(known | {f"{prefix}prediction_{unit}": values for prefix, values in predictions.items()})
    write_atomically(run.path / runs.METRICS, lambda path: metrics.to_parquet(path, index=False))
    write_atomically(run.path / runs.PREDICTIONS, lambda path: test.to_parquet(path, index=False))
    files = [runs.CONFIG, runs.SPLIT, runs.METRICS, runs.PREDICTIONS, runs.MODEL]
    _write_weights(run.path / runs.MODEL, state.net.state_dict())
    if state.average is not None:
        _write_weights(run.path / runs.AVERAGE, state.net.state_dict() | state.average.weights)
        files.append(runs.AVERAGE)
    record = {
        "versions": provenance.versions(),
        "numerics": provenance.NUMERICS,
        "commit": provenance.commit(),
        "data_sha256": qm9.checksum,
        "started": position.started,
        "seconds": position.seconds,
        "sittings": position.sittings,
        "parameters": sum(parameter.numel() for parameter in state.net.parameters()),
        "files": {name: (run.path / name).stat().st_size for name in files},
    }
    write_json(run.path / runs.PROVENANCE, record | provenance.machine(device))
    (run.path / runs.CHECKPOINT).unlink(missing_ok=True)


def _write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    tensors = {name: tensor.contiguous().cpu() for name, tensor in weights.items()}
    write_atomically(path, lambda beside: save_file(tensors, beside))


def claim(folder: Path) -> FileLock:
    """The lock of a run folder; it falls with the process that holds it, however that ends."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0.05)
        lock.release()
    except Timeout:
        tqdm.write(f"another process is training {folder.name}; waiting for it")
    return lock


def not_finite(run: Run, config: RunConfig, what: str, position: Position) -> str:
    """The message of a run that diverged."""
    return (
        f"{what} in epoch {position.epoch + 1}, step {position.step + 1} of {run.run_id}; the checkpoint before it is kept. "
        f"Try a lower lr than {config.lr}"
    )
