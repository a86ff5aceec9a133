"""Adversarial training: nobody should be able to tell from the size of a feature which order it has."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.networks.base import Network, Parts
from equinotes.support.errors import UserError
from equinotes.training.terms.base import Seen, Term, inner

HIDDEN = 32


class Reversed(torch.autograd.Function):
    """The identity whose gradient changes sign (Ganin and Lempitsky, arXiv 1409.7495)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


class Adversarial(Term):
    r"""Cross entropy [nats] of a discriminator that names l from the channels' sizes :math:`|x_l| / \sqrt{2l + 1}` of an atom.

    Sizes of each channel are whitened over atoms and orders together, so that an order that is larger than another shows. The
    discriminator lowers the cross entropy, and the network, behind a reversal of the gradient, raises it: it minimises error -
    weight x cross entropy. Chance is the logarithm of the number of orders. By the law of free scales a network can reach chance
    without using its orders otherwise.
    """

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        orders, self.mul = len(config.ls), config.mul
        self.discriminator = nn.Sequential(nn.Linear(config.mul, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, orders))

    def forward(self, seen: Seen) -> Tensor:
        """The mean over atoms, orders and the blocks that lead on."""
        found = []
        for parts in inner(seen.features):
            sizes = whitened(parts, self.mul)
            logits = self.discriminator(Reversed.apply(sizes))
            names = torch.arange(sizes.shape[1], device=sizes.device).expand(len(sizes), -1)
            found.append(nn.functional.cross_entropy(logits.flatten(0, 1), self.named(names, seen).flatten()))
        return torch.stack(found).mean()

    def named(self, names: Int[Tensor, "atoms orders"], seen: Seen) -> Int[Tensor, "atoms orders"]:
        """What the discriminator has to say."""
        return names


class AdversarialControl(Adversarial):
    """The same with random names: a discriminator that has nothing to say."""

    def named(self, names: Int[Tensor, "atoms orders"], seen: Seen) -> Int[Tensor, "atoms orders"]:
        return names.flatten()[seen.shuffled(names.numel())].view_as(names)


def whitened(parts: Parts, mul: int) -> Float[Tensor, "atoms orders mul"]:
    """Sizes of the channels of each order, with mean 0 and variance 1 over all atoms and orders."""
    if any(part.shape[1] != mul for part in parts.values()):
        raise UserError("term 'adversarial' needs the same number of channels in every order")
    sizes = torch.stack([(part.square().mean(2) + 1e-12).sqrt() for part in parts.values()], dim=1)
    flat = sizes.flatten(0, 1)
    return (sizes - flat.mean(0)) / (flat.std(0, correction=0) + 1e-6)
