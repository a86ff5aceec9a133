r"""Consistency between orders: each order predicts the target by itself, and predictions of one molecule should agree.

With L orders, targets y and predictions :math:`y_l` of mean :math:`\bar y`,

.. math:: \sum_l (y_l - y)^2 + \lambda \sum_{l < l'} (y_l - y_{l'})^2
          = L (\bar y - y)^2 + (1 + \lambda L) \sum_l (y_l - \bar y)^2

so that on labelled molecules agreement only reweights what the errors already ask for. Here the two halves see different
molecules: the second one is taken on molecules without labels.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch, draw_split
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.networks.base import Network, Parts
from equinotes.training.prediction import batch_of
from equinotes.training.terms.base import Seen, Term, features_of, inner, per_molecule

_STREAM = 6
"""Stream of random numbers of the control's splits."""


class Consistency(Term):
    r"""Mean squared error of the heads, and mean squared difference of each two of them on as many unlabelled molecules.

    A head reads invariants of one order behind the last block that leads on: scalars themselves, of other orders
    :math:`|x_l|^2 / (2l + 1)` of each channel; two linear maps with a silu between them, summed over atoms. Unlabelled molecules
    belong to no part of the split.
    """

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        self.config = config
        make = lambda: nn.Sequential(nn.Linear(config.mul, config.mul), nn.SiLU(), nn.Linear(config.mul, 1))  # noqa: E731
        self.heads = nn.ModuleList(make() for _ in config.ls)
        self._pool: Tensor | None = None

    def forward(self, seen: Seen) -> Tensor:
        """The sum of the two."""
        labelled = self.predictions(inner(seen.features)[-1], seen.batch)
        batch = self.unlabelled(seen)
        free = self.predictions(inner(features_of(seen.net, batch))[-1], batch)
        return (labelled - seen.wanted[:, :1]).square().mean() + disagreement(free)

    def predictions(self, parts: Parts, batch: Batch) -> Float[Tensor, "molecules orders"]:
        """What each head says of each molecule, as the loss sees it."""
        found = [head(x) for head, x in zip(self.heads, self.read(parts), strict=True)]
        return per_molecule(torch.cat(found, dim=1), batch) / 5

    def read(self, parts: Parts) -> list[Float[Tensor, "atoms mul"]]:
        """What each head reads."""
        return [part[..., 0] if part.shape[2] == 1 else part.square().mean(2) for part in parts.values()]

    def unlabelled(self, seen: Seen) -> Batch:
        """As many molecules that belong to no part of the split."""
        qm9 = seen.qm9 or load_qm9(progress=False)
        if self._pool is None:
            self._pool = unused(self.config, qm9)
        places = torch.randint(len(self._pool), (seen.batch.num_molecules,), generator=seen.generator)
        return batch_of(self.config, qm9, self._pool[places].numpy()).to(seen.batch.pos.device, seen.batch.pos.dtype)


class ConsistencyControl(Consistency):
    """The same with heads that all read scalars: each one a share of their channels, drawn once and for all."""

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        order = torch.randperm(config.mul, generator=torch.Generator().manual_seed(_STREAM))
        mask = torch.nn.functional.one_hot(order % len(config.ls), len(config.ls)).T
        self.register_buffer("mask", mask.to(torch.get_default_dtype()), persistent=False)

    def read(self, parts: Parts) -> list[Float[Tensor, "atoms mul"]]:
        scalars = next(iter(parts.values()))[..., 0]
        return [scalars * mask for mask in self.get_buffer("mask")]


def disagreement(y: Float[Tensor, "molecules heads"]) -> Tensor:
    """Mean squared difference of each two predictions."""
    heads = y.shape[1]
    return 2 * y.var(1, correction=0).mean() * heads / (heads - 1) if heads > 1 else y.new_zeros(())


def unused(config: RunConfig, qm9: QM9) -> Tensor:
    """Rows of the molecules that are in no part of a configuration's split."""
    split = draw_split(
        qm9, num_train=config.num_train, num_val=config.num_val, num_test=config.num_test, split_seed=config.split_seed
    )
    free = torch.ones(len(qm9), dtype=torch.bool)
    for rows in (split.train, split.val, split.test):
        free[torch.from_numpy(rows)] = False
    return free.nonzero()[:, 0]
