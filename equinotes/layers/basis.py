"""Basis functions of edge vectors: spherical harmonics of the direction, Bessel functions of the length."""

from e3nn import o3
from e3nn.math import soft_one_hot_linspace
from jaxtyping import Float, Int
from torch import Tensor


def edge_vectors(pos: Float[Tensor, "atoms 3"], edge_index: Int[Tensor, "2 edges"]) -> Float[Tensor, "edges 3"]:
    """Source minus target [Angstrom], as in the paper: vectors point from the target to the source of a message."""
    source, target = edge_index
    return pos[source] - pos[target]


def harmonics(
    vectors: Float[Tensor, "edges 3"], ls: tuple[int, ...], normalization: str = "integral"
) -> Float[Tensor, "edges components"]:
    """Real spherical harmonics of the unit vectors, concatenated.

    Their squares integrate to one over the sphere ("integral"), or those of order l sum to 2l + 1 ("component").

    >>> import torch
    >>> harmonics(torch.tensor([[0.0, 0.0, 2.0]]), (0, 1)).numpy().round(4)
    array([[0.2821, 0.    , 0.    , 0.4886]], dtype=float32)
    """
    return o3.spherical_harmonics(list(ls), vectors, normalize=True, normalization=normalization)


def bessel(lengths: Float[Tensor, " edges"], num_basis: int, cutoff: float) -> Float[Tensor, "edges basis"]:
    """Bessel functions sqrt(2/c) sin(n pi r / c) / r for n = 1..num_basis, times sqrt(num_basis); zero beyond c [Angstrom].

    The factor keeps values near one for any `num_basis`.

    >>> import torch
    >>> bessel(torch.tensor([1.5]), 2, 6.0).numpy().round(4)
    array([[0.3849, 0.5443]], dtype=float32)
    """
    return soft_one_hot_linspace(lengths, 0.0, cutoff, num_basis, basis="bessel", cutoff=True) * num_basis**0.5
