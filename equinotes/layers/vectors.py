"""Linear maps of vector features: the layer of vector neurons (Deng et al., arXiv 2104.12229), which is e3nn's on 1o."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class VectorLinear(nn.Module):
    r"""Channels mixed, components untouched, no bias: the only linear map of vectors that turns with them,

    .. math:: v'[k] = \frac{1}{\sqrt{n}} \sum_{c=1}^{n} W[k, c]\, v[c].

    With standard normal weights at the start, which keep the mean square; as in e3nn, whose weights are W transposed.
    """

    def __init__(self, mul_in: int, mul_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(mul_out, mul_in))

    def forward(self, v: Float[Tensor, "atoms mul_in 3"]) -> Float[Tensor, "atoms mul_out 3"]:
        """Mixed vectors, components in any order."""
        return (self.weight @ v) / self.weight.shape[1] ** 0.5
