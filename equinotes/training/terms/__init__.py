"""Additional terms of the loss: one file and one line of `TERMS` each. Importing this loads no torch.

A term is a class (see `base.Term`) that is made from the configuration and the network and called once per step:

.. code-block:: python

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
from equinotes.support.errors import UserError, check_names

if TYPE_CHECKING:
    from equinotes.networks.base import Network
    from equinotes.training.terms.base import Term

_HERE = "equinotes.training.terms"
TERMS = {
    "denoise": f"{_HERE}.denoise:Denoise",
    "denoise_control": f"{_HERE}.denoise:DenoiseControl",
    "dipole": f"{_HERE}.dipole:Dipole",
    "dipole_control": f"{_HERE}.dipole:DipoleControl",
    "anisotropy": f"{_HERE}.anisotropy:Anisotropy",
    "anisotropy_control": f"{_HERE}.anisotropy:AnisotropyControl",
    "adversarial": f"{_HERE}.adversarial:Adversarial",
    "adversarial_control": f"{_HERE}.adversarial:AdversarialControl",
    "consistency": f"{_HERE}.consistency:Consistency",
    "consistency_control": f"{_HERE}.consistency:ConsistencyControl",
    "feature_l1": f"{_HERE}.feature_l1:FeatureL1",
    "feature_l2": f"{_HERE}.feature_l2:FeatureL2",
    "weight_l1": f"{_HERE}.weight_norms:WeightL1",
    "weight_l1_control": f"{_HERE}.weight_norms:WeightL1Control",
    "weight_l2": f"{_HERE}.weight_norms:WeightL2",
    "weight_l2_control": f"{_HERE}.weight_norms:WeightL2Control",
    "weights_apart": f"{_HERE}.weights_apart:WeightsApart",
    "weights_apart_control": f"{_HERE}.weights_apart:WeightsApartControl",
    "attention_entropy": f"{_HERE}.attention_entropy:AttentionEntropy",
    "attention_uniform": f"{_HERE}.attention_entropy:AttentionUniform",
    "bottleneck": f"{_HERE}.bottleneck:Bottleneck",
    "bottleneck_control": f"{_HERE}.bottleneck:BottleneckControl",
}
"""Terms by the names that `RunConfig.terms` takes: module and class. A control has the same parts and costs the same time."""

ORDERS = {"denoise": 1, "denoise_control": 1, "dipole": 1, "dipole_control": 1, "anisotropy": 2, "anisotropy_control": 2}
"""The order that a term reads."""
ATTENTIVE = ("attention_entropy", "attention_uniform")
"""Terms that need an attention."""


def check(config: RunConfig) -> None:
    """UserError for an unknown term, which names the nearest ones, for weights that do not fit the terms, and for a term that
    this network has nothing for.
    """
    check_names("term", config.terms, TERMS)
    if len(set(config.terms)) < len(config.terms):
        raise UserError(f"terms must name each term once, got {config.terms}")
    weights = config.term_weights
    if len(config.terms) != len(weights) or not all(0 <= weight < float("inf") for weight in weights):
        raise UserError(f"term_weights must hold one number, not negative, for each of terms {config.terms}, got {weights}")
    for name in config.terms:
        if (l := ORDERS.get(name, 0)) not in config.ls:
            raise UserError(f"term {name!r} reads l={l}, got ls={config.ls}")
        if name in ATTENTIVE and config.network != "se3_transformer":
            raise UserError(f"term {name!r} needs network 'se3_transformer', got {config.network!r}")


def control_of(name: str) -> str | None:
    """The control of a term: what has the same parts and lacks the point; None where there is none.

    >>> control_of("dipole"), control_of("attention_entropy"), control_of("feature_l2")
    ('dipole_control', 'attention_uniform', None)
    """
    control = "attention_uniform" if name == "attention_entropy" else f"{name}_control"
    return control if control in TERMS else None


CONTROLLED = tuple(name for name in TERMS if control_of(name) and name not in ATTENTIVE)
"""Terms that any of the networks can be trained with and that have a control."""


def build_term(name: str, config: RunConfig, net: "Network") -> "Term":
    """The term of this name."""
    module, _, attribute = TERMS[name].partition(":")
    make: Callable[[RunConfig, Network], Term] = getattr(import_module(module), attribute)
    return make(config, net)
