"""Everything that a run needs to go on as if it had not been cut off, in one safetensors file.

Held are the network, the terms' own parameters, the optimiser's moments, the averaged weights, and the position (sums and
metrics so far). The learning rate and all random draws are functions of seed and step, and need no state.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from tqdm.std import tqdm

from equinotes.networks.base import Network
from equinotes.runs import provenance
from equinotes.support.errors import UserError
from equinotes.support.files import write_atomically
from equinotes.training.averaging import Average
from equinotes.training.objective import Objective


@dataclass
class Position:
    """How far a run has come; stored as JSON inside its checkpoint."""

    epoch: int = 0
    step: int = 0
    """Steps done within the epoch."""
    loss_sum: float = 0.0
    error_sum: float = 0.0
    term_sums: dict[str, float] = field(default_factory=dict)
    """Values of the additional terms, by name."""
    epoch_seconds: float = 0.0
    seconds: float = 0.0
    started: str = field(default_factory=provenance.now)
    sittings: int = 0
    metrics: list[dict[str, float]] = field(default_factory=list)


@dataclass
class State:
    """The parts of a run that change while it trains."""

    net: Network
    objective: Objective
    optimizer: torch.optim.Optimizer
    average: Average | None
    position: Position

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """All that the optimiser moves: `net/...` and `objective/...`."""
        modules = {"net": self.net, "objective": self.objective}
        return {f"{part}/{name}": p for part, module in modules.items() for name, p in module.named_parameters()}


def save_file(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors; unlike safetensors' own function it says by an OSError that the disk is full."""
    path.write_bytes(save(tensors, metadata=metadata))


def save_checkpoint(path: Path, state: State) -> None:
    """Write the state beside its place, then rename it."""
    tensors = _tensors(state)
    for name, parameter in state.named_parameters().items():
        tensors |= {f"optimizer/{name}/{key}": tensor for key, tensor in state.optimizer.state[parameter].items()}
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    metadata = {"position": json.dumps(asdict(state.position))}
    write_atomically(path, lambda beside: save_file(tensors, beside, metadata=metadata))


def load_checkpoint(path: Path, state: State) -> None:
    """Put a stored state back; without a readable checkpoint that fits, nothing changes and training starts at the beginning."""
    if not path.exists():
        return
    try:
        with safe_open(path, "pt") as stored:
            position = Position(**json.loads(stored.metadata()["position"]))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no dictionary)
        _check(tensors, state)
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError) as error:
        tqdm.write(f"{path} is damaged ({str(error).splitlines()[0]}); this run starts over")
        return
    with torch.no_grad():
        for name, tensor in _tensors(state).items():
            tensor.copy_(tensors[name])
    for name, parameter in state.named_parameters().items():
        prefix = f"optimizer/{name}/"
        moments = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        if moments:
            state.optimizer.state[parameter] = {key: tensor.to(parameter.device) for key, tensor in moments.items()}
    state.position = position


def _tensors(state: State) -> dict[str, Tensor]:
    """The live tensors of the modules and of the average, by the names that they have in a checkpoint."""
    tensors = {f"net/{name}": tensor for name, tensor in state.net.state_dict().items()}
    tensors |= {f"objective/{name}": tensor for name, tensor in state.objective.state_dict().items()}
    if state.average is not None:
        tensors |= {f"average/{name}": tensor for name, tensor in state.average.weights.items()}
    return tensors


def _check(tensors: dict[str, Tensor], state: State) -> None:
    """ValueError unless every tensor is there in its shape; checked before any is put back."""
    wanted = {name: tensor.shape for name, tensor in _tensors(state).items()}
    for name, parameter in state.named_parameters().items():
        for key in [key for key in tensors if key.startswith(f"optimizer/{name}/")]:
            wanted[key] = torch.Size() if key.endswith("/step") else parameter.shape
    for name in wanted.keys() | tensors.keys():
        if name not in wanted or name not in tensors or tensors[name].shape != wanted[name]:
            raise UserError(f"{name} does not fit this configuration")
