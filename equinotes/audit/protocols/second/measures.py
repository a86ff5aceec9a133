"""What is measured in each network: calibrated damage per block and order, trained and untrained."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from equinotes.analysis.ablation import Edit
from equinotes.analysis.calibration import DRAWS, calibrated_damage, environments, fitted_readout
from equinotes.analysis.controls import molecule_tables
from equinotes.config import RunConfig
from equinotes.data.qm9 import load_qm9
from equinotes.irreps import split_irreps
from equinotes.networks.paper import Network
from equinotes.training.prediction import batch_of
from equinotes.training.targets import prepare

FITTED, TESTED = 500, 1000
"""Validation molecules that recalibrate, and test molecules that show the damage: one batch."""
READOUT = 2000
"""Training molecules that the untrained trunk's readout is fitted to."""


@torch.no_grad()
def uses(
    net: Network, fitted: Int[np.ndarray, " fitted"], tested: Int[np.ndarray, " tested"],
    targets: Float[np.ndarray, " molecules"] | None = None, *, draws: int = DRAWS, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """`calibrated_damage` of every irrep behind every block but the last, whose orders above 0 reach nothing.

    `fitted` and `tested` are rows of QM9; `targets` of both, in this order, are QM9's unless given. The network is computed
    from the block on that is edited.
    """
    qm9, rows = load_qm9(), np.concatenate([fitted, tested])
    batch = batch_of(net.config, qm9, rows).to(next(net.parameters()).device)
    if targets is None:
        targets = np.asarray(qm9.targets[net.config.target][rows], np.float64)
    counts = molecule_tables(qm9, rows)
    design = np.concatenate([counts["composition"], counts["bond counts"]], axis=1)
    neighbours = np.bincount(batch.edge_index[1].cpu().numpy(), minlength=len(batch.z))
    groups, chosen = environments(batch.z.cpu().numpy(), neighbours), np.arange(len(rows)) < len(fitted)
    tables = []
    for block, layer in enumerate(net.features(batch)[1:-1], start=1):
        parts = split_irreps(layer.x, layer.irreps)

        def predict(edit: Edit | None = None, block: int = block, parts: dict[str, Any] = parts) -> np.ndarray:
            return net.continued(batch, block, parts if edit is None else edit(block, parts)).double().cpu().numpy()

        tables.append(
            calibrated_damage(predict, targets, design, chosen, groups, layer=block, irreps=list(parts), draws=draws, seed=seed)
        )
    return pd.concat(tables, ignore_index=True)


@torch.no_grad()
def untrained_with_readout(
    config: RunConfig, rows: Int[np.ndarray, " rows"] | None = None, targets: Float[np.ndarray, " rows"] | None = None
) -> Network:
    """A configuration's network before its first step, its readout fitted by ridge regression to training molecules.

    The fit is to what the reference leaves of the targets, in the network's units, on the last block's scalars summed over atoms.
    """
    qm9 = load_qm9()
    net, split = prepare(config, qm9)
    rows = split.train[:READOUT] if rows is None else rows
    batch = batch_of(config, qm9, rows)
    known = np.asarray(qm9.targets[config.target][rows] if targets is None else targets, np.float64)
    scalars = net.features(batch)[-1].x[:, : config.mul]
    sums = scalars.new_zeros(batch.num_molecules, config.mul).index_add(0, batch.molecule, scalars).double().numpy()
    weights, constant = fitted_readout(sums, net.normalise(torch.from_numpy(known), batch).double().numpy())
    net.readout.copy_(torch.from_numpy(weights * config.mul**0.5))
    net.energy.weight.fill_(1.0)
    net.energy.bias.fill_(constant)
    return net.eval()
