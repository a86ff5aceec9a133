"""Training: AdamW on the mean squared error, as in the paper, in runs that continue after any interruption.

The order of the batches depends only on the seed and the epoch, and a checkpoint holds weights, moments and sums together, so
that a run that was cut off ends, on a CPU with the same number of threads, with the weights of one that was not.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm.std import tqdm

from equinotes.config import RunConfig, check_target
from equinotes.data.batches import Split, draw_split, shuffled_batches
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.networks.paper import NUM_ELEMENTS, Network, build_network
from equinotes.runs import provenance
from equinotes.runs import store as runs
from equinotes.runs.store import Run, error_columns, error_statistics, unit_suffix
from equinotes.support.cores import side_by_side
from equinotes.support.files import write_atomically, write_json
from equinotes.support.progress import bar

SECONDS_BETWEEN_CHECKPOINTS = 20.0
EVALUATION_BATCH = 256

OnEpoch = Callable[[int, dict[str, float]], None]


def train(
    config: RunConfig,
    *,
    device: str = "auto",
    runs_dir: str | Path = "runs",
    progress: bool = True,
    qm9: QM9 | None = None,
    on_epoch: OnEpoch | None = None,
) -> Run:
    """Train one network, or continue where its run was cut off; a complete run comes back at once.

    `device` is "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1"; `on_epoch(epoch, metrics)` is called after each
    epoch.
    Raises ValueError for a device that is not there and for more molecules than QM9 has, FloatingPointError when the loss stops
    being finite (the last good checkpoint stays), OSError when the disk is full (likewise).
    """
    run = Run(Path(runs_dir) / config.run_id)
    if run.complete:
        return run
    where = pick_device(device)
    run.path.mkdir(parents=True, exist_ok=True)
    with _claim(run.path):
        if not run.complete:  # another process may have ended it while this one waited
            _train(run, config, where, progress, qm9 or load_qm9(progress=progress), on_epoch)
    return Run(run.path)


def pick_device(device: str) -> str:
    """The device's name for torch; ValueError where it is unknown or not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device)
    except RuntimeError:
        kind = None
    if kind is None or kind.type not in ("cpu", "cuda"):
        raise ValueError(f"unknown device {device!r}; known: auto, cpu, cuda, cuda:0, cuda:1, ...")
    there = torch.cuda.device_count()
    if kind.type == "cuda" and (kind.index or 0) >= there:
        raise ValueError(f"device {device!r} is not there: torch sees {there} CUDA devices; use 'auto' or 'cpu'")
    return device


def prepare(config: RunConfig, qm9: QM9) -> tuple[Network, Split]:
    """The untrained network of a configuration, with the references of its training set, and its split."""
    check_target(config.target)
    split = draw_split(
        qm9, num_train=config.num_train, num_val=config.num_val, num_test=config.num_test, split_seed=config.split_seed
    )
    net = build_network(config)
    net.set_reference(*fit_reference(qm9, split.train, config))
    if config.auxiliary:
        values = targets_of(config, qm9, split.train)[:, 1:]
        net.set_auxiliary(values.mean(dim=0), values.std(dim=0, correction=0))
    return net, split


def targets_of(config: RunConfig, qm9: QM9, rows: np.ndarray) -> Float[Tensor, "rows outputs"]:
    """The target and then the auxiliary targets of these rows, in their units, float64."""
    return torch.from_numpy(np.stack([qm9.targets[name][rows] for name in (config.target, *config.auxiliary)], axis=1))


def fit_reference(qm9: QM9, rows: np.ndarray, config: RunConfig) -> tuple[float, float, Tensor | None]:
    """Mean and standard deviation of the target over the training rows, and energies per element [100] or None.

    With `reference="composition"` the target is first fitted by one number per element (least squares, no constant) and mean and
    standard deviation are those of what is left. The paper's constants are the "mean" reference of the whole data set.
    """
    values = qm9.targets[config.target][rows].astype(np.float64)
    elements = None
    if config.reference == "composition":
        counts = composition(qm9, rows)
        present = counts.any(axis=0)
        solution = np.linalg.lstsq(counts[:, present], values, rcond=None)[0]
        elements = np.zeros(counts.shape[1])
        elements[present] = solution
        values = values - counts @ elements
    scale = float(values.std())
    if not scale > 0:
        raise ValueError(f"{config.target} does not vary over the {len(rows)} training molecules; raise num_train")
    return float(values.mean()), scale, None if elements is None else torch.from_numpy(elements)


