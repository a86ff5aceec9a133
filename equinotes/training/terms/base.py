"""What an additional term of the loss is given, and what it is."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.networks.base import Network, Parts


@dataclass(frozen=True)
class Seen:
    """What one training step computed, for terms to use."""

    net: Network
    batch: Batch
    outputs: Tensor
    """What the loss compares, [molecules, outputs]."""
    wanted: Tensor
    """Targets as the loss sees them, [molecules, outputs]."""
    features: dict[int, Parts]
    """Features behind each block (1, 2, ...): one [atoms, mul, 2l+1] tensor per irrep, part of the graph."""
    generator: torch.Generator
    """Random numbers of this step, on the CPU."""


class Term(nn.Module):
    """One additional term of the loss."""

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__()

    def forward(self, seen: Seen) -> Tensor:
        """A scalar; it is multiplied with its weight and added to the loss."""
        raise NotImplementedError
