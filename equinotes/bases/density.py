"""The neighbours of each atom as a density on the sphere: by element, radial function and harmonic.

    A_i[(z, n), (l, m)] = sum over neighbours j of element z of R_n(|r_ij|) Y_lm(r_ij / |r_ij|)

All bases of whole molecules here start from the same neighbours, radial functions and random combinations of channels, so that
they differ in what they do with directions alone.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.bases.bessel import bessel
from equinotes.data.batches import Batch

ELEMENTS = (1, 6, 7, 8, 9)
"""Elements of QM9, each with radial functions and columns of its own."""
Radial = Callable[[Float[Tensor, " edges"]], Float[Tensor, "edges basis"]]
"""Radial functions of a length [Angstrom]."""
RADIAL: Radial = partial(bessel, num_basis=4, cutoff=4.0)
"""Radial functions where none are given."""


class Neighbours(NamedTuple):
    """Directed edges of a batch, with the values of the radial functions."""

    target: Int[Tensor, " edges"]
    """The atom whose neighbour it is."""
    vectors: Float[Tensor, "edges 3"]
    """From the target to its neighbour [Angstrom]."""
    channels: Float[Tensor, "edges channels"]
    """Radial functions in the block of the neighbour's element; zero in the others."""


def neighbours(batch: Batch, radial: Radial) -> Neighbours:
    """The edges of a batch, as its graph has them."""
    source, target = batch.edge_index
    vectors = batch.pos[source] - batch.pos[target]
    values = radial(vectors.norm(dim=1))
    one_hot = (batch.z[source][:, None] == torch.tensor(ELEMENTS, device=batch.z.device)).to(values.dtype)
    return Neighbours(target, vectors, (one_hot[:, :, None] * values[:, None]).flatten(1))


def density(
    near: Neighbours, angular: Float[Tensor, "edges components"], atoms: int
) -> Float[Tensor, "atoms channels components"]:
    """The density of every atom in the angular functions that are given at the edges."""
    products = near.channels[:, :, None] * angular[:, None]
    return products.new_zeros(atoms, *products.shape[1:]).index_add(0, near.target, products)


def shares(count: int, parts: int) -> list[int]:
    """`count` columns divided among parts as equally as possible.

    >>> shares(48, 5)
    [10, 10, 10, 9, 9]
    """
    return [count // parts + (k < count % parts) for k in range(parts)]


def weights(shape: Sequence[int], seed: int, like: Tensor) -> Float[Tensor, "elements *shape"]:
    """Random combinations for each element of the centre, the same for the same seed and shape."""
    rng = torch.Generator().manual_seed(seed)
    drawn = torch.randn(len(ELEMENTS), *shape, generator=rng, dtype=torch.float64)
    return drawn.to(like.device, like.dtype)


def by_element(batch: Batch, columns: Callable[[int, Tensor], Float[Tensor, "some columns"]]) -> Float[Tensor, "molecules all"]:
    """Sums over the atoms of each molecule, a block of columns for each element: columns(place of the element, atoms)."""
    blocks = []
    for place, z in enumerate(ELEMENTS):
        atoms = (batch.z == z).nonzero()[:, 0]
        values = columns(place, atoms)
        blocks.append(values.new_zeros(batch.num_molecules, values.shape[1]).index_add(0, batch.molecule[atoms], values))
    return torch.cat(blocks, dim=1)