def composition(qm9: QM9, rows: np.ndarray) -> np.ndarray:
    """Atoms of each element by molecule: [rows, 100], column = atomic number."""
    counts = np.zeros((len(rows), NUM_ELEMENTS))
    owner, atoms = qm9.atoms_of(rows)
    np.add.at(counts, (owner, qm9.z[atoms]), 1)
    return counts


@side_by_side()
@torch.no_grad()
def predict(net: Network, qm9: QM9, rows: np.ndarray, *, edit: Any = None, progress: bool = False) -> np.ndarray:
    """Predictions [rows] in the target's unit, float64; `edit` as in `Network.forward`."""
    device = str(next(net.parameters()).device)
    parts = [
        net(batch_of(net.config, qm9, some).to(device), edit=edit).double().cpu().numpy()
        for some in bar(_chunks(rows), desc="predict", progress=progress)
    ]
    return np.concatenate(parts)


def batch_of(config: RunConfig, qm9: QM9, rows: np.ndarray) -> Any:
    """The batch of these rows with the configuration's graph."""
    return qm9.batch(rows, graph=config.graph, cutoff=config.cutoff)


def _chunks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + EVALUATION_BATCH] for start in range(0, len(rows), EVALUATION_BATCH)]


@dataclass
class _Position:
    """How far a run has come; stored as JSON inside its checkpoint."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    error_sum: float = 0.0
    epoch_seconds: float = 0.0
    seconds: float = 0.0
    started: str = field(default_factory=provenance.now)
    sittings: int = 0
    metrics: list[dict[str, float]] = field(default_factory=list)


@side_by_side()
def _train(run: Run, config: RunConfig, device: str, progress: bool, qm9: QM9, on_epoch: OnEpoch | None) -> None:
    net, split = prepare(config, qm9)
    net = net.to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True)
    (run.path / runs.PROVENANCE).unlink(missing_ok=True)
    write_json(run.path / runs.CONFIG, config.to_dict())
    write_json(run.path / runs.SPLIT, {part: qm9.index[rows].tolist() for part, rows in asdict(split).items()})
    position = _load_checkpoint(run.path / runs.CHECKPOINT, net, optimizer)
    position.sittings += 1
    done = position.epoch * config.num_train + position.step * config.batch_size
    with bar(total=config.epochs * config.num_train, desc=f"ls={config.ls}", unit="mol", progress=progress) as shown:
        shown.update(done)
        while position.epoch < config.epochs:
            _train_epoch(run, net, optimizer, position, split, qm9, shown)
            row = _finish_epoch(config, net, position, split, qm9)
            _save_checkpoint(run.path / runs.CHECKPOINT, net, optimizer, position)
            if on_epoch is not None:
                on_epoch(int(row["epoch"]), row)
    _finish(run, config, net, position, split, qm9, device)


def _train_epoch(
    run: Run, net: Network, optimizer: torch.optim.Optimizer, position: _Position, split: Split, qm9: QM9, shown: tqdm
) -> None:
    config = net.config
    device = next(net.parameters()).device
    net.train()
    last = saved = time.monotonic()
    batches = list(shuffled_batches(split.train, config.batch_size, config.seed, position.epoch))
    for rows in batches[position.step :]:
        batch = batch_of(config, qm9, rows).to(str(device))
        wanted = net.normalise(targets_of(config, qm9, rows).to(device), batch)
        difference = net.outputs(batch) - wanted
        loss = difference.square().mean()
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(_not_finite(run, config, f"the loss is {value}", position))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        now = time.monotonic()
        position.loss_sum += value * len(rows)
        position.error_sum += difference.detach()[:, 0].abs().sum().item() * net.scale
        position.epoch_seconds += now - last
        position.seconds += now - last
        position.step += 1
        last = now
        if now - saved > SECONDS_BETWEEN_CHECKPOINTS:
            _save_checkpoint(run.path / runs.CHECKPOINT, net, optimizer, position)
            saved = now
        _show(shown, position, config, len(rows))


def _show(shown: tqdm, position: _Position, config: RunConfig, molecules: int) -> None:
    seen = min(position.step * config.batch_size, config.num_train)
    loss, mae = position.loss_sum / seen, position.error_sum / seen
    text = f"epoch {position.epoch + 1}/{config.epochs}, loss {loss:.4f}, MAE {mae:.3f} {config.unit}"
    shown.set_postfix_str(text, refresh=False)
    shown.update(molecules)


def _finish_epoch(config: RunConfig, net: Network, position: _Position, split: Split, qm9: QM9) -> dict[str, float]:
    """Errors on the validation set; moves the position to the start of the next epoch."""
    start = time.monotonic()
    net.eval()
    watched = error_statistics(qm9.targets[config.target][split.val], predict(net, qm9, split.val), config.unit)
    position.seconds += time.monotonic() - start
    names = error_columns(config.unit)
    row = {
        "epoch": float(position.epoch + 1),
        "train_loss": position.loss_sum / config.num_train,
        f"train_{names['mae']}": position.error_sum / config.num_train,
        f"val_{names['mae']}": watched[names["mae"]],
        f"val_{names['rmse']}": watched[names["rmse"]],
        "molecules_per_s": config.num_train / position.epoch_seconds,
        "seconds": position.seconds,
    }
    position.metrics.append(row)
    position.epoch, position.step = position.epoch + 1, 0
    position.loss_sum = position.error_sum = position.epoch_seconds = 0.0
    return row


def _finish(run: Run, config: RunConfig, net: Network, position: _Position, split: Split, qm9: QM9, device: str) -> None:
    """Write tables and weights, then the provenance that makes the run complete."""
    net.eval()
    unit = unit_suffix(config.unit)
    predictions = predict(net, qm9, split.test)
    if not np.isfinite(predictions).all():
        raise FloatingPointError(_not_finite(run, config, "a test prediction is not finite", position))
    metrics = pd.DataFrame(position.metrics).astype({"epoch": int})
    test = pd.DataFrame(
        {
            "qm9_index": qm9.index[split.test],
            f"target_{unit}": qm9.targets[config.target][split.test],
            f"prediction_{unit}": predictions,
        }
    )
    write_atomically(run.path / runs.METRICS, lambda path: metrics.to_parquet(path, index=False))
    write_atomically(run.path / runs.PREDICTIONS, lambda path: test.to_parquet(path, index=False))
    weights = {name: tensor.contiguous().cpu() for name, tensor in net.state_dict().items()}
    write_atomically(run.path / runs.MODEL, lambda path: save_file(weights, path))
    files = (runs.CONFIG, runs.SPLIT, runs.METRICS, runs.PREDICTIONS, runs.MODEL)
    record = {
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "data_sha256": qm9.checksum,
        "started": position.started,
        "seconds": position.seconds,
        "sittings": position.sittings,
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "files": {name: (run.path / name).stat().st_size for name in files},
    }
    write_json(run.path / runs.PROVENANCE, record | provenance.machine(device))
    (run.path / runs.CHECKPOINT).unlink(missing_ok=True)


def save_file(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors; unlike safetensors' own function it says by an OSError that the disk is full."""
    path.write_bytes(save(tensors, metadata=metadata))


