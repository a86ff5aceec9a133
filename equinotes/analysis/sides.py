"""Quantities beside the stream of features (`Network.sides`), such as logits of an attention, spoilt and differentiated."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.analysis.ablation import MODES
from equinotes.data.batches import Batch
from equinotes.networks.base import Network, Parts

CONDITIONAL = "conditional"
"""The edit that permutes among atoms, or edges, that are alike."""


def side_gradients(net: Network, batch: Batch) -> dict[str, tuple[Parts, Parts]]:
    """For every side, by its name: its parts, and the gradient of the sum of all predictions with respect to them."""
    kept: dict[str, Parts] = {}

    def keep(name: str, parts: Parts) -> Parts:
        kept[name] = {irrep: part if part.requires_grad else part.detach().requires_grad_() for irrep, part in parts.items()}
        return kept[name]

    with torch.enable_grad(), net.sides_edited(keep):
        total = net(batch).sum()
    flat = [part for parts in kept.values() for part in parts.values()]
    slopes = iter(torch.autograd.grad(total, flat, allow_unused=True) if flat else ())
    found: dict[str, tuple[Parts, Parts]] = {}
    for name, parts in kept.items():
        own = [next(slopes) for _ in parts]
        gradients = {
            irrep: torch.zeros_like(part) if slope is None else slope
            for (irrep, part), slope in zip(parts.items(), own, strict=True)
        }
        found[name] = ({irrep: part.detach() for irrep, part in parts.items()}, gradients)
    return found


@torch.no_grad()
def spoilt_by_side(
    net: Network, batch: Batch, side: str, irrep: str, mode: str, draws: int, seed: int = 0
) -> Float[np.ndarray, "draws molecules"]:
    """Predictions with what one irrep adds to a side spoilt, as `ablation.MODES` or among like atoms or edges ("conditional");
    the first of `draws` uses `seed`. Edges are alike where their two atoms are.
    """
    if mode == CONDITIONAL:
        from equinotes.analysis.complexity import permute_within  # brings scikit-learn

        groups = like_places(net, batch, side)
    rows = []
    for draw in range(draws):
        rng = np.random.default_rng(seed + draw)

        def edit(name: str, parts: Parts, rng: np.random.Generator = rng) -> Parts:
            if name != side:
                return {}
            part: Tensor = parts[irrep]
            return {irrep: part[permute_within(groups, rng)] if mode == CONDITIONAL else MODES[mode](part, rng)}

        with net.sides_edited(edit):
            rows.append(net(batch).cpu().numpy())
    return np.stack(rows)


def like_places(net: Network, batch: Batch, side: str) -> Int[np.ndarray, " places"]:
    """A number for each atom, or edge, of a side that is the same for those that are alike: atoms of one element with as many
    neighbours, and edges between two such atoms.
    """
    from equinotes.analysis.calibration import environments

    neighbours = torch.bincount(batch.edge_index[1], minlength=len(batch.z))
    atoms = environments(batch.z.cpu().numpy(), neighbours.cpu().numpy())
    (shape,) = (one.shape for one in net.sides if one.name == side)
    if shape.split()[0] == "atoms":
        return atoms
    source, target = batch.edge_index.cpu().numpy()
    return environments(atoms[source], atoms[target])
