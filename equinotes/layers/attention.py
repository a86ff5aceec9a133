"""Attention over the edges that arrive at an atom, several heads side by side."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.layers.steerable import Steerable


def logits_by_irrep(
    key: Steerable, query: Steerable, target: Int[Tensor, " edges"], heads: int
) -> dict[str, Float[Tensor, "edges heads 1"]]:
    r"""What each irrep adds to the logits: inner products of keys (of edges) and queries (of their target atoms), in each head,

    .. math:: \langle q_i, k_{ij} \rangle / \sqrt{D}

    with D the number of all components of a key, as in the implementations of arXiv 2006.10503. Channels are dealt to heads in
    order.
    """
    size = sum(part.shape[1:].numel() for part in key.values())
    found = {}
    for ir, part in key.items():
        products = (part * query[ir].index_select(0, target)).sum(1)
        found[ir] = products.unflatten(1, (heads, -1)).sum(-1, keepdim=True) / size**0.5
    return found


def softmax_at_targets(
    logits: Float[Tensor, "edges heads"], target: Int[Tensor, " edges"], atoms: int
) -> Float[Tensor, "edges heads"]:
    """Weights that add up to one over the edges into each atom.

    >>> softmax_at_targets(torch.zeros(3, 1), torch.tensor([0, 1, 1]), 2)[:, 0].numpy()
    array([1. , 0.5, 0.5], dtype=float32)
    """
    index = target[:, None].expand_as(logits)
    largest = logits.detach().new_full((atoms, logits.shape[1]), -torch.inf)
    largest = largest.scatter_reduce(0, index, logits.detach(), "amax", include_self=False)
    weights = torch.exp(logits - largest.index_select(0, target))
    sums = weights.new_zeros(atoms, logits.shape[1]).index_add(0, target, weights)
    return weights / sums.index_select(0, target)


def attended(value: Steerable, weights: Float[Tensor, "edges heads"], target: Int[Tensor, " edges"], atoms: int) -> Steerable:
    """Values summed at their targets with these weights; an atom without edges gets zeros."""
    dims = [part.shape[1] for part in value.values()]
    packed = torch.cat([*value.values()], dim=1)
    by_channel = weights.repeat_interleave(packed.shape[2] // weights.shape[1], dim=1)
    summed = packed.new_zeros(atoms, *packed.shape[1:]).index_add(0, target, packed * by_channel[:, None])
    return dict(zip(value, summed.split(dims, dim=1), strict=True))
