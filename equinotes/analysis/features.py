"""From a run and molecules to features per layer, to predictions under edits, and to gradients."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from e3nn import o3

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.data.frames import Frame, in_frame
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.networks.base import Network, Parts, pack_parts
from equinotes.runs.store import Run
from equinotes.support.cores import side_by_side
from equinotes.support.errors import UserError
from equinotes.support.progress import bar
from equinotes.training.prediction import batch_of, predict
from equinotes.training.targets import prepare


class LayerArray(NamedTuple):
    """Features of one layer."""

    name: str
    """The layer's name."""
    x: np.ndarray
    """[atoms or molecules, dim], packed as e3nn packs these irreps."""
    irreps: str
    """Each irrep once, with its number of channels: "16x0e+16x1o"."""


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
    per: Literal["molecule", "atom"] | str = "molecule",
    frame: Frame | str = "qm9",
    seed: int = 0,
    batch_size: int = 256,
    progress: bool = False,
) -> list[LayerArray]:
    """Features of molecules at every layer of the network, in its order.

    rows : rows of QM9 [molecules]
    per : "molecule" sums over atoms, [molecules, dim]; "atom" keeps them, [atoms, dim]
    frame : how each molecule lies: "qm9" (as stored), "random" (drawn by `seed`) or "principal" (axes of nuclear charge)

    Raises ValueError for rows outside the data set and for an unknown `per` or `frame`.
    """
    if per not in ("molecule", "atom"):
        raise UserError(f"per must be 'molecule' or 'atom', got {per!r}")
    net = as_network(run)
    collected: list[list[np.ndarray]] = [[] for _ in net.layers]
    for batch, _ in _batches(net, rows, batch_size, progress, frame, seed):
        for arrays, layer in zip(collected, net.features(batch), strict=True):
            x = layer.x
            if per == "molecule":
                x = x.new_zeros(batch.num_molecules, x.shape[-1]).index_add_(0, batch.molecule, x)
            arrays.append(x.cpu().numpy())
    return [
        LayerArray(layer.name, np.concatenate(arrays), layer.irreps) for layer, arrays in zip(net.layers, collected, strict=True)
    ]


def reaching(run: Run | Network) -> dict[int, list[str]]:
    """The irreps behind each layer that edits reach, by its number, on which the output depends at all.

    >>> reaching(untrained(RunConfig.preset("smoke", num_blocks=2)))
    {1: ['0e', '1o'], 2: ['0e']}
    """
    net = as_network(run)
    return {
        k: [str(ir) for _, ir in o3.Irreps(layer.irreps) if net.reaches(k, str(ir))]
        for k, layer in enumerate(net.layers)
        if layer.editable
    }


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
    """For every layer that edits reach: its features per atom, and the gradient of the loss (mean over molecules) with respect
    to them.

    What the energy never reads, such as the last block's l > 0 of the paper's network, has exactly zero gradient.
    """
    net = as_network(run)
    collected: dict[int, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for batch, targets in _batches(net, rows, batch_size, progress):
        for k, pair in gradients_in(partial(_loss, net, batch, targets, count=len(rows))).items():
            for arrays, parts in zip(collected.setdefault(k, ([], [])), pair, strict=True):
                arrays.append(pack_parts(parts).cpu().numpy())
    return [
        (LayerArray(name, np.concatenate(values), irreps), LayerArray(name, np.concatenate(gradients), irreps))
        for (name, irreps, _), (values, gradients) in ((net.layers[k], collected[k]) for k in sorted(collected))
    ]


def gradients_in(scalar: Callable[[Any], torch.Tensor]) -> dict[int, tuple[Parts, Parts]]:
    """For every layer that edits reach, by its number: features, and the gradient of `scalar(edit)` with respect to them.

    `scalar` computes one number by the network under the edit that it is given. Parameters keep the gradients that they had.
    """
    stream: dict[int, Parts] = {}

    def keep(layer: int, parts: Parts) -> Parts:
        stream[layer] = {irrep: part if part.requires_grad else part.detach().requires_grad_() for irrep, part in parts.items()}
        return stream[layer]

    with torch.enable_grad():
        value = scalar(keep)
        flat = [part for parts in stream.values() for part in parts.values()]
        slopes = iter(torch.autograd.grad(value, flat, allow_unused=True))
    return {
        layer: (
            {irrep: part.detach() for irrep, part in parts.items()},
            {irrep: _or_zero(next(slopes), part) for irrep, part in parts.items()},
        )
        for layer, parts in stream.items()
    }


@side_by_side()
def weight_gradients(run: Run | Network, rows: np.ndarray, *, batch_size: int = 64, progress: bool = False) -> pd.DataFrame:
    """Gradient of the loss over these molecules with respect to the weights of each path of each tensor product.

    Columns: `block` (number of the layer), `l1` (input), `l2` (harmonics), `l3` (output), `numel`, `grad_norm`, `zero_fraction`
    (share of entries that are exactly zero). Entries are those of the parameter that makes the weights. The table is empty for a
    network that does not tell its paths.
    """
    net = as_network(run)
    paths = net.block_paths()
    weights = {path.block: net.path_weight(path.block) for path in paths}
    gradients = {block: torch.zeros_like(weight) for block, weight in weights.items()}
    for batch, targets in _batches(net, rows, batch_size, progress) if paths else ():
        slopes = torch.autograd.grad(_loss(net, batch, targets, count=len(rows)), [*weights.values()], allow_unused=True)
        for block, slope in zip(weights, slopes, strict=True):
            gradients[block] += _or_zero(slope, weights[block])
    table = []
    for block, l1, l2, l3, where in paths:
        gradient = gradients[block][:, where]
        zeros = (gradient == 0).double().mean().item()
        table.append((block, l1, l2, l3, gradient.numel(), gradient.norm().item(), zeros))
    return pd.DataFrame(table, columns=["block", "l1", "l2", "l3", "numel", "grad_norm", "zero_fraction"])


def _batches(
    net: Network, rows: np.ndarray, batch_size: int, progress: bool, frame: Frame | str = "qm9", seed: int = 0
) -> Iterator[tuple[Batch, torch.Tensor]]:
    """Batches of these rows on the network's device, and their targets in the target's unit."""
    rows, qm9, device = np.asarray(rows), load_qm9(), str(next(net.parameters()).device)
    for start in bar(range(0, len(rows), batch_size), desc="molecules", progress=progress):
        some = rows[start : start + batch_size]
        targets = torch.from_numpy(qm9.targets[net.config.target][some])
        yield in_frame(batch_of(net.config, qm9, some), frame, seed).to(device), targets.to(device)


def _loss(net: Network, batch: Batch, targets: torch.Tensor, edit: Any = None, *, count: int) -> torch.Tensor:
    """Squared errors of the batch's molecules over `count`, in the units that training sees."""
    return (net.normalised(batch, edit=edit) - net.normalise(targets, batch)).square().sum() / count


def _or_zero(slope: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(like) if slope is None else slope.detach()
