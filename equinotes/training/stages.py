"""What changes between the steps of a run: orders that join, and the end of a pre-training. Functions of the step alone."""

import torch

from equinotes.config import RunConfig
from equinotes.networks import build_network
from equinotes.networks.base import Network
from equinotes.networks.paper import PaperNetwork
from equinotes.training.checkpoints import State
from equinotes.training.objective import pretraining_steps

JOINED_BY = 0.5
"""Share of the steps after which a curriculum has all orders."""


def orders_at(config: RunConfig, step: int, steps: int) -> tuple[int, ...]:
    """Orders that a curriculum has at a step of `steps`: each stage is equally long, and l = 0 is always there.

    >>> falling = RunConfig(ls=(0, 1, 2), curriculum="falling")
    >>> [orders_at(falling, step, 8) for step in range(5)]
    [(0,), (0,), (0, 2), (0, 2), (0, 1, 2)]
    """
    if config.curriculum == "none" or len(config.ls) < 2:
        return config.ls
    joining = config.ls[1:] if config.curriculum == "rising" else config.ls[:0:-1]
    joined = int(step / (JOINED_BY * steps) * len(joining))
    return (0, *sorted(joining[:joined]))


def enter(state: State, config: RunConfig, step: int, steps: int) -> None:
    """Make ready for a step: the curriculum's orders, and a fresh start after a pre-training."""
    keep_orders(state.net, config, step, steps)
    if step and step == pretraining_steps(config):
        reinitialise(state.net, config)
        state.optimizer.state.clear()
        if state.average is not None:
            state.average.restart()


def keep_orders(net: Network, config: RunConfig, step: int, steps: int) -> None:
    """Put a curriculum's network into the state of a step: a checkpoint does not hold it."""
    if config.curriculum != "none" and isinstance(net, PaperNetwork):
        net.keep_orders(orders_at(config, step, steps))


@torch.no_grad()
def reinitialise(net: Network, config: RunConfig) -> None:
    """Give some weights the values that they had before the first step; see `RunConfig.reinitialise`.

    Paths from l = 0 to l = 0 go with the embedding and the readout, all other paths with the gates. The first matrix of a radial
    network, which all paths of a block share, is kept unless all weights start anew.
    """
    if config.reinitialise == "none":
        return
    first = dict(build_network(config).to(next(net.parameters()).device).named_parameters())
    wanted = {"scalars": False, "directed": True}.get(config.reinitialise)
    radial = {id(net.path_weight(path.block)) for path in net.block_paths()}
    for name, weight in net.named_parameters():
        if wanted is None or (id(weight) not in radial and name.startswith("gates.") == wanted and "radial" not in name):
            weight.copy_(first[name])
    for path in net.block_paths() if wanted is not None else ():
        if (path.l1 > 0 or path.l3 > 0) == wanted:
            weight = net.path_weight(path.block)
            name = next(name for name, each in net.named_parameters() if each is weight)
            weight[:, path.where] = first[name][:, path.where]