def _save_checkpoint(path: Path, net: Network, optimizer: torch.optim.Optimizer, position: _Position) -> None:
    tensors = {f"net/{name}": tensor for name, tensor in net.state_dict().items()}
    for name, parameter in net.named_parameters():
        tensors |= {f"optimizer/{name}/{key}": tensor for key, tensor in optimizer.state[parameter].items()}
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    metadata = {"position": json.dumps(asdict(position))}
    write_atomically(path, lambda beside: save_file(tensors, beside, metadata=metadata))


def _load_checkpoint(path: Path, net: Network, optimizer: torch.optim.Optimizer) -> _Position:
    """Put weights and moments back; without a readable checkpoint training starts at the beginning."""
    if not path.exists():
        return _Position()
    try:
        with safe_open(path, "pt") as stored:
            position = _Position(**json.loads(stored.metadata()["position"]))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no dictionary)
        net.load_state_dict({name.removeprefix("net/"): tensor for name, tensor in tensors.items() if name.startswith("net/")})
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError) as error:
        tqdm.write(f"{path} is damaged ({str(error).splitlines()[0]}); this run starts over")
        return _Position()
    for name, parameter in net.named_parameters():
        prefix = f"optimizer/{name}/"
        state = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        if state:
            optimizer.state[parameter] = {key: tensor.to(parameter.device) for key, tensor in state.items()}
    return position


def _claim(folder: Path) -> FileLock:
    """The lock of a run folder; it falls with the process that holds it, however that ends."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0.05)
        lock.release()
    except Timeout:
        tqdm.write(f"another process is training {folder.name}; waiting for it")
    return lock


def _not_finite(run: Run, config: RunConfig, what: str, position: _Position) -> str:
    return (
        f"{what} in epoch {position.epoch + 1}, step {position.step + 1} of {run.run_id}; the checkpoint before it is kept. "
        f"Try a lower lr than {config.lr}"
    )
