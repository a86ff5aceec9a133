"""From a run and molecules to features per layer, to predictions under edits, and to gradients."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch

from equinotes.config import RunConfig
from equinotes.data.frames import Frame, in_frame
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.networks.paper import Network
from equinotes.runs.store import Run
from equinotes.support.cores import side_by_side
from equinotes.support.errors import UserError
from equinotes.support.progress import bar
from equinotes.training.prediction import batch_of, predict
from equinotes.training.targets import prepare


class LayerArray(NamedTuple):
    """Features of one layer: `x` is [atoms or molecules, dim], packed as `irreps` says."""

    name: str
    x: np.ndarray
    irreps: str


def as_network(run: Run | Network) -> Network:
    """The trained network of a run, or the network itself."""
    return run.network() if isinstance(run, Run) else run


def untrained(config: RunConfig, qm9: QM9 | None = None) -> Network:
    """The control: a configuration's network before its first step, with the references of its training set."""
    return prepare(config, qm9 or load_qm9())[0].eval()


@side_by_side()
@torch.no_grad()
def embed(
    run: Run | Network,
    rows: np.ndarray,
    *,
    per: Literal["molecule", "atom"] = "molecule",
    frame: Frame = "qm9",
    seed: int = 0,
    batch_size: int = 256,
    progress: bool = False,
) -> list[LayerArray]:
    """Features of molecules at every layer: the embedding, then the stream after each block.

    rows : rows of QM9 [molecules]
    per : "molecule" sums over atoms, [molecules, dim]; "atom" keeps them, [atoms, dim]
    frame : how each molecule lies: "qm9" (as stored), "random" (drawn by `seed`) or "principal" (axes of nuclear charge)

    Raises ValueError for rows outside the data set and for an unknown `per` or `frame`.
    """
    if per not in ("molecule", "atom"):
        raise UserError(f"per must be 'molecule' or 'atom', got {per!r}")
    net = as_network(run)
    layers: list[tuple[str, list[np.ndarray], str]] = []
    for batch in _batches(net, rows, batch_size, progress, frame, seed):
        for k, layer in enumerate(net.features(batch)):
            if k == len(layers):
                layers.append((layer.name, [], layer.irreps))
            x = layer.x
            if per == "molecule":
                x = x.new_zeros(batch.num_molecules, x.shape[-1]).index_add_(0, batch.molecule, x)
            layers[k][1].append(x.cpu().numpy())
    return [LayerArray(name, np.concatenate(parts), irreps) for name, parts, irreps in layers]


def predictor(run: Run | Network, rows: np.ndarray) -> Callable[..., np.ndarray]:
    """`predict(edit=None)` for these rows: predictions [molecules] in the target's unit, under an edit of the features."""
    net, qm9 = as_network(run), load_qm9()

    def predict_rows(edit: Any = None) -> np.ndarray:
        return predict(net, qm9, np.asarray(rows), edit=edit)

    return predict_rows


@side_by_side()
def feature_gradients(
    run: Run | Network, rows: np.ndarray, *, batch_size: int = 64, progress: bool = False
) -> list[tuple[LayerArray, LayerArray]]:
    """For every block: its features per atom, and the gradient of the loss (mean over molecules) with respect to them.

    What the energy never reads, such as the last block's l > 0, has exactly zero gradient.
    """
    net = as_network(run)
    collected: dict[int, tuple[list[np.ndarray], list[np.ndarray], str]] = {}
    for batch in _batches(net, rows, batch_size, progress):
        stream: dict[int, dict[str, torch.Tensor]] = {}

        def keep(block: int, parts: dict[str, torch.Tensor], stream: dict = stream) -> dict[str, torch.Tensor]:
            stream[block] = parts
            for part in parts.values():
                part.retain_grad()
            return parts

        (_loss_sum(net, batch, edit=keep) / len(rows)).backward()
        for block, parts in stream.items():
            irreps = "+".join(f"{part.shape[1]}x{ir}" for ir, part in parts.items())
            values, gradients, _ = collected.setdefault(block, ([], [], irreps))
            values.append(_packed(parts))
            gradients.append(_packed({ir: torch.zeros_like(x) if x.grad is None else x.grad for ir, x in parts.items()}))
    net.zero_grad(set_to_none=True)
    return [
        (LayerArray(f"block{k}", np.concatenate(values), irreps), LayerArray(f"block{k}", np.concatenate(gradients), irreps))
        for k, (values, gradients, irreps) in sorted(collected.items())
    ]


@side_by_side()
def weight_gradients(run: Run | Network, rows: np.ndarray, *, batch_size: int = 64, progress: bool = False) -> pd.DataFrame:
    """Gradient of the loss over these molecules with respect to the weights of each path of each tensor product.

    Columns: `block`, `l1` (input), `l2` (harmonics), `l3` (output), `numel`, `grad_norm`, `zero_fraction` (share of entries that
    are exactly zero). Entries are those of the radial network's last layer, [mul, weights], which makes the weights.
    """
    net = as_network(run)
    net.zero_grad(set_to_none=True)
    for batch in _batches(net, rows, batch_size, progress):
        (_loss_sum(net, batch) / len(rows)).backward()
    rows_of_table = []
    for path in net.block_paths():
        weight = net.path_weight(path.block)
        gradient = (torch.zeros_like(weight) if weight.grad is None else weight.grad)[:, path.where]
        rows_of_table.append(
            {
                "block": path.block,
                "l1": path.l1,
                "l2": path.l2,
                "l3": path.l3,
                "numel": gradient.numel(),
                "grad_norm": gradient.norm().item(),
                "zero_fraction": (gradient == 0).double().mean().item(),
            }
        )
    net.zero_grad(set_to_none=True)
    return pd.DataFrame(rows_of_table)


def _batches(
    net: Network, rows: np.ndarray, batch_size: int, progress: bool, frame: Frame = "qm9", seed: int = 0
) -> Iterator[Any]:
    rows, qm9, device = np.asarray(rows), load_qm9(), str(next(net.parameters()).device)
    for start in bar(range(0, len(rows), batch_size), desc="molecules", progress=progress):
        batch = batch_of(net.config, qm9, rows[start : start + batch_size])
        yield in_frame(batch, frame, seed).to(device)


def _loss_sum(net: Network, batch: Any, edit: Any = None) -> torch.Tensor:
    """Squared error summed over the batch, in the units that training sees."""
    targets = torch.from_numpy(load_qm9().targets[net.config.target][batch.rows.cpu().numpy()]).to(batch.pos.device)
    return (net.normalised(batch, edit=edit) - net.normalise(targets, batch)).square().sum()


def _packed(parts: dict[str, torch.Tensor]) -> np.ndarray:
    return torch.cat([part.detach().flatten(1) for part in parts.values()], dim=1).cpu().numpy()
