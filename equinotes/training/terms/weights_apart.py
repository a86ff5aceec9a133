"""A penalty on the likeness of the weights of different orders."""

from itertools import combinations

import torch
from torch import Tensor

from equinotes.config import RunConfig
from equinotes.networks.base import BlockPath, Network
from equinotes.support.errors import UserError
from equinotes.training.terms.base import Seen, Term

_STREAM = 5
"""Stream of random numbers of the control's cuts."""


class WeightsApart(Term):
    """Mean squared cosine between the weights of paths that read different orders, over pairs of paths of a block.

    The weights of a path are one vector of all its entries. A cosine knows no scale, so that rescaled features do not help.
    Vectors of n independent entries have 1 / n on average: there is little to push apart at the start.
    """

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        if not net.block_paths():
            raise UserError(f"network {config.network!r} does not tell the weights of its paths")
        self.paths: dict[int, list[BlockPath]] = {}
        for path in net.block_paths():
            self.paths.setdefault(path.block, []).append(path)

    def forward(self, seen: Seen) -> Tensor:
        """The mean squared cosine; zero where no block reads two orders."""
        found = []
        for block, paths in self.paths.items():
            pairs = [(a, b) for a, b in combinations(range(len(paths)), 2) if _alike(paths[a], paths[b])]
            if pairs:
                found.append(self.cosines(seen.net.path_weight(block), paths, pairs).square().mean())
        return torch.stack(found).mean() if found else seen.outputs.new_zeros(())

    def cosines(self, weight: Tensor, paths: list[BlockPath], pairs: list[tuple[int, int]]) -> Tensor:
        """Cosines of these pairs of paths."""
        slices = torch.stack([torch.nn.functional.normalize(part, dim=0) for part in self.slices(weight, paths)])
        first, second = zip(*pairs, strict=True)
        return (slices @ slices.T)[list(first), list(second)]

    def slices(self, weight: Tensor, paths: list[BlockPath]) -> list[Tensor]:
        """The weights of each path as one vector."""
        return [weight[:, path.where].flatten() for path in paths]


class WeightsApartControl(WeightsApart):
    """The same after all entries of a block were dealt to the paths at random, once and for all: pieces that mean nothing."""

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        rng = torch.Generator().manual_seed(_STREAM)
        for block in self.paths:
            order = torch.randperm(net.path_weight(block).numel(), generator=rng)
            self.register_buffer(f"order{block}", order, persistent=False)

    def slices(self, weight: Tensor, paths: list[BlockPath]) -> list[Tensor]:
        dealt = weight.flatten()[self.get_buffer(f"order{paths[0].block}")].view_as(weight)
        return super().slices(dealt, paths)


def _alike(one: BlockPath, other: BlockPath) -> bool:
    """Whether two paths read different orders and have equally many weights."""
    return one.l1 != other.l1 and one.where.stop - one.where.start == other.where.stop - other.where.start
