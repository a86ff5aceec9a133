"""Claim C6: what published foundation models do with their orders, on molecules of QM9.

Each model, with its weights and with random ones, is run once on `MOLECULES` test molecules. The features of all atoms give norm
shares, the structure score of power spectra, and PHATE pictures. In the trained model every irrep behind every layer is then
shuffled among atoms of one element with as many bonds, and the predictions are compared with the model's own.

Sizes do not depend on results, with one exception: first three draws of random weights were examined, and 300 molecules. Three
left all intervals of structure wider than what matters, so both were raised once, to the numbers here.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from equinotes.analysis.calibration import DRAWS, environments, share_of_spread
from equinotes.analysis.complexity import complexity_structure, describe, nsps, permute_within
from equinotes.analysis.controls import molecule_tables
from equinotes.analysis.features import LayerArray
from equinotes.analysis.manifold import phate_by_irrep
from equinotes.analysis.representation import norm_shares
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.data.splits import draw_split
from equinotes.irreps import invariants, split_irreps
from equinotes.networks.adapted import Adapted
from equinotes.networks.sevennet import resume_many
from equinotes.support.errors import NotFinite
from equinotes.support.progress import bar

MOLECULES = 1000
"""Test molecules, the first ones of the split."""
GROUPS = 10
"""Groups of these molecules: the replicates of the damage. Odd groups recalibrate even ones, and the reverse."""
MIRRORED = 96
"""Molecules whose mirror images are predicted too."""
CHUNK = 16
"""Molecules in one batch: features of their edges then take some 100 MB."""
MEASURE = "neighbours given size"


@dataclass(frozen=True)
class Examined:
    """A network's predictions [eV] and the features of all atoms behind each layer, for the molecules in `rows`."""

    rows: Int[np.ndarray, " molecules"]
    owner: Int[np.ndarray, " atoms"]
    predictions: Float[np.ndarray, " molecules"]
    mirrored: Float[np.ndarray, " some"]
    layers: tuple[LayerArray, ...]

    def summed(self) -> list[LayerArray]:
        """Features summed over the atoms of each molecule."""
        starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
        return [LayerArray(layer.name, np.add.reduceat(layer.x, starts), layer.irreps) for layer in self.layers]


def sample(qm9: QM9) -> Int[np.ndarray, " molecules"]:
    """Rows of the molecules that are examined."""
    return draw_split(qm9, num_train=0, num_val=0, num_test=MOLECULES, split_seed=0).test


@torch.no_grad()
def examine(net: Adapted, rows: Int[np.ndarray, " molecules"], *, progress: bool = False) -> Examined:
    """Predictions and features; layers are named by their numbers, from 0, the embedding."""
    qm9, config = load_qm9(), net.config
    predictions, mirrored, kept, owners = [], [], [], []
    for start in bar(range(0, len(rows), CHUNK), desc="features", progress=progress):
        batch = qm9.batch(rows[start : start + CHUNK], graph=config.graph, cutoff=config.cutoff)
        features = [layer.x for layer in net.features(batch)]
        parts = split_irreps(features[-1], net.layers[-1].irreps)
        predictions.append(net.continued(batch, len(net.layers) - 1, parts).numpy())
        if start < MIRRORED:
            mirrored.append(net(batch.rotated(-torch.eye(3))).numpy())
        kept.append([x.numpy() for x in features])
        owners.append(batch.molecule.numpy() + start)
    if not all(np.isfinite(some).all() for some in predictions):
        raise NotFinite("the network's predictions are not finite")
    layers = tuple(
        LayerArray(str(number), np.concatenate(arrays), layer.irreps)
        for number, (layer, arrays) in enumerate(zip(net.layers, zip(*kept, strict=True), strict=True))
    )
    return Examined(rows, np.concatenate(owners), np.concatenate(predictions), np.concatenate(mirrored)[:MIRRORED], layers)


def cells(examined: Examined) -> list[tuple[int, str]]:
    """Every layer behind the embedding with each of its irreps."""
    return [(int(layer.name), irrep) for layer in examined.layers[1:] for irrep in split_irreps(layer.x[:1], layer.irreps)]


def shuffles(
    net: Adapted, examined: Examined, molecules: Int[np.ndarray, " some"], *, draws: int = DRAWS, progress: bool = False
) -> Float[np.ndarray, "some cells draws"]:
    """Predictions of some of the examined molecules after each shuffle: of one irrep behind one layer, among atoms of one element
    with as many bonds in all examined molecules.
    """
    qm9, tables = load_qm9(), [split_irreps(layer.x, layer.irreps) for layer in examined.layers]
    orders = permutations(examined, draws)
    energies = []
    for molecule in bar(molecules.tolist(), desc="shuffles", progress=progress):
        batch = qm9.batch(examined.rows[[molecule]], graph=net.config.graph, cutoff=net.config.cutoff)
        atoms, starts = np.flatnonzero(examined.owner == molecule), {}
        for layer in range(1, len(tables)):
            irreps = list(tables[layer])
            own = {irrep: np.stack([tables[layer][irrep][atoms]] * (len(irreps) * draws)) for irrep in irreps}
            for place, (irrep, draw) in enumerate(product(irreps, range(draws))):
                own[irrep][place] = tables[layer][irrep][orders[layer, irrep, draw][atoms]]
            starts[layer] = torch.from_numpy(np.concatenate([part.reshape(*part.shape[:2], -1) for part in own.values()], axis=2))
        energies.append(torch.cat([*resume_many(net, batch, starts).values()]).view(-1, draws).double().numpy())
    return np.stack(energies)


