"""Edges against brute force, SciPy's trees, RDKit's molecules and networkx's isomorphism."""

import networkx as nx
import numpy as np
import pytest
from scipy.spatial import cKDTree

from equinotes.data.graphs import _isomorphic, _smiles_skeleton, atom_pairs, bond_agreement, bond_graph, radius_graph

RADII = {1: 0.31, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57}  # Cordero et al. 2008


def arrays(qm9, rows):
    molecules = [qm9.molecule(row) for row in rows]
    ptr = np.cumsum([0, *map(len, molecules)])
    return np.concatenate([m.pos for m in molecules]), np.concatenate([m.z for m in molecules]), ptr, molecules


@pytest.fixture(scope="module")
def some(qm9):
    return arrays(qm9, np.random.default_rng(1).choice(len(qm9), 40, replace=False))


def pairs_of(graph) -> set[tuple[int, int]]:
    pairs = list(map(tuple, graph.T.tolist()))
    assert len(pairs) == len(set(pairs))
    return set(pairs)


@pytest.mark.parametrize("cutoff", [0.5, 1.2, 2.5, 6.0, 100.0])
def test_radius_graph_is_what_a_tree_search_finds(some, cutoff):
    pos, _, ptr, molecules = some
    found = {
        (i + start, j + start)
        for molecule, start in zip(molecules, ptr, strict=False)
        for i, j in cKDTree(molecule.pos.astype(float)).query_pairs(cutoff)
    }
    assert pairs_of(radius_graph(pos, ptr, cutoff)) == found


def test_radius_graph_leaves_out_pairs_at_the_very_cutoff():
    pos = np.array([[0, 0, 0], [0, 0, 2.0], [0, 0, 3.0]])
    assert pairs_of(radius_graph(pos, np.array([0, 3]), 2.0)) == {(1, 2)}


def test_molecules_on_top_of_each_other_share_no_edge():
    pos = np.zeros((4, 3))
    assert pairs_of(radius_graph(pos, np.array([0, 2, 4]), 1.0)) == {(0, 1), (2, 3)}


def test_molecules_of_one_atom_or_none_have_no_pairs():
    first, second = atom_pairs(np.array([0, 1, 1, 3, 4]))
    assert (first.tolist(), second.tolist()) == ([1], [2])
    assert radius_graph(np.zeros((0, 3)), np.array([0]), 1.0).shape == (2, 0)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, float("nan")])
def test_radius_graph_refuses_a_cutoff_that_means_nothing(cutoff):
    with pytest.raises(ValueError, match="cutoff must be positive"):
        radius_graph(np.zeros((2, 3)), np.array([0, 2]), cutoff)


def test_bonds_are_the_pairs_nearer_than_their_radii_say(some):
    pos, z, ptr, molecules = some
    expected = set()
    for molecule, start in zip(molecules, ptr, strict=False):
        for j in range(len(molecule)):
            for i in range(j):
                limit = 1.3 * (RADII[int(molecule.z[i])] + RADII[int(molecule.z[j])])
                if np.linalg.norm(molecule.pos[i].astype(float) - molecule.pos[j]) < limit:
                    expected.add((i + start, j + start))
    assert pairs_of(bond_graph(pos, z, ptr)) == expected


def test_stored_bonds_are_those_that_the_stored_positions_give(some):
    pos, z, ptr, molecules = some
    stored = {(i + start, j + start) for m, start in zip(molecules, ptr, strict=False) for i, j in m.bonds.tolist()}
    assert pairs_of(bond_graph(pos, z, ptr)) == stored


def test_bonds_of_an_element_without_a_radius_are_refused():
    with pytest.raises(ValueError, match=r"got Z = \[16\]; known: \[1, 6, 7, 8, 9\]"):
        bond_graph(np.zeros((2, 3)), np.array([1, 16]), np.array([0, 2]))


