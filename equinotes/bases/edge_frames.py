"""Densities in the frames of bonds: products of the two ends' components with the same |m|, up to m_max.

In the frame of a bond, whose pole is the bond, a rotation about the bond multiplies m by a phase alone. So for every m

    f_k,m(i) = sum over bonds i-j of sum_{+-m} (w_k . A_i)_m (w'_k . A_j)_m

is invariant, for every m_max, while torsion angles enter from m = 1 on: m = 0 knows angles with the bond and nothing about it.
"""

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor

from equinotes.bases.density import ELEMENTS, RADIAL, Neighbours, Radial, by_element, neighbours, shares, weights
from equinotes.data.batches import Batch
from equinotes.data.graphs import BOND_TOLERANCE, COVALENT_RADII


def edge_frames(
    batch: Batch, radial: Radial = RADIAL, lmax: int = 4, m_max: int = 4, count: int = 48, seed: int = 0
) -> Float[Tensor, "molecules columns"]:
    """Invariants of bonds up to m_max, summed by the element of their first end: `count` columns for each, shared by the m.

    Neighbours are the edges of the batch's graph; bonds are those of them that covalent radii join.
    """
    near = neighbours(batch, radial)
    source, target = batch.edge_index
    bonded = _bonded(batch, near.vectors)
    frames = _frames(near.vectors[bonded])
    ends = [_in_frames(batch, near, end[bonded], frames, lmax) for end in (target, source)]
    ms = list(range(m_max + 1))
    numbers = shares(count, len(ms))
    drawn = [weights((count, ends[0].shape[1], lmax + 1), seed + k, ends[0]) for k in (0, 1000)]
    centre = target[bonded]
    values = ends[0].new_zeros(len(ends[0]), count)
    for place, z in enumerate(ELEMENTS):
        own = (batch.z[centre] == z).nonzero()[:, 0]
        start = 0
        for m, number in zip(ms, numbers, strict=True):
            total = ends[0].new_zeros(len(own), number)
            for sign in (-1, 1) if m else (1,):
                rows = [l * l + l + sign * m for l in range(m, lmax + 1)]
                some = [
                    torch.einsum("kcl,ecl->ek", w[place, start : start + number, :, m:], end[own][:, :, rows])
                    for w, end in zip(drawn, ends, strict=True)
                ]
                total += some[0] * some[1]
            values[own, start : start + number] = total
            start += number
    summed = values.new_zeros(len(batch.z), count).index_add(0, centre, values)
    return by_element(batch, lambda place, atoms: summed[atoms])


def _bonded(batch: Batch, vectors: Float[Tensor, "edges 3"]) -> Tensor:
    """Places of the edges that are covalent bonds."""
    radii = torch.zeros(max(COVALENT_RADII) + 1, dtype=vectors.dtype, device=vectors.device)
    for z, radius in COVALENT_RADII.items():
        radii[z] = radius
    source, target = batch.edge_index
    return (vectors.norm(dim=1) < BOND_TOLERANCE * (radii[batch.z[source]] + radii[batch.z[target]])).nonzero()[:, 0]


def _frames(vectors: Float[Tensor, "bonds 3"]) -> Float[Tensor, "bonds 3 3"]:
    """Rotations whose second row is the bond's direction: they take the bond to the pole y."""
    y = torch.nn.functional.normalize(vectors, dim=1)
    helper = torch.zeros_like(y)
    helper[torch.arange(len(y)), y.abs().argmin(dim=1)] = 1
    x = torch.nn.functional.normalize(torch.linalg.cross(y, helper), dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=1)


def _in_frames(
    batch: Batch, near: Neighbours, end: Tensor, frames: Float[Tensor, "bonds 3 3"], lmax: int
) -> Float[Tensor, "bonds channels components"]:
    """The density of one end of each bond, in the bond's frame."""
    order = torch.argsort(near.target, stable=True)
    degree = torch.bincount(near.target, minlength=len(batch.z))
    start = degree.cumsum(0) - degree
    counts = degree[end]
    bond = torch.repeat_interleave(torch.arange(len(end), device=end.device), counts)
    offset = torch.arange(len(bond), device=end.device) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    edge = order[start[end[bond]] + offset]
    local = torch.einsum("tij,tj->ti", frames[bond], near.vectors[edge])
    angular = o3.spherical_harmonics(list(range(lmax + 1)), local, normalize=True, normalization="integral")
    products = near.channels[edge][:, :, None] * angular[:, None]
    return products.new_zeros(len(end), *products.shape[1:]).index_add(0, bond, products)
