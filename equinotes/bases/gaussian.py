"""Gaussians of a length: local in the length, where Bessel functions are local in frequency."""

import math

import torch
from e3nn.math import soft_one_hot_linspace
from jaxtyping import Float
from torch import Tensor


def gaussian(lengths: Float[Tensor, " edges"], num_basis: int, cutoff: float) -> Float[Tensor, "edges basis"]:
    r"""Gaussians at equal distances d = c / (num_basis + 1) between 0 and the cutoff c [Angstrom], under a window:

    .. math:: b_n(r) = \frac{\sqrt{N}}{1.12}\, e^{-(r / d - n)^2}\; \frac{1 + \cos(\pi r / c)}{2}, \qquad n = 1, \dots, N

    The window (Behler and Parrinello, Phys. Rev. Lett. 98, 146401, equation 4) ends them at the cutoff; the factor is e3nn's, for
    which the squares of all N sum to about N where the window is one.

    >>> gaussian(torch.tensor([2.0, 6.0]), 2, 6.0).numpy().round(4)
    array([[0.947 , 0.3484], [0. , 0. ]], dtype=float32)
    """
    values = soft_one_hot_linspace(lengths, 0.0, cutoff, num_basis, basis="gaussian", cutoff=True) * num_basis**0.5
    window = (1 + torch.cos(lengths * (math.pi / cutoff))) / 2
    return values * torch.where(lengths < cutoff, window, torch.zeros_like(window))[:, None]
