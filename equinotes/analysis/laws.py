"""Laws of an equivariant network, measured: how features turn, whether two versions agree, which angles an energy sees."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor

from equinotes.analysis.harmonics import legendre_nodes, legendre_series
from equinotes.irreps import split_irreps

if TYPE_CHECKING:
    from equinotes.data.batches import Batch
    from equinotes.networks.base import Network

Change = tuple["Batch", Float[Tensor, "3 3"], Tensor]
"""A changed batch, the matrix by which features should turn, and the old number of each atom [atoms]."""


def feature_while_turning(
    network: "Network", batch: "Batch", irrep: str, *, atom: int = 1, channel: int = 0, step_deg: float = 5.0
) -> pd.DataFrame:
    """One feature behind the last block while the molecule turns about y, and what D(R) predicts from the first position.

    `angle_deg`, `name` ("m = 0" for each component, or "length"), `value`, `predicted`; features in the network's units.
    """

    def feature(batch: "Batch") -> Tensor:
        with torch.no_grad():
            layer = network.features(batch)[-1]
        return split_irreps(layer.x[atom], layer.irreps)[irrep][channel]

    start, ir, rows = feature(batch), o3.Irrep(irrep), []
    for angle in np.arange(0, 360 + step_deg / 2, step_deg):
        R = o3.matrix_y(torch.tensor(np.radians(angle), dtype=start.dtype))
        value, predicted = feature(batch.rotated(R)), ir.D_from_matrix(R) @ start
        rows += [(angle, f"m = {m - ir.l}", value[m].item(), predicted[m].item()) for m in range(ir.dim)]
        rows.append((angle, "length", value.norm().item(), start.norm().item()))
    return pd.DataFrame(rows, columns=["angle_deg", "name", "value", "predicted"])


def symmetry_changes(batch: "Batch", seed: int = 0) -> dict[str, Change]:
    """A random rotation, the inversion, a shift by 100 Angstrom and a permutation of the atoms, by name."""
    generator = torch.Generator().manual_seed(seed)
    angles = torch.rand(3, generator=generator, dtype=batch.pos.dtype) * 2 * np.pi
    R = o3.angles_to_matrix(*angles)
    order = torch.randperm(len(batch.z), generator=generator)
    permuted = replace(batch, pos=batch.pos[order], z=batch.z[order], edge_index=torch.argsort(order)[batch.edge_index])
    identity, keep = torch.eye(3, dtype=batch.pos.dtype), torch.arange(len(batch.z))
    return {
        "rotation": (batch.rotated(R), R, keep),
        "inversion": (batch.rotated(-identity), -identity, keep),
        "translation by 100 Å": (replace(batch, pos=batch.pos + 100.0), identity, keep),
        "permutation": (permuted, identity, order),
    }


def largest_difference(network: "Network", batch: "Batch", change: Change) -> float:
    """How far features of a changed molecule are from what D predicts, relative to the layer's largest, over all layers.

    The network's own precision is used for batch and features.
    """
    dtype = next(network.parameters()).dtype
    changed, matrix, order = change
    found = []
    with torch.no_grad():
        pairs = zip(network.features(batch.to(dtype=dtype)), network.features(changed.to(dtype=dtype)), strict=True)
        for old, new in pairs:
            D = o3.Irreps(old.irreps).D_from_matrix(matrix).to(dtype)
            found.append((new.x - (old.x @ D.T)[order]).abs().max() / old.x.abs().max())
    return max(found).item()


def agreement(one: "Network", other: "Network", batch: "Batch") -> dict[str, float]:
    """Largest difference of two networks with equal parameters, relative to the largest value: `energies` and `gradients`."""

    def outputs(network: "Network") -> tuple[Tensor, Tensor]:
        network.zero_grad()
        energies = network.normalised(batch.to(dtype=next(network.parameters()).dtype))
        energies.square().mean().backward()
        return energies.detach(), torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    pairs = zip(("energies", "gradients"), outputs(one), outputs(other), strict=True)
    return {name: ((a - b).abs().max() / b.abs().max()).item() for name, a, b in pairs}


def paired_seconds(networks: Mapping[str, "Network"], batch: "Batch", rounds: int = 5) -> pd.DataFrame:
    """Seconds of a step (forward and backward) of each network [rounds], taken in turns after a warm-up."""

    def seconds(network: "Network") -> float:
        start = time.perf_counter()
        network.normalised(batch).square().mean().backward()
        return time.perf_counter() - start

    for network in networks.values():
        seconds(network)
    return pd.DataFrame([{name: seconds(network) for name, network in networks.items()} for _ in range(rounds)])


def angle_spectrum(
    network: Callable[["Batch"], Tensor], water: Callable[[int], "Batch"], highest: int, length: float = 0.96
) -> pd.DataFrame:
    """Legendre coefficients of an energy as a function of water's angle, both bonds `length` long [Angstrom].

    `water(n)` is a batch of n water molecules, oxygen first. Columns `l` (1 to `highest`) and `size`, relative to the largest.
    The constant, l = 0, is left out.
    """
    cosine = legendre_nodes(2 * highest)
    pos = np.zeros((len(cosine), 3, 3))
    pos[:, 1, 0] = length
    pos[:, 2] = length * np.stack([cosine, np.sqrt(1 - cosine**2), 0 * cosine], axis=-1)
    batch = replace(water(len(cosine)), pos=torch.from_numpy(pos.reshape(-1, 3)))
    with torch.no_grad():
        energy = network(batch).numpy()
    sizes = np.abs(legendre_series(energy - energy.mean(), highest)[1:])
    return pd.DataFrame({"l": range(1, highest + 1), "size": sizes / max(sizes.max(), 1e-6)})