def row_of(qm9, smiles: str) -> int:
    return qm9.smiles[:300].index(smiles)


def test_bonds_agree_with_the_smiles_of_ordinary_molecules(qm9):
    rows = [row_of(qm9, smiles) for smiles in ("C", "N", "O", "C#C", "CC=O", "C1CC1")]
    table = bond_agreement(qm9, rows, progress=False)
    assert table["agrees"].all() and table["number"].tolist() == qm9.index[rows].tolist()
    assert table["bonds"].tolist() == [4, 3, 2, 3, 6, 9]


def test_bridgeheads_of_a_small_cage_count_as_bonded_by_distance_alone(qm9):
    """Bicyclo[1.1.1]pentane: its bridgeheads lie 1.87 A apart without a bond, nearer than 1.3 * 2 * 0.76 A."""
    (cage,) = bond_agreement(qm9, [row_of(qm9, "C1C2CC1C2")], progress=False).itertuples()
    assert (cage.bonds, cage.smiles_bonds, cage.agrees) == (15, 14, False)


def test_nineteen_molecules_in_twenty_agree_and_the_others_have_bonds_too_many(qm9):
    table = bond_agreement(qm9, np.arange(0, len(qm9), 40), progress=False)
    assert 0.93 < table["agrees"].mean() < 0.96
    wrong = table[~table["agrees"]]
    assert (wrong["bonds"] >= wrong["smiles_bonds"]).all()


def test_smiles_are_read_as_rdkit_reads_them_with_all_its_checks(qm9):
    from rdkit import Chem

    charged = [smiles for smiles in qm9.smiles[::50] if "+" in smiles][:5]
    for smiles in [*qm9.smiles[::4001], *charged]:
        molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
        z, bonds = _smiles_skeleton(smiles)
        assert z == [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
        assert bonds == sorted(tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in molecule.GetBonds())
    assert charged


def labelled(z, bonds) -> nx.Graph:
    graph = nx.Graph(bonds)
    graph.add_nodes_from((atom, {"z": number}) for atom, number in enumerate(z))
    return graph


def renumbered(z, bonds, rng):
    new = rng.permutation(len(z))
    back = np.argsort(new)
    return [z[i] for i in back], sorted((int(min(new[i], new[j])), int(max(new[i], new[j]))) for i, j in bonds)


def test_isomorphism_does_not_depend_on_the_numbering(qm9):
    rng = np.random.default_rng(0)
    for smiles in qm9.smiles[::5003]:
        z, bonds = _smiles_skeleton(smiles)
        assert _isomorphic(*renumbered(z, bonds, rng), z, bonds)


def test_isomorphism_is_networkxs_for_molecules_and_their_neighbours(qm9):
    """Molecules of one formula, and molecules with one bond moved: what counting atoms and bonds cannot tell apart."""
    rng = np.random.default_rng(0)
    skeletons = [_smiles_skeleton(smiles) for smiles in qm9.smiles[60:110]]
    for z, bonds in skeletons[:10]:
        moved = [bond for bond in bonds if bond != bonds[0]] + [(0, len(z) - 1)]
        skeletons.append((z, sorted(set(moved))))
    answers = []
    for a in skeletons:
        for b in skeletons[::3]:
            if len(a[1]) != len(b[1]) or sorted(a[0]) != sorted(b[0]):
                continue
            answers.append(_isomorphic(*renumbered(*a, rng), *b))
            assert answers[-1] == nx.is_isomorphic(labelled(*a), labelled(*b), node_match=lambda u, v: u["z"] == v["z"])
    assert {True, False} == set(answers)


def test_isomorphism_sees_what_colour_refinement_cannot():
    """Decalin and bicyclopentyl: every atom has the same surroundings at any depth, and yet they differ."""
    assert not _isomorphic(*_smiles_skeleton("C1CCC2CCCCC2C1"), *_smiles_skeleton("C1CCC(C1)C1CCCC1"))
