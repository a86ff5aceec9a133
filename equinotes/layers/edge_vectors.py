"""Vectors along the edges of a batch."""

from jaxtyping import Float, Int
from torch import Tensor


def edge_vectors(pos: Float[Tensor, "atoms 3"], edge_index: Int[Tensor, "2 edges"]) -> Float[Tensor, "edges 3"]:
    """Source minus target [Angstrom], as in the paper: vectors point from the target to the source of a message."""
    source, target = edge_index
    return pos[source] - pos[target]
