"""Spherical Bessel functions of order 0: the radial basis of the paper."""

from e3nn.math import soft_one_hot_linspace
from jaxtyping import Float
from torch import Tensor


def bessel(lengths: Float[Tensor, " edges"], num_basis: int, cutoff: float) -> Float[Tensor, "edges basis"]:
    """Bessel functions sqrt(2/c) sin(n pi r / c) / r for n = 1..num_basis, times sqrt(num_basis); zero beyond c [Angstrom].

    The factor keeps values near one for any `num_basis`.

    >>> import torch
    >>> bessel(torch.tensor([1.5]), 2, 6.0).numpy().round(4)
    array([[0.3849, 0.5443]], dtype=float32)
    """
    return soft_one_hot_linspace(lengths, 0.0, cutoff, num_basis, basis="bessel", cutoff=True) * num_basis**0.5
