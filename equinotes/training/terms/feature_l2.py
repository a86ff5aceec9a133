"""A penalty on the size of features of l > 0."""

import torch
from torch import Tensor

from equinotes.training.terms.base import Seen, Term


class FeatureL2(Term):
    r"""Mean square of all features of l > 0, averaged over blocks and irreps.

    In a network without gates it can be met for free: a scale taken off in one block is put back by the weights of the next one.
    """

    def forward(self, seen: Seen) -> Tensor:
        """The mean square; zero in a network without orders above 0."""
        squares = [part.square().mean() for parts in seen.features.values() for ir, part in parts.items() if part.shape[-1] > 1]
        return torch.stack(squares).mean() if squares else seen.outputs.new_zeros(())
