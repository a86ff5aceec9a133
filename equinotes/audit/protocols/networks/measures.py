"""What is measured in each network, trained and untrained: calibrated damage of features and sides, reach, attention, norms."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.analysis.ablation import Edit
from equinotes.analysis.calibration import calibrated_damage, environments, fitted_readout
from equinotes.analysis.controls import molecule_tables
from equinotes.analysis.features import feature_gradients
from equinotes.analysis.gradients import gradient_shares
from equinotes.analysis.representation import norm_shares
from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.data.qm9 import load_qm9
from equinotes.data.splits import draw_split
from equinotes.irreps import split_irreps
from equinotes.networks.base import Layered, Network, Parts
from equinotes.networks.se3_transformer import SE3Transformer
from equinotes.runs.store import Run
from equinotes.training.prediction import batch_of
from equinotes.training.targets import prepare

FITTED, TESTED = 300, 600
"""Validation molecules that recalibrate, and test molecules that show the damage: one batch."""
READOUT = 2000
"""Training molecules that the untrained trunk's readout is fitted to."""
DRAWS = 5
FEW = 128
"""Test molecules for gradients, norms and attention."""

Predict = Callable[[int, Parts], Float[np.ndarray, " molecules"]]
"""Predictions from the features after a layer, in the target's unit."""


class Sample:
    """The molecules that show damage, what their atoms are, and what recalibration may use."""

    def __init__(self, config: RunConfig, fitted: Int[np.ndarray, " fitted"], tested: Int[np.ndarray, " tested"]) -> None:
        qm9, rows = load_qm9(), np.concatenate([fitted, tested])
        self.batch = batch_of(config, qm9, rows)
        self.targets = np.asarray(qm9.targets[config.target][rows], np.float64)
        counts = molecule_tables(qm9, rows)
        self.design = np.concatenate([counts["composition"], counts["bond counts"]], axis=1)
        self.fitted = np.arange(len(rows)) < len(fitted)
        neighbours = np.bincount(self.batch.edge_index[1].numpy(), minlength=len(self.batch.z))
        self.atoms = environments(self.batch.z.numpy(), neighbours)
        source, target = self.batch.edge_index.numpy()
        self.edges = environments(self.atoms[source], self.atoms[target])

    def damage(self, predict: Callable[..., Any], layer: int, irreps: list[str], groups: Int[np.ndarray, " _"]) -> pd.DataFrame:
        """`calibrated_damage` of these irreps, errors as `whole_mae` and `mae` in the target's unit."""
        table = calibrated_damage(
            predict, self.targets, self.design, self.fitted, groups, layer=layer, irreps=irreps, draws=DRAWS, unit="unit"
        )
        return table.rename(columns={"whole_mae_unit": "whole_mae", "mae_unit": "mae"})


def uses(net: Network, predict: Predict, sample: Sample, reach: pd.DataFrame) -> pd.DataFrame:
    """Calibrated damage of every irrep behind every layer that edits reach, where it reaches the output."""
    with torch.no_grad():
        features = net.features(sample.batch)
    tables = []
    for layer, named in enumerate(net.layers):
        felt = reach[(reach["layer"] == layer) & reach["reaches"]]["irrep"].tolist()
        if not named.editable or not felt:
            continue
        parts = split_irreps(features[layer].x, named.irreps)

        def edited(edit: Edit | None = None, layer: int = layer, parts: Parts = parts) -> np.ndarray:
            return predict(layer, parts if edit is None else edit(layer, parts))

        tables.append(sample.damage(edited, layer, felt, sample.atoms).assign(name=named.name))
    return pd.concat(tables, ignore_index=True)


def reach(net: Network) -> pd.DataFrame:
    """Whether each irrep behind each layer that edits reach affects the output at all: `layer`, `name`, `irrep`, `reaches`."""
    rows = [
        (k, layer.name, irrep, net.reaches(k, irrep))
        for k, layer in enumerate(net.layers) if layer.editable for irrep in _irreps(layer.irreps)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["layer", "name", "irrep", "reaches"])


def sides(net: Network, sample: Sample) -> pd.DataFrame:
    """Calibrated damage of each irrep of each side, its parts moved among edges between atoms of the same two environments."""
    tables = []
    for side in net.sides:

        @torch.no_grad()
        def edited(edit: Edit | None = None, name: str = side.name) -> np.ndarray:
            if edit is None:
                return net(sample.batch).double().numpy()
            with net.sides_edited(lambda found, parts: edit(0, parts) if found == name else parts):
                return net(sample.batch).double().numpy()

        tables.append(sample.damage(edited, 0, list(side.irreps), sample.edges).assign(side=side.name).drop(columns="layer"))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def continued(net: Network, sample: Sample) -> Predict:
    """Predictions of the network itself."""

    @torch.no_grad()
    def predict(layer: int, parts: Parts) -> np.ndarray:
        return net.continued(sample.batch, layer, parts).double().numpy()

    return predict


