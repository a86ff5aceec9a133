"""From features of atoms to features of molecules."""

from jaxtyping import Float
from torch import Tensor

from equinotes.data.batches import Batch


def pooled(x: Float[Tensor, "atoms mul"], batch: Batch, kind: str) -> Float[Tensor, "molecules mul"]:
    """Sum, mean or largest value ("sum", "mean", "max") of each channel over the atoms of each molecule.

    >>> import torch
    >>> one = Batch(torch.zeros(2, 3), torch.tensor([1, 1]), torch.zeros(2, 0).long(), torch.tensor([0, 0]), torch.tensor([0]))
    >>> [pooled(torch.tensor([[1.0], [3.0]]), one, kind).item() for kind in ("sum", "mean", "max")]
    [4.0, 2.0, 3.0]
    """
    empty = x.new_zeros(batch.num_molecules, x.shape[1])
    if kind == "max":
        return empty.scatter_reduce(0, batch.molecule[:, None].expand_as(x), x, "amax", include_self=False)
    sums = empty.index_add(0, batch.molecule, x)
    return sums / counts(batch.molecule, batch.num_molecules, x)[:, None] if kind == "mean" else sums


def counts(index: Tensor, number: int, like: Tensor) -> Float[Tensor, " number"]:
    """How often each of 0, 1, ..., number - 1 stands in an index."""
    return like.new_zeros(number).index_add(0, index, like.new_ones(len(index)))
