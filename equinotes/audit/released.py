"""What the released code computes where that differs from what its figures are named after; for the audit pages only.

Written from a description of what the public repository IntelLabs/EquiTriton (revision 85f38e6) does, in our own words and code.
Nothing else in the package uses these functions: `split_irreps` cuts where the irreps lie, `nsps` is the published score.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int, Shaped

from equinotes.irreps import split_irreps
from equinotes.support.errors import UserError

if TYPE_CHECKING:
    from e3nn import o3
    from rdkit import Chem

SEEDS = (21616, 215162)
"""Seeds under which it draws its split for training and, again, for the analysis."""

FRACTIONS = (0.8, 0.1)
"""Shares of the data set that it trains on and watches; the rest is the test set."""


def cut_like_released(x: Shaped[Any, "*batch dim"], irreps: "o3.Irreps | str") -> dict[int, Any]:
    """Packed features cut as the released analysis cuts them: one piece per order, only as long as its number of channels.

    The pieces follow each other from the start of the row. A block is longer than that, by 2l+1, so that pieces after the first
    come from the wrong blocks, and the end of the row is in none. `split_irreps` cuts where the irreps lie.

    >>> row = np.array([0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])   # the order that each component belongs to
    >>> {named: piece.tolist() for named, piece in cut_like_released(row, "2x0e+2x1o+2x2e").items()}
    {0: [0, 0], 1: [1, 1], 2: [1, 1]}
    """
    from e3nn import o3

    channels = Counter(o3.Irreps(irreps).ls)  # e3nn lists each order once per channel, not once per component
    ends = np.cumsum(list(channels.values())).tolist()
    return {l: x[..., end - length : end] for (l, length), end in zip(channels.items(), ends, strict=True)}


def orders_in_row(irreps: "o3.Irreps | str") -> Int[np.ndarray, " dim"]:
    """The order that each component of packed features belongs to.

    >>> orders_in_row("2x0e+2x1o").tolist()
    [0, 0, 1, 1, 1, 1, 1, 1]
    """
    from e3nn import o3

    return np.concatenate([np.full(block.dim, block.ir.l) for block in o3.Irreps(irreps)])


def panels(x: Shaped[Any, "*batch dim"], irreps: "o3.Irreps | str", cut: str) -> dict[int, Any]:
    """What stands in the panel named after each order, [*batch, components]: cut as "released", or where the "irreps" lie."""
    if cut not in ("released", "irreps"):
        raise UserError(f"cut must be 'released' or 'irreps', got {cut!r}")
    if cut == "released":
        return cut_like_released(x, irreps)
    return {int(irrep[:-1]): part.reshape(*part.shape[:-2], -1) for irrep, part in split_irreps(x, irreps).items()}


def what_panels_hold(irreps: "o3.Irreps | str") -> pd.DataFrame:
    """The slicing law: fill every component with its order, cut, and look which orders each panel holds.

    Columns: `cut` ("irreps" or "released"), `named` (the order that the panel is named after), `start` and `stop` (components of
    the row), `holds` (a tuple of orders). A right cut holds the order that it is named after, all of it, and nothing else.
    """
    row = orders_in_row(irreps)
    rows = [
        (cut, named, int(piece[0]), int(piece[-1]) + 1, tuple(np.unique(row[piece]).tolist()))
        for cut in ("irreps", "released")
        for named, piece in panels(np.arange(len(row)), irreps, cut).items()
    ]
    return pd.DataFrame(rows, columns=["cut", "named", "start", "stop", "holds"])


def score_unsanitised(smiles: Sequence[str], *, sanitise: bool = False) -> pd.DataFrame:
    """The terms that the released analysis sums over all atoms, hydrogens included, to score a molecule's complexity.

    The spacial score (Krzyzanowski et al., J. Med. Chem. 66, 12739 (2023)) multiplies four terms of an atom; the released code
    sums each of them by itself, on molecules that RDKit has not sanitised, so that nothing was perceived.

    Ethane has 8 atoms; each carbon has one heavy neighbour, and so has each hydrogen:

    >>> score_unsanitised(["CC"]).to_dict("records")
    [{'hybridisation': 0, 'stereo': 8, 'aromatic': 0, 'heavy_neighbours': 8}]

    Returns
    -------
    pandas.DataFrame
        Columns `hybridisation` (sp 1, sp2 2, sp3 3, otherwise 0), `stereo` (2 at a double bond that is E, otherwise 1),
        `aromatic` (atoms), `heavy_neighbours` (neighbours that are not hydrogen). With `sanitise` the same sums on sanitised
        molecules.
    """
    return pd.DataFrame([_terms(_with_hydrogens(text, sanitise)) for text in smiles])


def _terms(molecule: "Chem.Mol") -> dict[str, int]:
    from rdkit.Chem import BondStereo

    atoms = list(molecule.GetAtoms())
    spread = {"SP": 1, "SP2": 2, "SP3": 3}
    at_e = [any(bond.GetStereo() == BondStereo.STEREOE for bond in atom.GetBonds()) for atom in atoms]
    return {
        "hybridisation": sum(spread.get(str(atom.GetHybridization()), 0) for atom in atoms),
        "stereo": len(atoms) + sum(at_e),
        "aromatic": sum(atom.GetIsAromatic() for atom in atoms),
        "heavy_neighbours": sum(other.GetAtomicNum() > 1 for atom in atoms for other in atom.GetNeighbors()),
    }


def _with_hydrogens(smiles: str, sanitise: bool) -> "Chem.Mol":
    """A molecule whose hydrogens are atoms, as in the data set that the released code reads."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, sanitize=sanitise)
    if molecule is None:
        raise UserError(f"not a SMILES that RDKit can read: {smiles!r}")
    molecule.UpdatePropertyCache(strict=False)
    return Chem.AddHs(molecule)


class Redrawn(NamedTuple):
    """Where the molecules of a test set stand in another split of the same data set, as shares."""

    train: float
    val: float
    test: float


def redrawn_split(count: int, *, fractions: tuple[float, float] = FRACTIONS, seeds: tuple[int, int] = SEEDS) -> Redrawn:
    """Draw a split under the second seed, and find its test molecules in the split that the first seed draws.

    The draws are numpy's, not those of the released code: the overlap of two independent draws has the same distribution.

    >>> redrawn_split(1000, seeds=(0, 0))   # the same seed: the same test set
    Redrawn(train=0.0, val=0.0, test=1.0)
    """
    first, second = (np.random.default_rng(seed).permutation(count) for seed in seeds)
    train, watched = (int(count * sum(fractions[: k + 1])) for k in range(2))
    part = np.empty(count, dtype=int)
    part[first] = np.repeat([0, 1, 2], [train, watched - train, count - watched])
    shares = np.bincount(part[second[watched:]], minlength=3) / (count - watched)
    return Redrawn(*shares.tolist())


def redrawn_expected(count: int, *, fractions: tuple[float, float] = FRACTIONS) -> tuple[float, float]:
    """Mean and standard deviation of `Redrawn.train` over independent draws: a hypergeometric distribution."""
    from scipy.stats import hypergeom

    train, watched = (int(count * sum(fractions[: k + 1])) for k in range(2))
    found = hypergeom(count, train, count - watched)
    return float(found.mean()) / (count - watched), float(found.std()) / (count - watched)