def with_fitted_readout(net: Network, sample: Sample, rows: Int[np.ndarray, " rows"]) -> Predict:
    """Predictions of the untrained trunk: ridge regression on its last scalars, summed over atoms, fitted to these molecules."""
    qm9, trunk = load_qm9(), cast(Layered, net)
    known = torch.from_numpy(np.asarray(qm9.targets[net.config.target][rows], np.float64))
    scalars, wanted = [], net.normalise(known, batch_of(net.config, qm9, rows)).double().numpy()
    for start in range(0, len(rows), FEW):
        batch = batch_of(net.config, qm9, rows[start : start + FEW])
        first = next(k for k, layer in enumerate(net.layers) if layer.editable)
        with torch.no_grad():
            own = net.features(batch)[first]
        scalars.append(last_scalars(trunk, batch, first, split_irreps(own.x, own.irreps)).numpy())
    weights, constant = fitted_readout(np.concatenate(scalars), wanted)

    def predict(layer: int, parts: Parts) -> np.ndarray:
        outputs = last_scalars(trunk, sample.batch, layer, parts) @ torch.from_numpy(weights) + constant
        return net.predicted(outputs[:, None], sample.batch).numpy()

    return predict


@torch.no_grad()
def last_scalars(net: Layered, batch: Batch, layer: int, parts: Parts) -> Float[Tensor, "molecules channels"]:
    """The last layer's 0e that follow from features after a layer, summed over the atoms of each molecule, float64."""
    x, edges = net.join(parts), net.edges(batch)
    for following in range(layer + 1, len(net.layers)):
        x = net.step(following, x, edges, everything=True)
    atoms = net.split(len(net.layers) - 1, x)["0e"][..., 0].double()
    return atoms.new_zeros(batch.num_molecules, atoms.shape[1]).index_add(0, batch.molecule, atoms)


@torch.no_grad()
def attention(net: SE3Transformer, batch: Batch) -> pd.DataFrame:
    """How sharp attention is, by layer, for atoms with at least two neighbours, and on which edges it lies.

    One row per layer and pair of elements (numbers of source and target): `atoms`, `edges`, mean `weight` times the number of
    neighbours (1: no preference), and `entropy` of the weights over its largest value (1: uniform), the same for all rows of a
    layer. Atoms with one neighbour have no choice and are left out; they are counted in a row of their own (`ends` "one").
    """
    target, source_z = batch.edge_index[1], batch.z[batch.edge_index[0]]
    degree = torch.bincount(target, minlength=len(batch.z))
    several = degree[target] > 1
    ends = [f"{a}-{b}" for a, b in zip(source_z.tolist(), batch.z[target].tolist(), strict=True)]
    rows: list[dict[str, Any]] = []
    for name, weights in net.attention(batch).items():
        per_edge = -(weights * weights.clamp(min=1e-30).log()).mean(1)
        sums = per_edge.new_zeros(len(degree)).index_add(0, target, per_edge)
        entropy = float((sums[degree > 1] / degree[degree > 1].to(sums.dtype).log()).mean())
        table = pd.DataFrame({"ends": ends, "weight": (weights.mean(1) * degree[target]).numpy(), "atom": target.numpy()})
        for pair, some in table[several.numpy()].groupby("ends"):
            found = {"atoms": some["atom"].nunique(), "edges": len(some), "weight": float(some["weight"].mean())}
            rows.append({"side": name, "ends": pair, **found, "entropy": entropy})
        one = int((degree == 1).sum())
        rows.append({"side": name, "ends": "one", "atoms": one, "edges": one, "weight": 1.0, "entropy": entropy})
    return pd.DataFrame(rows)


def examine(
    config: RunConfig, runs_dir: Path | str, *, trained: bool, full: bool
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Tables of one network, its averaged weights or its untrained twin, and no spectra."""
    qm9 = load_qm9()
    split = draw_split(
        qm9, num_train=config.num_train, num_val=config.num_val, num_test=config.num_test, split_seed=config.split_seed
    )
    net = Run(Path(runs_dir) / config.run_id).network(average=True) if trained else prepare(config, qm9)[0].eval()
    sample = Sample(config, split.val[:FITTED], split.test[:TESTED])
    known = reach(net)
    predict = continued(net, sample) if trained else with_fitted_readout(net, sample, split.train[:READOUT])
    layers = feature_gradients(net, split.test[:FEW])
    tables = {"reach": known, "uses": uses(net, predict, sample, known), "gradients": gradient_shares(layers)}
    tables["norms"] = norm_shares([features for features, _ in layers])
    if trained and net.sides:
        tables["sides"] = sides(net, sample)
    if isinstance(net, SE3Transformer):
        tables["attention"] = attention(net, batch_of(config, qm9, split.test[:FEW]))
    return tables, {}


def _irreps(irreps: str) -> Iterator[str]:
    return iter(part.split("x")[-1] for part in irreps.split("+"))
