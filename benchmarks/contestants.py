"""Who trains: the same network in the implementations that are compared, and the allocator settings that they run under."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec

from equinotes import RunConfig, build_network
from equinotes.irreps import irreps_of
from equinotes.networks.base import Network
from equinotes.support.cores import side_by_side

TUNED_ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**28),
}
"""glibc keeps all memory that it once got, instead of giving large buffers back to the system and faulting them in again."""


class Skipped(Exception):
    """A contestant cannot run here; the message says why."""


@dataclass(frozen=True)
class Contestant:
    """A name, a way to build a network from a configuration, and environment variables for its process."""

    name: str
    build: Callable[[RunConfig], Network]
    environment: dict[str, str] = field(default_factory=dict)
    threads: Callable[[], AbstractContextManager[None]] = nullcontext
    """How its steps use the cores: as torch does by itself, or as `equinotes.train` does."""
    positions: bool = False
    """Whether a step also computes gradients with respect to positions."""


def fast(config: RunConfig) -> Network:
    """equinotes' own convolution."""
    return build_network(config)


def e3nn(config: RunConfig) -> Network:
    """The plain e3nn layer, as everybody writes it."""
    return build_network(config, "e3nn")


def cuequivariance(config: RunConfig) -> Network:
    """The e3nn network with cuequivariance's tensor product: fused kernels on a GPU, its fallback on a CPU."""
    if find_spec("cuequivariance_torch") is None:
        raise Skipped("cuequivariance-torch is not installed (pip install cuequivariance-torch)")
    import cuequivariance as cue  # type: ignore[import-not-found, unused-ignore]
    import cuequivariance_torch as cuet  # type: ignore[import-not-found, unused-ignore]

    net = build_network(config, "e3nn")
    method = None if find_spec("cuequivariance_ops_torch") else "naive"  # its own choice where its kernels are installed
    for block, ls_out in zip(net.blocks, net.ls_by_block, strict=True):
        irreps_in = str(block.tensor_product.irreps_in1)
        irreps = [irreps_in, irreps_of(config.ls, 1), irreps_of(ls_out, config.mul)]
        block.tensor_product = cuet.FullyConnectedTensorProduct(
            *(cue.Irreps("O3", text) for text in irreps),
            layout=cue.mul_ir,
            shared_weights=False,
            internal_weights=False,
            method=method,
        )
    return net


CONTESTANTS = (
    Contestant("equinotes", fast, threads=side_by_side),
    Contestant("e3nn", e3nn),
    Contestant("e3nn, tuned allocator", e3nn, TUNED_ALLOCATOR),
    Contestant("cuequivariance", cuequivariance),
)
POSITION_CONTESTANTS = (
    Contestant("equinotes", fast, threads=side_by_side),
    Contestant("equinotes, positions", fast, threads=side_by_side, positions=True),
    Contestant("e3nn", e3nn),
    Contestant("e3nn, positions", e3nn, positions=True),
)
"""The same with and without gradients with respect to positions."""
