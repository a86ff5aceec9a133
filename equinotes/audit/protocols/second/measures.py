"""What is measured in each network, trained and untrained: calibrated damage and structure, per block and order."""

from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from equinotes.analysis.ablation import Edit
from equinotes.analysis.calibration import DRAWS, calibrated_damage, environments, fitted_readout
from equinotes.analysis.complexity import complexity_structure, describe, movable, nsps
from equinotes.analysis.controls import molecule_tables
from equinotes.analysis.features import embed
from equinotes.config import RunConfig
from equinotes.data.qm9 import load_qm9
from equinotes.irreps import invariants, split_irreps
from equinotes.networks.base import Network
from equinotes.networks.paper import PaperNetwork
from equinotes.training.prediction import batch_of
from equinotes.training.targets import prepare

FITTED, TESTED = 500, 1000
"""Validation molecules that recalibrate, and test molecules that show the damage: one batch."""
STRUCTURED = 1000
"""Test molecules that structure is measured on."""
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
    network, split = prepare(config, qm9)
    net = cast(PaperNetwork, network)  # protocol 2 is about the paper's networks alone
    rows = split.train[:READOUT] if rows is None else rows
    known = torch.from_numpy(np.asarray(qm9.targets[config.target][rows] if targets is None else targets, np.float64))
    scalars = embed(net, rows)[-1].x[:, : config.mul].astype(np.float64)
    weights, constant = fitted_readout(scalars, net.normalise(known, batch_of(config, qm9, rows)).double().numpy())
    net.readout.copy_(torch.from_numpy(weights * config.mul**0.5))
    net.energy.weight.fill_(1.0)
    net.energy.bias.fill_(constant)
    return net.eval()


def structure(net: Network, rows: Int[np.ndarray, " rows"], *, permutations: int = 200) -> pd.DataFrame:
    """`complexity_structure` of each irrep's power spectra behind every block, summed over the atoms of these molecules.

    Columns `layer`, `irrep`, `measure` ("neighbours given size": Spearman's correlation of each molecule's complexity with that
    of its nearest neighbours in the latents, the size taken off), `value`, and the null's columns. Rules read `value` alone.
    """
    smiles = [load_qm9().smiles[row] for row in rows]
    about, score = describe(smiles), nsps(smiles, workers=1)
    size, formula = about["atoms"].to_numpy(), about["formula"].to_numpy(dtype=object)
    tables = [
        complexity_structure(
            spectra, score, size=size, formula=formula, permutations=permutations, measures=("neighbours given size",)
        ).assign(layer=block.name, irrep=irrep)
        for block in embed(net, rows)[1:]
        for irrep, spectra in invariants(block.x, block.irreps).items()
    ]
    free = int(movable(formula).sum())
    return pd.concat(tables, ignore_index=True).assign(molecules=len(rows), movable=free)
