"""Predictions under edits behind each block, computed once where the network allows it.

Without a gate the paper's network is affine in the features behind a block: weights of its products depend on distances alone.
Predictions under any edit are then those without it plus gradient x change, and one backward pass serves every block and draw.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.analysis.ablation import Edit
from equinotes.data.batches import Batch
from equinotes.data.qm9 import load_qm9
from equinotes.irreps import split_irreps
from equinotes.networks.base import Layered, Network, Parts
from equinotes.training.prediction import batch_of

BATCH = 128
"""Molecules of one backward pass."""


class Edited(NamedTuple):
    """One block: its irreps, and `predict(edit=None)` -> predictions [molecules] of all molecules in the target's unit."""

    block: int
    irreps: list[str]
    predict: Callable[..., Float[np.ndarray, " molecules"]]


def edited(net: Network, rows: Int[np.ndarray, " molecules"]) -> Iterator[Edited]:
    """Every block but the last, whose orders above 0 reach nothing, for these rows of QM9."""
    return by_gradients(net, rows) if isinstance(net, Layered) and net.affine else by_computing(net, rows)


def by_computing(net: Network, rows: Int[np.ndarray, " molecules"]) -> Iterator[Edited]:
    """Each edit computes the network from the block on that is edited, all molecules in one batch."""
    weight = next(net.parameters())
    batch = batch_of(net.config, load_qm9(), rows).to(weight.device, weight.dtype)
    with torch.no_grad():
        features = net.features(batch)
    for block, layer in enumerate(features[1:-1], start=1):
        parts = split_irreps(layer.x, layer.irreps)

        @torch.no_grad()
        def predict(edit: Edit | None = None, block: int = block, parts: Parts = parts) -> np.ndarray:
            return net.continued(batch, block, parts if edit is None else edit(block, parts)).double().cpu().numpy()

        yield Edited(block, list(parts), predict)


def by_gradients(net: Layered, rows: Int[np.ndarray, " molecules"]) -> Iterator[Edited]:
    """One backward pass for all edits: right for affine networks only."""
    qm9, weight = load_qm9(), next(net.parameters())
    batches = [batch_of(net.config, qm9, rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
    batches = [batch.to(weight.device, weight.dtype) for batch in batches]
    passes = [_slopes(net, batch) for batch in batches]
    whole = torch.cat([values for values, _ in passes])
    molecule = torch.cat([batch.molecule.cpu() + k * BATCH for k, batch in enumerate(batches)])
    for block in range(1, len(net.layers) - 1):
        parts, slopes = (_joined([layers[block][side] for _, layers in passes]) for side in (0, 1))

        def predict(edit: Edit | None = None, block: int = block, parts: Parts = parts, slopes: Parts = slopes) -> np.ndarray:
            changed, atoms = parts if edit is None else edit(block, parts), torch.zeros(len(molecule), dtype=torch.float64)
            for irrep, part in parts.items():
                if changed[irrep] is not part:
                    atoms += ((changed[irrep] - part) * slopes[irrep]).flatten(1).sum(dim=1)
            return (whole + torch.zeros_like(whole).index_add(0, molecule, atoms)).numpy()

        yield Edited(block, list(parts), predict)


def stream(net: Layered, batch: Batch, *, slopes: bool = False) -> list[Tensor]:
    """Features after every layer in the network's layout, the last one's scalars alone; with `slopes` a graph behind them."""
    edges = net.edges(batch)
    found = [net.embed(batch).detach()]
    for layer in range(1, len(net.layers)):
        x = net.step(layer, found[-1], edges, everything=False)
        found.append(x.requires_grad_() if slopes and not x.requires_grad else x)
    return found


def _slopes(net: Layered, batch: Batch) -> tuple[Tensor, dict[int, tuple[Parts, Parts]]]:
    """Predictions, and by block but the last its features and the gradient of their molecules' predictions."""
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    with torch.enable_grad():
        found = stream(net, batch, slopes=True)
        values = net.predicted(net.read(found[-1], batch), batch)
        gradients = torch.autograd.grad(values.sum(), found[1:-1])
    sides = zip(found[1:-1], gradients, strict=True)
    layers = {k: (net.split(k, x.detach()), net.split(k, gradient)) for k, (x, gradient) in enumerate(sides, start=1)}
    return values.detach().double().cpu(), layers


def _joined(parts: list[Parts]) -> Parts:
    return {irrep: torch.cat([part[irrep] for part in parts]).cpu() for irrep in parts[0]}
