"""Edges of molecules: covalent bonds from radii, or all pairs within a cutoff."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from numpy.typing import ArrayLike

from equinotes.support.errors import UserError
from equinotes.support.progress import bar

if TYPE_CHECKING:
    import pandas as pd
    from rdkit import Chem

    from equinotes.data.qm9 import QM9

COVALENT_RADII = {1: 0.31, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57}
"""Single-bond radii [Angstrom] of H, C (sp3), N, O, F: Cordero et al., Dalton Trans. 2008, 2832."""
BOND_TOLERANCE = 1.3
"""Atoms closer than this factor times the sum of their radii are bonded."""


def atom_pairs(atom_ptr: Int[np.ndarray, " bounds"]) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """First and second atoms of all pairs i < j within molecules, each pair once, in ascending order.

    Molecule k holds the atoms atom_ptr[k] to atom_ptr[k+1] (exclusive).

    >>> first, second = atom_pairs(np.array([0, 3, 5]))
    >>> first.tolist(), second.tolist()
    ([0, 0, 1, 3], [1, 2, 2, 4])
    """
    atoms = np.arange(atom_ptr[-1])
    later = np.repeat(atom_ptr[1:] - 1, np.diff(atom_ptr)) - atoms
    first = np.repeat(atoms, later)
    second = np.arange(len(first)) + np.repeat(atoms + 1 - np.cumsum(later) + later, later)
    return first, second


def radius_graph(
    pos: Float[np.ndarray, "atoms 3"], atom_ptr: Int[np.ndarray, " bounds"], cutoff: float
) -> Int[np.ndarray, "2 pairs"]:
    """All pairs i < j of atoms of one molecule closer than the cutoff [Angstrom], each pair once.

    Computes all distances within molecules, in float64: efficient for small molecules, where most pairs are a few Angstrom apart.
    Raises ValueError if the cutoff is not positive.
    """
    if not cutoff > 0:
        raise UserError(f"cutoff must be positive, got {cutoff}")
    first, second = atom_pairs(atom_ptr)
    return _select(first, second, _squared_lengths(pos, first, second) < cutoff**2)


def bond_graph(
    pos: Float[np.ndarray, "atoms 3"], z: Integer[np.ndarray, " atoms"], atom_ptr: Int[np.ndarray, " bounds"]
) -> Int[np.ndarray, "2 pairs"]:
    """Covalent bonds i < j: atoms closer than 1.3 times the sum of their covalent radii, each bond once.

    Raises ValueError for elements other than H, C, N, O, F.
    """
    lacking = sorted(set(z.tolist()) - set(COVALENT_RADII))
    if lacking:
        raise UserError(f"bonds need the covalent radius of every element, got Z = {lacking}; known: {sorted(COVALENT_RADII)}")
    radii = np.zeros(max(COVALENT_RADII) + 1)
    radii[list(COVALENT_RADII)] = list(COVALENT_RADII.values())
    first, second = atom_pairs(atom_ptr)
    limit = BOND_TOLERANCE * (radii[z].take(first) + radii[z].take(second))
    return _select(first, second, _squared_lengths(pos, first, second) < limit**2)


def _squared_lengths(
    pos: Float[np.ndarray, "atoms 3"], first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]
) -> Float[np.ndarray, " pairs"]:
    total = np.zeros(len(first))
    for component in pos.T.astype(np.float64, order="C"):  # by component: several times faster than rows of three
        difference = component.take(first)
        difference -= component.take(second)
        difference *= difference
        total += difference
    return total


def _select(
    first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"], near: Bool[np.ndarray, " pairs"]
) -> Int[np.ndarray, "2 near"]:
    return np.stack([first.compress(near), second.compress(near)])


def bond_agreement(qm9: "QM9", rows: ArrayLike | None = None, *, progress: bool = True) -> "pd.DataFrame":
    """Compare bonds from covalent radii with those of QM9's SMILES, as read by RDKit.

    Molecular graphs agree when they are isomorphic, counting elements (with hydrogens) and bonds but not bond orders or charges.
    The test is exact: equal bond lists suffice where atoms are in the order of the SMILES, as in nearly all molecules; RDKit's
    substructure search decides the others.

    Returns a row per molecule: `number` (QM9's own), `bonds` and `smiles_bonds` (counts), `agrees`. QM9 takes about 20 s.
    """
    import pandas as pd

    rows = np.arange(len(qm9)) if rows is None else np.asarray(rows)
    table = []
    for row in bar(rows.tolist(), desc="bonds against SMILES", progress=progress, unit=" molecules"):
        z, bonds = _drawn_skeleton(qm9, row)
        smiles_z, smiles_bonds = _smiles_skeleton(qm9.smiles[row])
        table.append((int(qm9.index[row]), len(bonds), len(smiles_bonds), _isomorphic(z, bonds, smiles_z, smiles_bonds)))
    return pd.DataFrame(table, columns=["number", "bonds", "smiles_bonds", "agrees"])


_Bonds = list[tuple[int, int]]
"""Pairs i < j in ascending order."""


def _drawn_skeleton(qm9: "QM9", row: int) -> tuple[list[int], _Bonds]:
    z = qm9.z[qm9.atom_ptr[row] : qm9.atom_ptr[row + 1]].tolist()
    return z, [(i, j) for i, j in qm9.bonds[qm9.bond_ptr[row] : qm9.bond_ptr[row + 1]].tolist()]


def _smiles_skeleton(smiles: str) -> tuple[list[int], _Bonds]:
    """Elements and bonds of a SMILES; implicit hydrogens follow the other atoms, in the order of their parents.

    >>> _smiles_skeleton("CO")
    ([6, 8, 1, 1, 1, 1], [(0, 1), (0, 2), (0, 3), (0, 4), (1, 5)])
    """
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(smiles, sanitize=False)  # QM9 has no aromatic atoms to perceive
    molecule.UpdatePropertyCache(strict=False)
    # by index: RDKit's iterators would dominate the time
    atoms = [molecule.GetAtomWithIdx(i) for i in range(molecule.GetNumAtoms())]
    bonds = [molecule.GetBondWithIdx(b) for b in range(molecule.GetNumBonds())]
    parents = [i for i, atom in enumerate(atoms) for _ in range(atom.GetTotalNumHs())]
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in bonds]
    ends = [(min(pair), max(pair)) for pair in ends] + [(parent, len(atoms) + h) for h, parent in enumerate(parents)]
    return [atom.GetAtomicNum() for atom in atoms] + [1] * len(parents), sorted(ends)


def _isomorphic(z: list[int], bonds: _Bonds, other_z: list[int], other_bonds: _Bonds) -> bool:
    if len(bonds) != len(other_bonds) or sorted(z) != sorted(other_z):
        return False
    if z == other_z and bonds == other_bonds:
        return True
    # a subgraph with the same numbers of atoms and bonds is the whole graph
    return _single_bonded(z, bonds).HasSubstructMatch(_single_bonded(other_z, other_bonds))


def _single_bonded(z: list[int], bonds: _Bonds) -> "Chem.Mol":
    from rdkit import Chem

    molecule = Chem.RWMol()
    for number in z:
        molecule.AddAtom(Chem.Atom(number))
    for i, j in bonds:
        molecule.AddBond(i, j, Chem.BondType.SINGLE)
    return molecule.GetMol()
