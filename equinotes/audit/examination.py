"""One network, examined: what its gradients, features and predictions say of the orders that it uses."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Shaped

from equinotes.analysis.ablation import MODES, Edit, inference_ablation
from equinotes.analysis.complexity import complexity_structure, describe, movable, nsps
from equinotes.analysis.features import LayerArray, embed, feature_gradients, untrained, weight_gradients
from equinotes.analysis.gradients import dead_weights, gradient_shares
from equinotes.analysis.manifold import phate_by_irrep
from equinotes.analysis.probes import probe_table
from equinotes.analysis.representation import effective_rank, norm_shares
from equinotes.audit.measures import REST
from equinotes.config import RunConfig
from equinotes.data.qm9 import load_qm9
from equinotes.data.splits import draw_split
from equinotes.irreps import invariants, split_irreps
from equinotes.networks.base import Network
from equinotes.runs.store import Run
from equinotes.training.prediction import batch_of
from equinotes.training.targets import composition

MOLECULES = 1000
"""Test molecules for structure, probes and similarity."""
FEW = 256
"""Test molecules for gradients, norms, ranks and ablations: one batch."""
PICTURED, PICTURED_SEEDS = 500, (0, 1)
"""Test molecules in pictures, and the seeds whose networks are drawn."""
FEWEST = 32
"""Test molecules that show which weights have no gradient."""
DRAWS = 10
"""Random draws of each edit that has chance in it."""
MANY_ORDERS = 8
"""From so many orders on only shuffling is tried, since each edit takes seconds."""
TARGETS = {REST: "U0_atom", "dipole": "dipole", "alpha": "alpha", "alpha_anisotropy": "alpha_anisotropy"}
"""What probes look for, and the column of QM9 that it is; what the composition explains is taken off all of them."""

Tables = dict[str, pd.DataFrame]
Spectra = dict[str, np.ndarray]


class Sample(NamedTuple):
    """The test molecules and what is known of them."""

    rows: Int[np.ndarray, " molecules"]
    score: Float[np.ndarray, " molecules"]
    atoms: Int[np.ndarray, " molecules"]
    formula: Shaped[np.ndarray, " molecules"]
    counts: Float[np.ndarray, "molecules elements"]
    targets: dict[str, Float[np.ndarray, " molecules"]]


def examine(config: RunConfig, runs_dir: Path | str, *, trained: bool, full: bool) -> tuple[Tables, Spectra]:
    """Tables of one network by name, and the power spectra of its last block where it is examined in full.

    Where an average of the weights is kept, it is the average that is examined. Without `full`: `gradients`, `norms`, `ranks`
    and `weights`. With it also `structure` and `probes`, `pictures` for some seeds, and `ablations` where the network is trained.
    """
    net = Run(Path(runs_dir) / config.run_id).network(average=config.average > 0) if trained else untrained(config)
    known = sample(config.num_train, config.num_val, config.num_test, config.split_seed)
    layers = feature_gradients(net, known.rows[:FEW])
    features = [layer for layer, _ in layers]
    tables = {
        "gradients": gradient_shares(layers),
        "norms": norm_shares(features),
        "ranks": _ranks(features),
        "weights": dead_weights(weight_gradients(net, known.rows[:FEWEST])),
    }
    if not full:
        return tables, {}
    blocks = embed(net, known.rows)[1:]
    spectra = {block.name: invariants(block.x, block.irreps) for block in blocks}
    tables |= {"structure": _structure(spectra, known), "probes": _probes(spectra, known)}
    if config.seed in PICTURED_SEEDS:
        tables["pictures"] = pictures(blocks[-2], known)
    if trained:
        tables["ablations"] = ablations(net, known.rows[:FEW])
    return tables, list(spectra.values())[-1]


@cache
def sample(num_train: int, num_val: int, num_test: int, split_seed: int) -> Sample:
    """The first test molecules of a split."""
    qm9 = load_qm9()
    split = draw_split(qm9, num_train=num_train, num_val=num_val, num_test=num_test, split_seed=split_seed)
    rows = split.test[:MOLECULES]
    smiles = [qm9.smiles[row] for row in rows]
    words = describe(smiles)
    counts = composition(qm9, rows)
    return Sample(
        rows=rows,
        score=nsps(smiles, workers=1),
        atoms=words["atoms"].to_numpy(),
        formula=words["formula"].to_numpy(dtype=object),
        counts=counts[:, counts.any(axis=0)],
        targets={name: np.asarray(qm9.targets[column][rows]) for name, column in TARGETS.items()},
    )


def pictures(layer: LayerArray, known: Sample) -> pd.DataFrame:
    """PHATE of the power spectra behind one block, for each irrep and jointly: `qm9_index`, `score`, `phate1`, `phate2`."""
    found = phate_by_irrep(layer.x[:PICTURED], layer.irreps, kind="power")
    chosen = found.pop("molecule").to_numpy()
    return found.assign(layer=layer.name, qm9_index=load_qm9().index[known.rows[chosen]], score=known.score[chosen])


@torch.no_grad()
def ablations(net: Network, rows: Int[np.ndarray, " molecules"]) -> pd.DataFrame:
    """`inference_ablation` of every irrep at every block with a path to the energy: all orders, but l = 0 alone at the last.

    The molecules are one batch, and the network is computed from the spoilt block on.
    """
    qm9, config = load_qm9(), net.config
    batch, targets = batch_of(config, qm9, rows), np.asarray(qm9.targets[config.target][rows])
    tables = []
    for block, layer in enumerate(net.features(batch)[1:], start=1):
        parts = split_irreps(layer.x, layer.irreps)

        def predict(edit: Edit | None = None, block: int = block, parts: dict[str, Any] = parts) -> np.ndarray:
            changed = parts if edit is None else edit(block, parts)
            return net.continued(batch, block, changed).numpy()

        felt = [irrep for irrep in parts if net.reaches(block, irrep)]
        modes = ("shuffle",) if len(parts) >= MANY_ORDERS else tuple(MODES)
        tables.append(inference_ablation(predict, targets, irreps=felt, layers=[block], modes=modes, repeats=DRAWS))
    return pd.concat(tables, ignore_index=True)


def _ranks(features: list[Any]) -> pd.DataFrame:
    rows = [
        (name, irrep, effective_rank(part)) for name, x, irreps in features for irrep, part in split_irreps(x, irreps).items()
    ]
    return pd.DataFrame(rows, columns=["layer", "irrep", "effective_rank"])


def _structure(spectra: dict[str, Spectra], known: Sample) -> pd.DataFrame:
    """`complexity_structure` of each layer and irrep; the distance correlation, which is slow, for the last block only."""
    last, tables = list(spectra)[-1], []
    for layer, parts in spectra.items():
        measures = ("neighbours", "neighbours given size", *(("distance",) if layer == last else ()))
        for irrep, x in parts.items():
            found = complexity_structure(x, known.score, size=known.atoms, formula=known.formula, measures=measures)
            tables.append(found.assign(layer=layer, irrep=irrep))
    free = int(movable(known.formula).sum())
    return pd.concat(tables, ignore_index=True).assign(molecules=len(known.rows), movable=free)


def _probes(spectra: dict[str, Spectra], known: Sample) -> pd.DataFrame:
    """`probe_table` of each layer and irrep, with what the composition explains taken off; no formula stands in two folds."""
    tables = []
    for layer, parts in spectra.items():
        table = probe_table(parts, known.targets, given=known.counts, groups=known.formula)
        tables.append(table.rename(columns={"features": "irrep"}).assign(layer=layer, folds="formula"))
    return pd.concat(tables, ignore_index=True)
