"""QM9's files in the package `qm9pack`: located, verified and read in blocks.

The package is not imported, because that needs `pkg_resources`, which current setuptools no longer provides.
"""

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt8

from equinotes.config import MOLECULES
from equinotes.support.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

PACKAGE = "qm9pack==1.0.3"

PROPERTY_FILES = {
    "qm9_part1.csv": "19f0a5d595462d52cd82eef3370f3e9eb55a1f52cb14985657200349568deff3",
    "qm9_part2.csv": "2bca113fdc0b28a13563c80ed9b240e934f3da6c64c64fe74ddb4f0f36036e61",
    "qm9_part3.csv": "9c5efb5733d2af149db8d95d36ff198b4ffed12d9f7b344220a1e5877d5c6a43",
}
TENSOR_FILE = "qm9_polarizability.csv"
CHECKSUMS = PROPERTY_FILES | {TENSOR_FILE: "1729ebca7da76850ca1091c050933901c84b90edb30d06f34df1ebd47789d23a"}
"""SHA-256 of each file."""

SOURCE_CHECKSUM = hashlib.sha256("".join(CHECKSUMS.values()).encode()).hexdigest()
"""One digest for all files, stored in the provenance of a run."""

LAST_NUMBER = 133_885
"""Highest molecule number in QM9; the lowest is 1."""
EXCLUDED = LAST_NUMBER - MOLECULES
"""Number of molecules that fail QM9's consistency check; the files omit them, and their numbers are gaps."""

LISTS = ["Elements", "XYZ_Ang", "Mulliken_pop"]
NUMBERS = [
    "Dipole_debye", "Polarizability_bohr3", "HOMO_au", "LUMO_au", "HOMO_LUMO_gap_au", "R2_bohr2", "ZPVE_au",
    "InternalEnergy_0K_au", "InternalEnergy_298K_au", "Enthalphy_298K_au", "GibbsFreeEnergy_298K_au", "Heatcapacity_Cv_cal_mol_K",
]  # fmt: skip
TENSOR = ["A_xx", "A_xy", "A_yy", "A_xz", "A_yz", "A_zz"]

_BLOCK_BYTES = 1 << 23
_ATOMIC_NUMBERS = np.zeros(256, np.uint8)
for _symbol, _z in {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}.items():
    _ATOMIC_NUMBERS[ord(_symbol)] = _z


@dataclass(frozen=True)
class Block:
    """Consecutive molecules of a property file; atoms are concatenated over molecules."""

    number: Int[np.ndarray, " molecules"]
    """QM9's number of each molecule."""
    num_atoms: Int[np.ndarray, " molecules"]
    smiles: list[str]
    z: UInt8[np.ndarray, " atoms"]
    pos: Float[np.ndarray, "atoms 3"]
    """Positions [Angstrom]."""
    charge: Float[np.ndarray, " atoms"]
    """Mulliken charges [e]."""
    columns: dict[str, Float[np.ndarray, " molecules"]]
    """Scalar columns, with names and units of the file."""


def find_files() -> dict[str, Path]:
    """The data files of the installed `qm9pack`, checked by SHA-256.

    Raises FileNotFoundError if the package or a file is missing, ValueError if a file is not the expected one.
    """
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"QM9 comes with a package that is not installed; pip install {PACKAGE}")
    files = {name: Path(spec.submodule_search_locations[0], "data", name) for name in CHECKSUMS}
    for name, path in files.items():
        _check(path, CHECKSUMS[name])
    return files


def _check(path: Path, expected: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"qm9pack lacks {path.name} at {path.parent}; pip install --force-reinstall {PACKAGE}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise UserError(
            f"{path} has SHA-256 {found[:12]}..., {PACKAGE} has {expected[:12]}...; pip install --force-reinstall {PACKAGE}"
        )


def read_blocks(path: Path) -> Iterator[Block]:
    """Read a property file, a few thousand molecules at a time.

    Raises ValueError if a block's lists do not match its number of atoms.
    """
    from pyarrow import csv

    columns = ["Index", "N_atoms", "SMILES", *LISTS, *NUMBERS]
    reader = csv.open_csv(
        path,
        read_options=csv.ReadOptions(block_size=_BLOCK_BYTES),
        convert_options=csv.ConvertOptions(include_columns=columns, column_types=dict.fromkeys(NUMBERS, "float64")),
    )
    with reader:
        for batch in reader:
            num_atoms = batch["N_atoms"].to_numpy()
            total = int(num_atoms.sum())
            yield Block(
                number=batch["Index"].to_numpy(),
                num_atoms=num_atoms,
                smiles=batch["SMILES"].to_pylist(),
                z=_parse_elements(_joined(batch["Elements"]), total),
                pos=_parse_numbers(_joined(batch["XYZ_Ang"]), 3 * total).reshape(-1, 3),
                charge=_parse_numbers(_joined(batch["Mulliken_pop"]), total),
                columns={name: batch[name].to_numpy() for name in NUMBERS},
            )


def read_tensors(path: Path) -> tuple[Int[np.ndarray, " molecules"], Float[np.ndarray, "molecules 3 3"]]:
    """QM9 numbers and static polarisability tensors [bohr^3].

    Tensors are in Gaussian's standard orientation, not in the frame of the coordinates: use invariants only.
    """
    from pyarrow import csv

    table = csv.read_csv(path)
    number = np.array([int(name.removeprefix("dsgdb9nsd_").removesuffix(".xyz")) for name in table["XYZ_file"].to_pylist()])
    xx, xy, yy, xz, yz, zz = (table[name].to_numpy() for name in TENSOR)
    return number, np.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], axis=-1).reshape(-1, 3, 3)


def _joined(column: "pa.StringArray") -> bytes:
    """The column's strings, concatenated; read from its buffer, since a Python string per molecule takes longer."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return bytes(data[ends[0] : ends[-1]])


_TO_LINES = bytes.maketrans(b"[],", b"\n\n\n")


def _parse_numbers(lists: bytes, expected: int) -> Float[np.ndarray, " numbers"]:
    """Numbers of concatenated nested lists, parsed as a one-column table with empty lines, on all cores.

    JSON does not allow `0.` and `-7.E-6`, which occur here.

    >>> _parse_numbers(b"[[0.,1.5],[-7.E-6,2]][[3,4]]", 6).tolist()
    [0.0, 1.5, -7e-06, 2.0, 3.0, 4.0]
    """
    import pyarrow as pa
    from pyarrow import csv

    table = csv.read_csv(
        pa.BufferReader(lists.translate(_TO_LINES)),
        read_options=csv.ReadOptions(column_names=["number"]),
        convert_options=csv.ConvertOptions(column_types={"number": "float64"}, null_values=[]),
    )
    values = table["number"].to_numpy()
    if len(values) != expected:
        raise UserError(f"a block of qm9pack lists {len(values)} numbers where its atoms need {expected}")
    return values


def _parse_elements(lists: bytes, expected: int) -> UInt8[np.ndarray, " atoms"]:
    """Atomic numbers of concatenated lists of symbols; each of QM9's five symbols is one letter.

    >>> _parse_elements(b"['C','H']['O']", 3).tolist()
    [6, 1, 8]
    """
    z = _ATOMIC_NUMBERS[np.frombuffer(lists.translate(None, b"[]', "), np.uint8)]
    if len(z) != expected or not z.all():
        raise UserError(f"a block of qm9pack lists {np.count_nonzero(z)} known elements where {expected} atoms are announced")
    return z
