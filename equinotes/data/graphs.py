"""Edges of a molecule: covalent bonds from radii, or all pairs within a distance."""

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, UInt8

COVALENT_RADII = {1: 0.31, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57}
"""Single-bond radii [Angstrom] of H, C (sp3), N, O, F: Cordero et al., Dalton Trans. 2008, 2832."""
BOND_TOLERANCE = 1.3
"""Two atoms are bonded when they are nearer than this times the sum of their radii."""


def atom_pairs(atom_ptr: Int[np.ndarray, " bounds"]) -> Int[np.ndarray, "pairs 2"]:
    """Each pair i < j of atoms of one molecule once, molecule by molecule, in rising order.

    >>> atom_pairs(np.array([0, 3, 5])).tolist()
    [[0, 1], [0, 2], [1, 2], [3, 4]]
    """
    atoms = np.arange(atom_ptr[-1])
    later = np.repeat(atom_ptr[1:], np.diff(atom_ptr)) - atoms - 1
    first = np.repeat(atoms, later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return np.stack([first, second], axis=1)


def _squared_lengths(pos: Float[np.ndarray, "atoms 3"], pairs: Int[np.ndarray, "pairs 2"]) -> Float[np.ndarray, " pairs"]:
    pos = pos.astype(np.float64)
    vectors = pos[pairs[:, 0]] - pos[pairs[:, 1]]
    return np.einsum("px,px->p", vectors, vectors)


def radius_graph(
    pos: Float[np.ndarray, "atoms 3"], atom_ptr: Int[np.ndarray, " bounds"], cutoff: float
) -> Int[np.ndarray, "pairs 2"]:
    """Pairs i < j of atoms of one molecule that are nearer than the cutoff [Angstrom]; exact, each pair once.

    `atom_ptr` bounds the molecules: molecule k holds the atoms atom_ptr[k] to atom_ptr[k+1]. Work and memory grow with
    the number of pairs within molecules, which is what a batch of small molecules asks for.
    """
    if not cutoff > 0:
        raise ValueError(f"cutoff must be positive, got {cutoff}")
    pairs = atom_pairs(atom_ptr)
    return pairs[_squared_lengths(pos, pairs) < cutoff**2]


def bond_graph(
    pos: Float[np.ndarray, "atoms 3"], z: Integer[np.ndarray, " atoms"], atom_ptr: Int[np.ndarray, " bounds"]
) -> Int[np.ndarray, "pairs 2"]:
    """Covalent bonds i < j: atoms nearer than 1.3 times the sum of their covalent radii; each bond once.

    Raises ValueError for an element without a radius here (QM9 has H, C, N, O, F).
    """
    radii = np.full(256, np.nan)
    radii[list(COVALENT_RADII)] = list(COVALENT_RADII.values())
    radius = radii[z]
    if np.isnan(radius).any():
        lacking = sorted({int(number) for number in z[np.isnan(radius)]})
        raise ValueError(f"bonds need the covalent radii of all elements, none for Z = {lacking}; known: {sorted(COVALENT_RADII)}")
    pairs = atom_pairs(atom_ptr)
    limit = BOND_TOLERANCE * radius[pairs].sum(axis=1)
    return pairs[_squared_lengths(pos, pairs) < limit**2]
