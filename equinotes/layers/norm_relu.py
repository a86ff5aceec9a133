"""The norm layer of the SE(3)-Transformer: a non-linearity that acts on norms and leaves directions alone."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.layers.steerable import Steerable

FLOOR = 1e-3
"""Norms far below this count as zero."""


class NormReLU(nn.Module):
    r"""For the channels c of each irrep (arXiv 2006.10503, in its implementations):

    .. math:: x[c] \to \frac{x[c]}{n_c}\; \mathrm{relu}(\mathrm{LN}(n)_c), \qquad n_c = \sqrt{|x[c]|^2 + \epsilon^2}

    with LN a layer norm over the channels of the irrep that has weights and biases. The implementations divide by |x[c]| itself:
    where symmetry makes a feature vanish, the direction of rounding errors would then come out at full size. Here a feature far
    below epsilon, 0.001, stays small.
    """

    def __init__(self, irreps: int, mul: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(irreps, mul))
        self.bias = nn.Parameter(torch.zeros(irreps, mul))

    def forward(self, x: Steerable) -> Steerable:
        """Features with new norms."""
        norms: Float[Tensor, "atoms irreps mul"] = torch.stack(
            [(part.square().sum(1) + FLOOR**2).sqrt() for part in x.values()], dim=1
        )
        normed = nn.functional.layer_norm(norms, norms.shape[2:]) * self.weight + self.bias
        factors = (torch.relu(normed) / norms).unbind(1)
        return {ir: part * factor[:, None] for (ir, part), factor in zip(x.items(), factors, strict=True)}
