"""Additional terms of the loss: one file and one line of `TERMS` each.

A term is a class that is made from the configuration and the network and called once per step:

    class MyTerm(Term):
        def __call__(self, seen: Seen) -> Tensor: ...   # a scalar, before its weight

Parameters of its own (a head, a discriminator) are those of the module; they are trained with the network's and stand in the
checkpoint. A term that draws random numbers draws them from `seen.generator`, which depends on seed and step alone, so that a
run that was cut off goes on with the same draws.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.networks.base import Network, Parts
from equinotes.support.errors import UserError, unknown

TERMS = {
    "feature_l2": "equinotes.training.terms.feature_l2:FeatureL2",
}
"""Terms by the names that `RunConfig.terms` takes: module and class."""


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


def build_term(name: str, config: RunConfig, net: Network) -> Term:
    """The term of this name; ValueError names the nearest ones."""
    if name not in TERMS:
        raise UserError(unknown("term", name, list(TERMS)))
    module, _, attribute = TERMS[name].partition(":")
    make: Callable[[RunConfig, Network], Term] = getattr(import_module(module), attribute)
    return make(config, net)
