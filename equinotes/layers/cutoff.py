"""Envelopes that bring a message smoothly to zero at the cutoff."""

import torch
from jaxtyping import Float
from torch import Tensor


def polynomial_cutoff(lengths: Float[Tensor, " edges"], cutoff: float, p: int = 6) -> Float[Tensor, " edges"]:
    r"""The envelope of Gasteiger et al. (arXiv 2003.03123, equation 8), with d = r / cutoff:

    .. math:: 1 - \frac{(p+1)(p+2)}{2} d^p + p(p+2)\, d^{p+1} - \frac{p(p+1)}{2} d^{p+2}

    One at r = 0; value, slope and curvature are zero at the cutoff [Angstrom], and everything beyond it is zero.

    >>> polynomial_cutoff(torch.tensor([0.0, 2.5, 5.0, 7.0]), 5.0).numpy().round(4)
    array([1.    , 0.8555, 0.    , 0.    ], dtype=float32)
    """
    d = lengths / cutoff
    envelope = 1 - (p + 1) * (p + 2) / 2 * d**p + p * (p + 2) * d ** (p + 1) - p * (p + 1) / 2 * d ** (p + 2)
    return torch.where(d < 1, envelope, torch.zeros_like(d))
