r"""Penalties on the weights of the paths that touch orders above 0.

Features between two blocks can be scaled by any a, so that a product of weights A and b pays
:math:`\min_a (a^2 A^2 + b^2 / a^2) = 2 A b`: on a product the squared penalty acts like an absolute value, and can remove orders.
"""

import torch
from torch import Tensor

from equinotes.config import RunConfig
from equinotes.networks.base import Network
from equinotes.support.errors import UserError
from equinotes.training.terms.base import Seen, Term

_STREAM = 4
"""Stream of random numbers of the control's masks."""


class WeightL2(Term):
    """Mean square of these weights, averaged over blocks."""

    power = 2

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        self.blocks = masks(config, net)
        for block, mask in self.blocks.items():
            self.register_buffer(f"mask{block}", mask, persistent=False)

    def forward(self, seen: Seen) -> Tensor:
        """The mean; zero where no path touches an order above 0."""
        sizes = []
        for block in self.blocks:
            mask, weight = self.get_buffer(f"mask{block}"), seen.net.path_weight(block)
            sizes.append((weight.abs() ** self.power * mask).sum() / (mask.sum() * len(weight)))
        return torch.stack(sizes).mean() if sizes else seen.outputs.new_zeros(())


class WeightL1(WeightL2):
    """Mean absolute value of these weights, averaged over blocks."""

    power = 1


class WeightL2Control(WeightL2):
    """The same number of weights of each block, drawn from all of them."""

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        rng = torch.Generator().manual_seed(_STREAM)
        for block in self.blocks:
            mask = self.get_buffer(f"mask{block}")
            mask.copy_(mask[torch.randperm(len(mask), generator=rng)])


class WeightL1Control(WeightL2Control):
    """Likewise, of the absolute values."""

    power = 1


def masks(config: RunConfig, net: Network) -> dict[int, Tensor]:
    """For each block that has them: 1 for the weights [weights] of paths with an order above 0 at either end, 0 elsewhere."""
    if not net.block_paths():
        raise UserError(f"network {config.network!r} does not tell the weights of its paths")
    found: dict[int, Tensor] = {}
    for path in net.block_paths():
        mask = found.setdefault(path.block, torch.zeros(net.path_weight(path.block).shape[1]))
        mask[path.where] = float(path.l1 > 0 or path.l3 > 0)
    return {block: mask for block, mask in found.items() if mask.any()}
