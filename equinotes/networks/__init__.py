"""Networks by name, with the fields of `RunConfig` that each one reads. Importing this loads no torch.

A new network is one file beside this one and one line in `NETWORKS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from equinotes.config import MAX_L, RunConfig
from equinotes.support.errors import UserError, unknown

if TYPE_CHECKING:
    from equinotes.networks.base import Network


@dataclass(frozen=True)
class Entry:
    """One network of the registry."""

    place: str
    """Where its class is, as `module:Class`; it is called as `Class(config, implementation)`."""
    reads: str
    """Fields of `RunConfig` that decide its architecture, its graph or how its orders are trained, between spaces."""
    takes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Values that it can take of a field, where these are fewer than `RunConfig` allows."""
    refuses: Callable[[RunConfig], str | None] = lambda config: None
    """What is wrong with fields that are each allowed but not together; None where nothing is."""


def unattended(config: RunConfig) -> str | None:
    """What the SE(3)-Transformer cannot take."""
    if 2 * config.lmax > MAX_L:
        return f"takes ls up to {MAX_L // 2}, for harmonics go up to twice that, got ls={config.ls}"
    if config.mul % (config.channels_div * config.heads):
        found = f"mul={config.mul}, channels_div={config.channels_div}, heads={config.heads}"
        return f"needs a mul that channels_div times heads divides, got {found}"
    return None


def unreached(config: RunConfig) -> str | None:
    """What SEGNN cannot take: orders that no product of attributes leads to."""
    attributes, reached = range(config.attribute_lmax + 1), {0}
    for _ in config.ls:
        reached |= {l for l in config.ls for k in reached for j in attributes if abs(k - j) <= l <= k + j and not (j + k + l) % 2}
    if lacking := sorted(set(config.ls) - reached):
        return f"reaches no features of l={lacking[0]} with attribute_lmax={config.attribute_lmax} and ls={config.ls}"
    return None


def unmasked(config: RunConfig) -> str | None:
    """What the paper's network cannot take: a curriculum leaves out paths of its convolutions, not of its products."""
    if config.curriculum != "none" and config.body_order > 2:
        return (
            f"takes no curriculum with many-body products, got curriculum={config.curriculum!r}, body_order={config.body_order}"
        )
    return None


NETWORKS = {
    "paper": Entry(
        "equinotes.networks.paper:PaperNetwork",
        reads="ls mul num_blocks atom_dim num_basis radial cutoff graph degree_norm gate last_block skips curriculum "
        "reinitialise body_order m_max",
        refuses=unmasked,
    ),
    "nequip": Entry(
        "equinotes.networks.nequip:NequIP",
        reads="ls mul num_blocks num_basis radial cutoff graph degree_norm parity body_order",
    ),
    "se3_transformer": Entry(
        "equinotes.networks.se3_transformer:SE3Transformer",
        reads="ls mul num_blocks num_basis radial cutoff graph heads channels_div pooling",
        refuses=unattended,
    ),
    "segnn": Entry(
        "equinotes.networks.segnn:SEGNN",
        reads="ls mul num_blocks cutoff graph attribute_lmax pooling",
        takes={"pooling": ("mean", "sum")},
        refuses=unreached,
    ),
    "painn": Entry(
        "equinotes.networks.painn:PaiNN",
        reads="ls mul num_blocks num_basis cutoff graph radial",
        takes={"ls": ((0, 1),)},
    ),
}
"""Every network by the name that `RunConfig.network` gives."""


def check(config: RunConfig) -> None:
    """ValueError for an unknown network, a field that it does not read but that is set, or a value that it cannot take.

    A field is set where it differs from its default, and is one that at least one network of the registry reads.
    """
    if config.network not in NETWORKS:
        raise UserError(unknown("network", config.network, list(NETWORKS)))
    entry = NETWORKS[config.network]
    defaults = type(config).__dataclass_fields__
    readers: dict[str, list[str]] = {}
    for name, other in NETWORKS.items():
        for read in other.reads.split():
            readers.setdefault(read, []).append(name)
    for name in sorted(set(readers) - set(entry.reads.split())):
        if getattr(config, name) != defaults[name].default:
            raise UserError(
                f"network {config.network!r} does not read {name}, got {name}={getattr(config, name)!r}; "
                f"networks that read it: {', '.join(readers[name])}"
            )
    for name, allowed in entry.takes.items():
        if getattr(config, name) not in allowed:
            values = ", ".join(map(repr, allowed))
            raise UserError(f"network {config.network!r} takes {name} from {values}, got {getattr(config, name)!r}")
    if why := entry.refuses(config):
        raise UserError(f"network {config.network!r} {why}")


def build_network(config: RunConfig, implementation: str = "fast", **options: Any) -> "Network":
    """The network that `config.network` names, with random weights that `config.seed` decides.

    `implementation` is "fast" or "e3nn" (plain, and slow): both have the same parameters, with the same values; `options` go to
    the network's class. The caller's random numbers are not touched. Raises ValueError for an unknown implementation.

    >>> sum(p.numel() for p in build_network(RunConfig(ls=(0, 1, 2), mul=32)).parameters())
    1648034
    """
    import torch

    module, _, name = NETWORKS[config.network].place.partition(":")
    network = getattr(import_module(module), name)
    if implementation not in network.implementations:
        raise UserError(f"implementation must be one of {', '.join(network.implementations)}, got {implementation!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return network(config, implementation, **options)
