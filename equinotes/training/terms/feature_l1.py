"""A penalty on the absolute values of features of l > 0."""

import torch
from torch import Tensor

from equinotes.training.terms.base import Seen, Term, irreps_above_zero


class FeatureL1(Term):
    """Mean length of the channels of l > 0, divided by the root of 2l + 1, averaged over blocks and irreps.

    A length, not a sum over components, which would depend on the axes. Like `FeatureL2` it can be met for free.
    """

    def forward(self, seen: Seen) -> Tensor:
        """The mean length; zero in a network without orders above 0."""
        lengths = [
            (part.square().mean(2) + 1e-12).sqrt().mean() for parts in seen.features.values() for part in irreps_above_zero(parts)
        ]
        return torch.stack(lengths).mean() if lengths else seen.outputs.new_zeros(())
