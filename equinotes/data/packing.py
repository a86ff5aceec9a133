"""QM9's files to packed arrays: positions, bonds and targets, concatenated over molecules."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from equinotes.config import MOLECULES, TARGETS
from equinotes.data.graphs import bond_graph
from equinotes.data.source import PROPERTY_FILES, TENSOR_FILE, Block, find_files, read_blocks, read_tensors
from equinotes.support.errors import UserError
from equinotes.support.progress import bar

HARTREE = 27.211386245988
"""eV per Hartree (CODATA 2018)."""
DEBYE = 4.803204712570263
"""Debye per e Angstrom (CODATA 2018)."""

ATOMIC_ENERGIES = {
    1: (-0.500273, -0.498857, -0.497912, -0.510927),
    6: (-37.846772, -37.845355, -37.844411, -37.861317),
    7: (-54.583861, -54.582445, -54.581501, -54.598897),
    8: (-75.064579, -75.063163, -75.062219, -75.079532),
    9: (-99.718730, -99.717314, -99.716370, -99.733544),
}
"""Energies of free atoms in QM9's method, B3LYP/6-31G(2df,p): U at 0 K, then U, H and G at 298.15 K [Hartree].

From `atomref.txt` of the data record of Ramakrishnan et al., Sci. Data 1, 140022 (2014).
"""

_ENERGIES = {
    "U0_atom": "InternalEnergy_0K_au",
    "U_atom": "InternalEnergy_298K_au",
    "H_atom": "Enthalphy_298K_au",
    "G_atom": "GibbsFreeEnergy_298K_au",
}
_AS_LISTED = {
    "U0": ("InternalEnergy_0K_au", HARTREE),
    "gap": ("HOMO_LUMO_gap_au", HARTREE),
    "homo": ("HOMO_au", HARTREE),
    "lumo": ("LUMO_au", HARTREE),
    "zpve": ("ZPVE_au", HARTREE),
    "Cv": ("Heatcapacity_Cv_cal_mol_K", 1.0),
    "r2": ("R2_bohr2", 1.0),
    "dipole": ("Dipole_debye", 1.0),
    "alpha": ("Polarizability_bohr3", 1.0),
}


def pack(*, progress: bool = True) -> dict[str, np.ndarray]:
    """All arrays of QM9, as `QM9` documents them, from the files of `qm9pack`.

    `smiles` holds all SMILES as concatenated ASCII bytes, `smiles_ptr` their bounds; `targets` has one row per name in TARGETS.
    """
    files = find_files()
    parts = []
    with bar(total=MOLECULES, desc="packing QM9, once", progress=progress, unit=" molecules") as shown:
        for name in PROPERTY_FILES:
            for block in read_blocks(files[name]):
                parts.append(pack_block(block))
                shown.update(len(block.number))
    arrays = join(parts)
    number, tensors = read_tensors(files[TENSOR_FILE])
    if not np.array_equal(arrays["index"], number):
        raise UserError(f"{TENSOR_FILE} of qm9pack lists other molecules than {', '.join(PROPERTY_FILES)}")
    arrays["targets"][list(TARGETS).index("alpha_anisotropy")] = anisotropy(tensors)
    return arrays


def join(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Put packed blocks one behind another, and bounds in the place of counts."""
    arrays = {name: np.concatenate([part[name] for part in parts], axis=-1 if name == "targets" else 0) for name in parts[0]}
    for counts, ptr in {"num_atoms": "atom_ptr", "num_bonds": "bond_ptr", "num_letters": "smiles_ptr"}.items():
        arrays[ptr] = bounds(arrays.pop(counts))
    return arrays


def pack_block(block: Block) -> dict[str, np.ndarray]:
    """Packed arrays of one block, with counts in place of bounds and the anisotropy set to 0."""
    atom_ptr = bounds(block.num_atoms)
    molecule = np.repeat(np.arange(len(block.number)), block.num_atoms)
    pos = block.pos.astype(np.float32)
    pairs = bond_graph(pos, block.z, atom_ptr)
    targets = block_targets(block)
    return {
        "index": block.number.astype(np.int32),
        "num_atoms": block.num_atoms,
        "num_bonds": np.bincount(molecule[pairs[0]], minlength=len(block.number)),
        "pos": pos,
        "z": block.z,
        "charge": block.charge.astype(np.float32),
        "bonds": (pairs - atom_ptr[molecule[pairs]]).T.astype(np.uint8, order="C"),
        "num_letters": np.array([len(smiles) for smiles in block.smiles]),
        "smiles": np.frombuffer("".join(block.smiles).encode("ascii"), np.uint8),
        "targets": np.stack([targets.get(name, np.zeros(len(block.number))) for name in TARGETS]),
    }


def bounds(counts: Int[np.ndarray, " molecules"]) -> Int[np.ndarray, " molecules+1"]:
    """Start of each molecule's slice of a packed array, and the end of the last.

    >>> bounds(np.array([5, 4, 3])).tolist()
    [0, 5, 9, 12]
    """
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def block_targets(block: Block) -> dict[str, Float[np.ndarray, " molecules"]]:
    """Targets computed from a property file alone, in the units of TARGETS."""
    starts = bounds(block.num_atoms)[:-1]
    targets = {name: block.columns[column] * factor for name, (column, factor) in _AS_LISTED.items()}
    for kind, (name, column) in enumerate(_ENERGIES.items()):
        atoms = np.zeros(256)
        atoms[list(ATOMIC_ENERGIES)] = [energies[kind] for energies in ATOMIC_ENERGIES.values()]
        targets[name] = (block.columns[column] - np.add.reduceat(atoms[block.z], starts)) * HARTREE
    targets["dipole_proxy"] = np.linalg.norm(proxy_dipoles(block.pos, block.charge, block.num_atoms), axis=-1)
    return targets


def proxy_dipoles(
    pos: Float[np.ndarray, "atoms 3"], charge: Float[np.ndarray, " atoms"], num_atoms: Int[np.ndarray, " molecules"]
) -> Float[np.ndarray, "molecules 3"]:
    """Dipole vectors of the Mulliken point charges, sum of q_i r_i [D], in the frame of the coordinates (x, y, z).

    A proxy: QM9 lists only the magnitude of the dipole, whose correlation with this one is .94. Positions are relative to the
    centroid, because rounded charges do not sum exactly to 0 and would make the result depend on the origin.
    """
    starts = bounds(num_atoms)[:-1]
    pos = pos.astype(np.float64)
    centres = np.add.reduceat(pos, starts) / num_atoms[:, None]
    return DEBYE * np.add.reduceat(charge[:, None] * (pos - np.repeat(centres, num_atoms, axis=0)), starts)


def anisotropy(tensors: Float[np.ndarray, "molecules 3 3"]) -> Float[np.ndarray, " molecules"]:
    """Anisotropy of symmetric tensors, sqrt(3/2) times the Frobenius norm of the traceless part; rotation invariant.

    For a tensor with principal values (p, s, s) it is |p - s|:

    >>> anisotropy(np.diag([5.0, 2.0, 2.0])[None]).round(12).tolist()
    [3.0]
    """
    mean = np.trace(tensors, axis1=-2, axis2=-1) / 3
    return np.sqrt(1.5) * np.linalg.norm(tensors - mean[:, None, None] * np.eye(3), axis=(-2, -1))