def permutations(examined: Examined, draws: int) -> dict[tuple[int, str, int], Int[np.ndarray, " atoms"]]:
    """By layer, irrep and draw: which atom's features each atom gets, as `conditional_shuffle` draws them."""
    qm9 = load_qm9()
    bonds = qm9.batch(examined.rows)
    neighbours = np.bincount(bonds.edge_index[1].numpy(), minlength=len(bonds.z))
    groups = environments(bonds.z.numpy(), neighbours)
    return {
        (layer, irrep, draw): permute_within(groups, np.random.default_rng([0, layer, int(irrep[:-1]), draw]))
        for (layer, irrep), draw in product(cells(examined), range(draws))
    }


def damage_shares(
    examined: Examined, shuffled: Float[np.ndarray, "molecules cells draws"], molecules: Int[np.ndarray, " molecules"]
) -> pd.DataFrame:
    """`share_of_spread` per layer, irrep and group of molecules, mean over the draws.

    Even and odd groups recalibrate each other.
    """
    whole, group = examined.predictions[molecules], group_of(examined)[molecules]
    design, rows = design_of(examined.rows[molecules]), []
    for (layer, irrep), column in zip(cells(examined), shuffled.transpose(1, 2, 0), strict=True):
        for half in (0, 1):
            tested = group % 2 == half
            numbers, places = np.unique(group[tested], return_inverse=True)
            shares = np.mean([share_of_spread(whole, damaged, design, ~tested, places) for damaged in column], axis=0)
            rows += [(layer, irrep, int(number), float(share)) for number, share in zip(numbers, shares, strict=True)]
    return pd.DataFrame(rows, columns=["layer", "irrep", "group", "damage_share"])


def group_of(examined: Examined) -> Int[np.ndarray, " molecules"]:
    """Group of each molecule: equal parts, in the order of the sample, which is random."""
    return np.arange(len(examined.rows)) * GROUPS // len(examined.rows)


def design_of(rows: Int[np.ndarray, " molecules"]) -> Float[np.ndarray, "molecules columns"]:
    """Counts of atoms and bonds by kind."""
    counts = molecule_tables(load_qm9(), rows)
    return np.concatenate([counts["composition"], counts["bond counts"]], axis=1)


def structure(examined: Examined) -> pd.DataFrame:
    """Structure score of each irrep's power spectra behind every layer but the embedding."""
    qm9 = load_qm9()
    smiles = [qm9.smiles[row] for row in examined.rows]
    about, score = describe(smiles), nsps(smiles, workers=1)
    size, formula = about["atoms"].to_numpy(), about["formula"].to_numpy(dtype=object)
    rows = []
    for layer in examined.summed()[1:]:
        for irrep, spectra in invariants(layer.x, layer.irreps).items():
            # one permutation: the null is not read
            found = complexity_structure(spectra, score, size=size, formula=formula, permutations=1, measures=(MEASURE,))
            rows.append((int(layer.name), irrep, MEASURE, float(found["value"].iloc[0])))
    return pd.DataFrame(rows, columns=["layer", "irrep", "measure", "value"])


def norms(examined: Examined) -> pd.DataFrame:
    """`norm_shares` of the atoms' features behind every layer."""
    table = norm_shares(examined.layers)
    return table.assign(layer=table["layer"].astype(int))


def pictures(examined: Examined) -> pd.DataFrame:
    """PHATE of the power spectra behind the last layer with orders above 0."""
    layer = [layer for layer in examined.summed() if len(split_irreps(layer.x[:1], layer.irreps)) > 1][-1]
    found = phate_by_irrep(layer.x, layer.irreps, kind="power")
    rows, qm9 = examined.rows[found.pop("molecule").to_numpy()], load_qm9()
    scores = nsps([qm9.smiles[row] for row in rows], workers=1)
    return found.assign(layer=int(layer.name), qm9_index=qm9.index[rows], score=scores)


def summary(net: Adapted, examined: Examined) -> pd.DataFrame:
    """One row about a network: its size, what composition and bonds leave of its predictions, and what a mirror changes.

    `spread_eV` is the mean absolute residual, `agreement` its correlation with that of QM9's U0, `mirror_eV` the mean absolute
    change of the prediction for the mirror image.
    """
    design = np.concatenate([np.ones((len(examined.rows), 1)), design_of(examined.rows)], axis=1)
    labels = np.asarray(load_qm9().targets["U0"][examined.rows], np.float64)
    both = np.stack([examined.predictions.astype(np.float64), labels], axis=1)
    left = both - design @ np.linalg.lstsq(design, both, rcond=None)[0]
    mirror = np.abs(examined.mirrored - examined.predictions[: len(examined.mirrored)])
    return pd.DataFrame({
        "parameters": [sum(p.numel() for p in net.parameters() if p.requires_grad)], "molecules": len(examined.rows),
        "spread_eV": np.abs(left[:, 0]).mean(), "agreement": np.corrcoef(left.T)[0, 1], "mirror_eV": mirror.mean(),
    })  # fmt: skip
