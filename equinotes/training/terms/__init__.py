"""Additional terms of the loss: one file and one line of `TERMS` each. Importing this loads no torch.

A term is a class (see `base.Term`) that is made from the configuration and the network and called once per step:

    class MyTerm(Term):
        def forward(self, seen: Seen) -> Tensor: ...   # a scalar, before its weight

Parameters of its own (a head, a discriminator) are those of the module; they are trained with the network's and stand in the
checkpoint. A term that draws random numbers draws them from `seen.generator`, which depends on seed and step alone, so that a
run that was cut off goes on with the same draws.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from equinotes.config import RunConfig
from equinotes.support.errors import check_names

if TYPE_CHECKING:
    from equinotes.networks.base import Network
    from equinotes.training.terms.base import Term

TERMS = {
    "feature_l2": "equinotes.training.terms.feature_l2:FeatureL2",
}
"""Terms by the names that `RunConfig.terms` takes: module and class."""


def check(config: RunConfig) -> None:
    """UserError for an unknown term; it names the nearest ones."""
    check_names("term", config.terms, TERMS)


def build_term(name: str, config: RunConfig, net: "Network") -> "Term":
    """The term of this name."""
    module, _, attribute = TERMS[name].partition(":")
    make: Callable[[RunConfig, Network], Term] = getattr(import_module(module), attribute)
    return make(config, net)
