"""Geometry of a batch for the fast convolutions, computed once for all blocks."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.bases.harmonics import harmonics
from equinotes.config import MAX_L
from equinotes.data.batches import Batch
from equinotes.layers.coupling import coupling
from equinotes.layers.edge_vectors import edge_vectors

Radial = Callable[[Float[Tensor, " bonds"]], Float[Tensor, "bonds basis"]]
"""A radial basis: from lengths [Angstrom] to the values of its functions."""


@dataclass(frozen=True)
class Geometry:
    """Bonds and edges of a batch. The two directions of bond b are edges 2b and 2b + 1."""

    source: Int[Tensor, " edges"]
    """Atom that sends the message."""
    target: Int[Tensor, " edges"]
    """Atom that receives it."""
    vectors: Float[Tensor, "bonds 3"]
    """Source minus target of each bond's first edge [Angstrom]; gradients of directions arrive here instead of at `lift`."""
    basis: Float[Tensor, "bonds basis"]
    """Radial functions of the bond lengths."""
    sh: Float[Tensor, "edges components"]
    """Spherical harmonics of the edge directions."""
    lift: Float[Tensor, "edges lifted components"]
    """The matrices of `coupling.py` for each edge; no gradient flows through them (see `messages.py`)."""
    example: Int[Tensor, " elements"]
    """One atom of each element of the batch."""
    is_element: Float[Tensor, "bonds 2 elements"]
    """One-hot element of each edge's source."""
    m_max: int
    """Largest |m| about an edge that messages keep."""


def geometry(batch: Batch, ls: tuple[int, ...], mul: int, radial: Radial, m_max: int = MAX_L) -> Geometry:
    """Everything about a batch that does not depend on weights; `radial` is the radial basis.

    Messages keep components up to `m_max` about their edge, in every convolution that is given this.

    Where `batch.pos` requires gradients, energies of the fast network have exact derivatives with respect to positions:
    `-torch.autograd.grad(net(batch).sum(), batch.pos)[0]` are forces [target's unit per Angstrom]. Otherwise no graph is kept.
    """
    bonds = batch.edge_index.shape[1] // 2
    source, target = batch.edge_index.view(2, 2, bonds).transpose(1, 2).flatten(1)
    vectors = edge_vectors(batch.pos, torch.stack([source, target]))
    sh = harmonics(vectors, ls)
    if batch.example is None:
        elements, kind = torch.unique(batch.z, return_inverse=True)
        example = torch.zeros_like(elements).scatter_(0, kind, torch.arange(len(kind), device=kind.device))
    else:
        example = batch.example
    is_element = batch.z[source].view(bonds, 2, 1) == batch.z[example]
    with torch.no_grad():
        lift = coupling(ls, mul, ls, ls, m_max).lift(vectors.detach(), sh)
    return Geometry(
        source=source,
        target=target,
        vectors=vectors[::2],
        basis=radial(vectors[::2].norm(dim=1)),
        sh=sh,
        lift=lift,
        example=example,
        is_element=is_element.to(sh.dtype),
        m_max=m_max,
    )
