"""Features that can be changed without a change of any prediction: maps of each order's channels, undone by the next block."""

import copy
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from equinotes.data.batches import Batch
from equinotes.networks.base import Network, Parts
from equinotes.networks.paper import PaperNetwork
from equinotes.support.errors import UserError


@torch.no_grad()
def with_maps(net: PaperNetwork, maps: Mapping[int, Float[Tensor, "mul mul"]]) -> PaperNetwork:
    r"""A copy whose features of order l are mapped behind every block, and whose predictions are the same.

    .. math:: x_l \to x_l A_l, \qquad w_{l_1 l_3} \to A_{l_1}^{-1} w_{l_1 l_3} A_{l_3}, \qquad r \to A_0^{-1} r

    with the weights w of every path, [mul, mul] for each number of the radial network. A skip passes features on, so that all
    blocks share the maps. Without a gate any invertible maps do. A gate multiplies each channel of l > 0 by a number of its own
    and bends scalars: then A_0 must be the identity and the other maps diagonal.

    Raises ValueError for maps that a gate does not let pass, and for auxiliary targets or dense skips.
    """
    config = net.config
    if config.auxiliary or config.skips == "dense":
        raise UserError("maps are for networks without auxiliary targets and dense skips")
    identity = torch.eye(config.mul, dtype=net.readout.dtype)
    every = {l: maps.get(l, identity).to(identity) for l in config.ls}
    if config.gate and any(not torch.equal(A, identity if l == 0 else A.diag().diag()) for l, A in every.items()):
        raise UserError("behind a gate the map of l = 0 must be the identity and those of other orders diagonal")
    changed = copy.deepcopy(net)
    for path in net.block_paths():
        rows = changed.path_weight(path.block)[:, path.where]
        weight = rows.view(len(rows), -1, config.mul) @ every[path.l3]
        if path.block > 1:
            weight = torch.linalg.inv(every[path.l1]) @ weight
        rows.copy_(weight.flatten(1))
    if not config.gate:
        changed.readout.copy_(torch.linalg.inv(every[0]) @ changed.readout)
    return changed


@torch.no_grad()
def feature_sizes(net: Network, batch: Batch) -> dict[tuple[int, str], float]:
    """Mean squares of the features of each irrep behind each block."""
    kept: dict[int, Parts] = {}
    net.outputs(batch, edit=kept.setdefault)
    return {(block, ir): part.square().mean().item() for block, parts in kept.items() for ir, part in parts.items()}
