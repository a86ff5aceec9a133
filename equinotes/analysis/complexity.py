"""Molecular complexity, and whether features follow it beyond what the molecule's size and formula explain.

nSPS is the normalised spacial score: Krzyzanowski et al., J. Med. Chem. 66, 12739 (2023), as RDKit computes it.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped
from joblib import Parallel, delayed
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from equinotes.analysis.manifold import neighbours
from equinotes.support.errors import UserError
from equinotes.support.progress import bar

if TYPE_CHECKING:
    from rdkit import Chem

CHUNK = 5000
"""Molecules handed to a process at a time, about a second's work."""


def nsps(smiles: Sequence[str], *, workers: int | None = None, progress: bool = False) -> Float[np.ndarray, " molecules"]:
    """Normalised spacial score of each molecule, on sanitised molecules.

    `workers` processes share the work (as many as cores unless given); few molecules are scored in this process.
    Raises ValueError for a SMILES that RDKit cannot read.

    >>> nsps(["CC", "C1CC1"]).tolist()  # sp3 carbons (3), no stereo (1), chain 1 or ring 2, heavy neighbours squared
    [3.0, 24.0]
    """
    chunks = [list(smiles[start : start + CHUNK]) for start in range(0, len(smiles), CHUNK)]
    workers = min(-(-len(chunks) // 2), workers or os.cpu_count() or 1)
    parallel = Parallel(n_jobs=max(1, workers), return_as="generator")
    scores: list[float] = []
    with bar(total=len(smiles), desc="nSPS", unit="mol", progress=progress) as shown:
        for part in parallel(delayed(_scores)(chunk) for chunk in chunks):
            scores.extend(part)
            shown.update(len(part))
    return np.array(scores, dtype=np.float64)


def describe(smiles: Sequence[str]) -> pd.DataFrame:
    """Formula and size of each molecule: columns `formula`, `atoms` (hydrogens included), `heavy_atoms`."""
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    molecules = [_molecule(text) for text in smiles]
    heavy = [molecule.GetNumHeavyAtoms() for molecule in molecules]
    atoms = [molecule.GetNumAtoms(onlyExplicit=False) for molecule in molecules]
    return pd.DataFrame({"formula": [CalcMolFormula(m) for m in molecules], "atoms": atoms, "heavy_atoms": heavy})


def spearman(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"]) -> float:
    """Correlation of ranks; 0 where one side does not vary."""
    return _pearson(rankdata(x), rankdata(y))


def partial_spearman(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"], given: Shaped[np.ndarray, " n"]) -> float:
    """Correlation of the ranks of x and y after a straight line in the ranks of `given` was taken off both."""
    return _partial(rankdata(x), rankdata(y), rankdata(given))


def _partial(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], given: Float[np.ndarray, " n"]) -> float:
    """`partial_spearman` of ranks."""
    xy, xg, yg = _pearson(x, y), _pearson(x, given), _pearson(y, given)
    rest = (1 - xg**2) * (1 - yg**2)
    return float((xy - xg * yg) / np.sqrt(rest)) if rest > 1e-12 else 0.0


def distance_correlation(x: Float[np.ndarray, "n *dim_x"], y: Float[np.ndarray, "n *dim_y"]) -> float:
    """0 only for independent x and y (in the limit), 1 for y a rigid image of x; sees any dependence, of any dimensions.

    Székely, Rizzo & Bakirov, Ann. Stat. 35, 2769 (2007), eq. 2.8-2.10; exact, of order n^2 in time and memory. It is positive for
    finite independent samples: compare with `permutation_null`.
    """
    return _correlation(_centred_distances(x), _centred_distances(y))


def permute_within(groups: Shaped[np.ndarray, " n"], rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """A random order of the members of each group; singletons stay fixed.

    >>> groups = np.array(["a", "b", "a", "c", "b"])
    >>> bool((groups[permute_within(groups, np.random.default_rng(0))] == groups).all())
    True
    """
    members = np.argsort(groups, kind="stable")
    shuffled = np.lexsort((rng.random(len(groups)), groups))
    order = np.empty(len(groups), dtype=np.int64)
    order[members] = shuffled
    return order


def permutation_null(
    statistic: Callable[[Int[np.ndarray, " n"]], float],
    groups: Shaped[np.ndarray, " n"],
    *,
    permutations: int = 200,
    seed: int = 0,
) -> Float[np.ndarray, " permutations"]:
    """`statistic(order)` for random orders within the groups; `order` is to be applied to the score."""
    rng = np.random.default_rng(seed)
    codes = np.unique(groups, return_inverse=True)[1]
    return np.array([statistic(permute_within(codes, rng)) for _ in range(permutations)])


def complexity_structure(
    x: Float[np.ndarray, "n dim"], score: Float[np.ndarray, " n"], *, size: Shaped[np.ndarray, " n"],
    formula: Shaped[np.ndarray, " n"], k: int = 10, permutations: int = 200, seed: int = 0,
    measures: Sequence[str] = ("neighbours", "neighbours given size", "distance"),
) -> pd.DataFrame:  # fmt: skip
    """Does a score lie ordered in the space of these features, beyond the molecules' size and formula?

    Measures: `neighbours`, Spearman's correlation of each molecule's score with the mean score of its k nearest others;
    `neighbours given size`, the same with the ranks of `size` taken off; `distance`, the distance correlation of features and
    score, which takes most of the time.
    The null permutes the score among molecules of one formula; p is the share of permutations that reach the value.

    Returns
    -------
    pandas.DataFrame
        Columns `measure`, `value`, `null_mean`, `null_low` and `null_high` (2.5th and 97.5th percentile), `p`.
    """
    near, ranks, sizes = neighbours(x, k), rankdata(score), rankdata(size)
    a, b = (_centred_distances(values) for values in ((x, score) if "distance" in measures else (x[:1], score[:1])))
    norm = np.sqrt(np.vdot(a, a) * np.vdot(b, b))
    statistics: dict[str, Callable[[Int[np.ndarray, " n"]], float]] = {
        "neighbours": lambda order: _pearson(ranks[order], rankdata(score[order][near].mean(axis=1))),
        "neighbours given size": lambda order: _partial(ranks[order], rankdata(score[order][near].mean(axis=1)), sizes),
        "distance": lambda order: _correlation(a, b.take(order, 0).take(order, 1), norm),
    }
    if strange := [measure for measure in measures if measure not in statistics]:
        raise UserError(f"measures must be among {', '.join(map(repr, statistics))}, got {strange[0]!r}")
    rows = []
    for measure in measures:
        statistic = statistics[measure]
        value = statistic(np.arange(len(score)))
        null = permutation_null(statistic, formula, permutations=permutations, seed=seed)
        p = (1 + int((null >= value).sum())) / (1 + permutations)
        low, high = np.quantile(null, [0.025, 0.975])
        row = {"measure": measure, "value": value, "null_mean": null.mean(), "null_low": low, "null_high": high, "p": p}
        rows.append(row)
    return pd.DataFrame(rows)


def movable(groups: Shaped[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Members of groups of at least two: only these move under a permutation within groups."""
    codes = np.unique(groups, return_inverse=True)[1]
    return np.bincount(codes)[codes] > 1


def _pearson(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def _centred_distances(x: Float[np.ndarray, "n *dim"]) -> Float[np.ndarray, "n n"]:
    distances = squareform(pdist(np.asarray(x, dtype=np.float64).reshape(len(x), -1)))
    return distances - distances.mean(axis=0) - distances.mean(axis=1)[:, None] + distances.mean()


def _correlation(a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"], norm: float | None = None) -> float:
    """Of centred distances; `norm`, which no order of the molecules changes, may be known already."""
    norm = float(np.sqrt(np.vdot(a, a) * np.vdot(b, b))) if norm is None else norm
    return float(np.sqrt(max(0.0, np.vdot(a, b) / norm))) if norm > 0 else 0.0


def _scores(smiles: list[str]) -> list[float]:
    from rdkit.Chem.SpacialScore import SPS

    return [SPS(_molecule(text), normalize=True) for text in smiles]


def _molecule(smiles: str) -> "Chem.Mol":
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        raise UserError(f"not a SMILES that RDKit can read: {smiles!r}")
    return molecule
