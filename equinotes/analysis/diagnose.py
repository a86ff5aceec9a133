"""Which irreps does a network use? One table for any network, also for one that was written elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import nn

from equinotes.analysis.ablation import MODES, edit_of
from equinotes.analysis.features import LayerArray, as_network, gradients_in
from equinotes.analysis.gradients import gradient_shares
from equinotes.analysis.representation import norm_shares
from equinotes.analysis.sides import CONDITIONAL, side_gradients, spoilt_by_side
from equinotes.data.batches import Batch
from equinotes.data.qm9 import load_qm9
from equinotes.networks.adapted import Adapted, Call
from equinotes.networks.base import Network, Parts, pack_parts
from equinotes.runs.store import Run
from equinotes.support.errors import UserError

Summary = Callable[[Float[np.ndarray, " molecules"], Float[np.ndarray, "draws molecules"]], dict[str, float]]
"""Takes predictions of the whole network and of the spoilt one, draw by draw, to columns of a table."""


def change(whole: Float[np.ndarray, " molecules"], spoilt: Float[np.ndarray, "draws molecules"]) -> dict[str, float]:
    """Mean absolute change of the predictions: `change`, its standard deviation over the draws `change_sd` (missing for one
    draw), and `change_of_spread`, the change over the standard deviation of the predictions over molecules.
    """
    changes = np.abs(spoilt - whole).mean(axis=1)
    spread = float(whole.std())
    return {
        "change": float(changes.mean()),
        "change_sd": float(changes.std(ddof=1)) if len(changes) > 1 else np.nan,
        "change_of_spread": float(changes.mean()) / spread if spread > 0 else np.nan,
    }


def diagnose(
    network: Run | Network | nn.Module,
    molecules: Batch | ArrayLike,
    *,
    layers: Mapping[str, str] | None = None,
    call: Call | None = None,
    mode: str = "shuffle",
    draws: int = 5,
    seed: int = 0,
    summary: Summary = change,
) -> pd.DataFrame:
    """Which irreps behind which layers the predictions of a network rest on.

    Parameters
    ----------
    network
        A run, a network, or any torch module; a module needs `layers` and, unless `module(batch)` gives predictions, `call`.
    molecules
        A batch with the network's own edges, or rows of QM9 [molecules]; they are one batch.
    layers, call
        Names of submodules and the irreps of what they put out, and how the module is run: see `Adapted`.
    mode, draws, seed
        How an irrep is spoilt, how often, and by which random numbers: "shuffle" among all atoms of the batch, "conditional"
        among those of one element with as many neighbours, "zero", or "direction".
    summary
        What is made of the predictions before and after.

    Returns
    -------
    pandas.DataFrame
        One row per layer that edits reach and irrep: `layer`, `irrep`, `channels`, `norm_share` (of the mean square of a
        component, as `norm_shares`), `gradient_share` (of |dE/dx| |x|, E the sum of the predictions), `reaches` (whether any
        derivative is not exactly zero) and the columns of `summary`, in the unit of the predictions. Below them stand the same
        for each side of the network (`side` is True), such as what each degree adds to the logits of an attention: an order can
        act through them alone. Shuffles of a side are among its edges.

    Raises
    ------
    ValueError
        An unknown `mode`, a module without `layers`, and whatever `Adapted` refuses.
    """
    if mode not in (*MODES, CONDITIONAL):
        raise UserError(f"mode must be one of {', '.join(map(repr, (*MODES, CONDITIONAL)))}, got {mode!r}")
    if isinstance(network, nn.Module) and not isinstance(network, Network):
        if layers is None:
            raise UserError("a torch module needs layers={name of a submodule: irreps of what it puts out, ...}")
        network = Adapted(network, layers, call)
    net = as_network(network)
    training = net.training
    net.eval()
    try:
        return _diagnosed(net, _batch(net, molecules), mode, draws, seed, summary)
    finally:
        net.train(training)


def _diagnosed(net: Network, batch: Batch, mode: str, draws: int, seed: int, summary: Summary) -> pd.DataFrame:
    slopes = gradients_in(lambda edit: net(batch, edit=edit).sum())
    packed = [(_packed(net, k, parts), _packed(net, k, gradients)) for k, (parts, gradients) in slopes.items()]
    norms = norm_shares([features for features, _ in packed]).set_index(["layer", "irrep"])["share"]
    flows = gradient_shares(packed).set_index(["layer", "irrep"])["share"]
    with torch.no_grad():
        whole = net(batch).cpu().numpy()
    rows = []
    for k, (parts, _) in slopes.items():
        name = net.layers[k].name
        for irrep, part in parts.items():
            row: dict[str, Any] = {"layer": name, "irrep": irrep, "channels": part.shape[1], "side": False}
            row |= {"norm_share": norms[name, irrep], "gradient_share": flows[name, irrep]}
            row["reaches"] = net.reaches(k, irrep, batch)
            rows.append(row | summary(whole, spoilt_predictions(net, batch, k, parts, irrep, mode, draws, seed)))
    return pd.DataFrame([*rows, *_side_rows(net, batch, whole, mode, draws, seed, summary)])


def _side_rows(
    net: Network, batch: Batch, whole: Float[np.ndarray, " molecules"], mode: str, draws: int, seed: int, summary: Summary
) -> list[dict[str, Any]]:
    rows = []
    for name, (parts, gradients) in side_gradients(net, batch).items() if net.sides else ():
        squares = {irrep: float(part.double().square().mean()) for irrep, part in parts.items()}
        flows = {irrep: float(gradients[irrep].double().norm() * part.double().norm()) for irrep, part in parts.items()}
        for irrep, part in parts.items():
            row: dict[str, Any] = {"layer": name, "irrep": irrep, "channels": part.shape[1], "side": True}
            row |= {"norm_share": _share(squares, irrep), "gradient_share": _share(flows, irrep)}
            row["reaches"] = bool(gradients[irrep].any())
            rows.append(row | summary(whole, spoilt_by_side(net, batch, name, irrep, mode, draws, seed)))
    return rows


def _share(sizes: Mapping[str, float], irrep: str) -> float:
    total = sum(sizes.values())
    return sizes[irrep] / total if total > 0 else 0.0


@torch.no_grad()
def spoilt_predictions(
    net: Network, batch: Batch, layer: int, parts: Parts, irrep: str, mode: str, draws: int, seed: int = 0
) -> Float[np.ndarray, "draws molecules"]:
    """Predictions from the features `parts` after a layer with one irrep spoilt; the first of `draws` uses `seed`."""
    if mode == CONDITIONAL:
        from equinotes.analysis.calibration import conditional_shuffle, environments  # they bring scikit-learn

        neighbours = torch.bincount(batch.edge_index[1], minlength=len(batch.z))
        groups = environments(batch.z.cpu().numpy(), neighbours.cpu().numpy())
        edits = [conditional_shuffle(layer, irrep, groups, seed=seed + draw) for draw in range(draws)]
    else:
        edits = [edit_of(mode, layer, irrep, seed=seed + draw) for draw in range(draws)]
    return np.stack([net.continued(batch, layer, edit(layer, parts)).cpu().numpy() for edit in edits])


def _packed(net: Network, layer: int, parts: Parts) -> LayerArray:
    return LayerArray(net.layers[layer].name, pack_parts(parts).cpu().numpy(), net.layers[layer].irreps)


def _batch(net: Network, molecules: Batch | ArrayLike) -> Batch:
    like = next(net.parameters())
    if not isinstance(molecules, Batch):
        molecules = load_qm9().batch(np.asarray(molecules), graph=net.config.graph, cutoff=net.config.cutoff)
    return molecules.to(like.device, like.dtype)
