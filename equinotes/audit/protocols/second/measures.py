"""What is measured in each network, trained and untrained: calibrated damage and structure, per block and order."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from equinotes.analysis.calibration import DRAWS, calibrated_damage, environments, fitted_readout
from equinotes.analysis.complexity import complexity_structure, describe, movable, nsps
from equinotes.analysis.controls import molecule_tables
from equinotes.analysis.features import embed
from equinotes.audit.protocols.second.edited import BATCH, edited, stream
from equinotes.config import RunConfig
from equinotes.data.qm9 import load_qm9
from equinotes.data.splits import draw_split
from equinotes.irreps import invariants
from equinotes.networks.base import Network
from equinotes.networks.paper import PaperNetwork
from equinotes.runs.store import Run
from equinotes.training.prediction import batch_of
from equinotes.training.targets import prepare

FITTED, TESTED = 500, 1000
"""Validation molecules that recalibrate, and test molecules that show the damage: one batch."""
STRUCTURED = 1000
"""Test molecules that structure is measured on."""
READOUT = 2000
"""Training molecules that the untrained trunk's readout is fitted to."""


def uses(
    net: Network, fitted: Int[np.ndarray, " fitted"], tested: Int[np.ndarray, " tested"],
    targets: Float[np.ndarray, " molecules"] | None = None, *, draws: int = DRAWS, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """`calibrated_damage` of every irrep behind every block but the last, whose orders above 0 reach nothing.

    `fitted` and `tested` are rows of QM9; `targets` of both, in this order, are QM9's unless given.
    """
    qm9, rows = load_qm9(), np.concatenate([fitted, tested])
    batch = batch_of(net.config, qm9, rows)
    if targets is None:
        targets = np.asarray(qm9.targets[net.config.target][rows], np.float64)
    counts = molecule_tables(qm9, rows)
    design = np.concatenate([counts["composition"], counts["bond counts"]], axis=1)
    neighbours = np.bincount(batch.edge_index[1].numpy(), minlength=len(batch.z))
    groups, chosen = environments(batch.z.numpy(), neighbours), np.arange(len(rows)) < len(fitted)
    tables = [
        calibrated_damage(predict, targets, design, chosen, groups, layer=block, irreps=irreps, draws=draws, seed=seed)
        for block, irreps, predict in edited(net, rows)
    ]
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
    scalars = np.concatenate([_scalars(net, rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)])
    weights, constant = fitted_readout(scalars, net.normalise(known, batch_of(config, qm9, rows)).double().numpy())
    net.readout.copy_(torch.from_numpy(weights * config.mul**0.5))
    net.energy.weight.fill_(1.0)
    net.energy.bias.fill_(constant)
    return net.eval()


def _scalars(net: PaperNetwork, rows: Int[np.ndarray, " rows"]) -> Float[np.ndarray, "rows channels"]:
    """The last block's scalars, summed over the atoms of each molecule."""
    batch = batch_of(net.config, load_qm9(), rows)
    atoms = stream(net, batch)[-1].flatten(1)[:, : net.config.mul].double()
    return atoms.new_zeros(batch.num_molecules, net.config.mul).index_add(0, batch.molecule, atoms).numpy()


def structure(net: Network, rows: Int[np.ndarray, " rows"], *, permutations: int = 200) -> pd.DataFrame:
    """`complexity_structure` of each irrep's power spectra behind every block, summed over the atoms of these molecules.

    Columns `layer`, `irrep`, `measure` ("neighbours given size": Spearman's correlation of each molecule's complexity with that
    of its nearest neighbours in the latents, the size taken off), `value`, and the null's columns. Rules read `value` alone.
    """
    qm9 = load_qm9()
    smiles = [qm9.smiles[row] for row in rows]
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


def examine(
    config: RunConfig, runs_dir: Path | str, *, trained: bool, full: bool
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Tables of one network, its averaged weights or its untrained twin: `uses` and `structure`, and no spectra.

    Recalibrated on the first `FITTED` validation molecules, tested on the first `TESTED` test molecules.
    """
    split = draw_split(
        load_qm9(), num_train=config.num_train, num_val=config.num_val, num_test=config.num_test, split_seed=config.split_seed
    )
    run = Run(Path(runs_dir) / config.run_id)
    net = run.network(average=True) if trained else untrained_with_readout(config)
    tables = {"structure": structure(net, split.test[:STRUCTURED]), "uses": uses(net, split.val[:FITTED], split.test[:TESTED])}
    return tables, {}
