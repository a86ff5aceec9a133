"""The QM9 data set, packed once to a cache folder and memory-mapped afterwards."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import index
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, overload

import numpy as np
from jaxtyping import Float, Int, Integer, UInt8
from numpy.typing import ArrayLike

from equinotes.config import TARGETS
from equinotes.data.cache import CacheProblem, default_folder, only_writer, open_arrays, write_arrays
from equinotes.data.source import EXCLUDED, LAST_NUMBER, SOURCE_CHECKSUM
from equinotes.support.errors import UserError, UserTypeError

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from equinotes.data.batches import Batch

LAYOUT = 1
"""Increment when the packed arrays change, so that older caches are repacked."""
HEADER = {"layout": LAYOUT, "source": SOURCE_CHECKSUM, "targets": TARGETS}
"""Header that a valid cache must have."""
ARRAYS = ("index", "atom_ptr", "pos", "z", "charge", "bond_ptr", "bonds", "targets", "smiles", "smiles_ptr")

SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F"}


class Strings(Sequence[str]):
    """Many short strings stored as concatenated ASCII bytes, decoded on access."""

    def __init__(self, text: UInt8[np.ndarray, " bytes"], ptr: Int[np.ndarray, " bounds"]) -> None:
        self._text, self._ptr = text, ptr

    def __len__(self) -> int:
        return len(self._ptr) - 1

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice | Integer[np.ndarray, " some"] | Sequence[int]) -> list[str]: ...

    def __getitem__(self, which: Any) -> str | list[str]:
        """One string for an index; a list of strings for a slice or several indices."""
        if isinstance(which, slice):
            return [self[row] for row in range(*which.indices(len(self)))]
        if np.ndim(which):
            return [self[row] for row in np.asarray(which).tolist()]
        if not -len(self) <= which < len(self):
            raise IndexError(f"there are {len(self)} texts, got number {which}")
        which %= len(self)
        return self._text[self._ptr[which] : self._ptr[which + 1]].tobytes().decode("ascii")

    def __iter__(self) -> Iterator[str]:
        text, ptr = self._text.tobytes().decode("ascii"), self._ptr.tolist()
        return (text[start:end] for start, end in pairwise(ptr))

    def __repr__(self) -> str:
        return f"<{len(self)} texts, from {self[0]!r} to {self[-1]!r}>" if len(self) else "<no texts>"


@dataclass(frozen=True, eq=False)
class Molecule:
    """One molecule of QM9; arrays are views into the packed arrays."""

    number: int
    """QM9's own number, 1 to 133885."""
    smiles: str
    pos: Float[np.ndarray, "atoms 3"]
    """Positions, components x, y, z [Angstrom]."""
    z: UInt8[np.ndarray, " atoms"]
    """Atomic numbers."""
    charge: Float[np.ndarray, " atoms"]
    """Mulliken charges [e]."""
    bonds: UInt8[np.ndarray, "bonds 2"]
    """Pairs i < j of bonded atoms, each bond once."""
    targets: Mapping[str, float]
    """Units in `equinotes.config.TARGETS`."""

    def __len__(self) -> int:
        return len(self.z)

    @property
    def symbols(self) -> list[str]:
        """Chemical symbol of each atom."""
        return [SYMBOLS[number] for number in self.z.tolist()]

    @property
    def formula(self) -> str:
        """Molecular formula in Hill order: carbon, hydrogen, then alphabetically."""
        counts = Counter(self.symbols)
        first = [symbol for symbol in ("C", "H") if "C" in counts and symbol in counts]
        order = first + sorted(set(counts) - set(first))
        return "".join(symbol + (str(counts[symbol]) if counts[symbol] > 1 else "") for symbol in order)

    def to_pyg(self) -> "Data":
        """This molecule for PyTorch Geometric: z, pos, edge_index (bonds, both ways), smiles, number, and one y_* per target."""
        import torch
        from torch_geometric.data import Data

        bonds = torch.from_numpy(self.bonds.astype(np.int64)).T
        return Data(
            z=torch.from_numpy(self.z.astype(np.int64)),
            pos=torch.from_numpy(self.pos.copy()),
            edge_index=torch.cat([bonds, bonds.flip(0)], dim=1),
            smiles=self.smiles,
            number=self.number,
            **{f"y_{name}": torch.tensor([value], dtype=torch.float64) for name, value in self.targets.items()},
        )


@dataclass(frozen=True, eq=False)
class QM9:
    """130,831 molecules as packed arrays; the atoms of molecule `row` are atom_ptr[row] to atom_ptr[row+1].

    All arrays are read-only views of the cache folder. Ramakrishnan et al., Sci. Data 1, 140022 (2014).
    """

    index: Int[np.ndarray, " molecules"]
    """QM9's number of each row, ascending; the gaps are molecules that fail the data set's consistency check."""
    atom_ptr: Int[np.ndarray, " molecules+1"]
    pos: Float[np.ndarray, "atoms 3"]
    """Positions, components x, y, z [Angstrom]."""
    z: UInt8[np.ndarray, " atoms"]
    """Atomic numbers."""
    charge: Float[np.ndarray, " atoms"]
    """Mulliken charges [e]."""
    bond_ptr: Int[np.ndarray, " molecules+1"]
    bonds: UInt8[np.ndarray, "bonds 2"]
    """Pairs i < j of bonded atoms, numbered within their molecule; each bond once."""
    targets: Mapping[str, Float[np.ndarray, " molecules"]]
    """Units in `equinotes.config.TARGETS`. `dipole_proxy` is the magnitude of the dipole of the Mulliken charges."""
    smiles: Sequence[str] = field(repr=False)
    checksum: str = SOURCE_CHECKSUM
    """Digest of the source files."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "QM9":
        """QM9 from packed arrays, as returned by `pack` or read from a cache folder."""
        return cls(
            index=arrays["index"],
            atom_ptr=arrays["atom_ptr"],
            pos=arrays["pos"],
            z=arrays["z"],
            charge=arrays["charge"],
            bond_ptr=arrays["bond_ptr"],
            bonds=arrays["bonds"],
            targets=MappingProxyType(dict(zip(TARGETS, arrays["targets"], strict=True))),
            smiles=Strings(arrays["smiles"], arrays["smiles_ptr"]),
        )

    def __len__(self) -> int:
        return len(self.index)

    def row(self, number: SupportsIndex) -> int:
        """The row of the molecule with this QM9 number.

        Raises ValueError if the number does not exist or was excluded by the consistency check, and says which.
        """
        return int(self.rows([index(number)])[0])

    def rows(self, numbers: ArrayLike) -> Int[np.ndarray, " some"]:
        """The rows of the molecules with these QM9 numbers; raises as `row` does."""
        wanted = np.asarray(numbers)
        if wanted.size and not np.issubdtype(wanted.dtype, np.integer):
            raise UserTypeError(f"QM9 numbers are whole numbers, got {wanted.dtype}: {wanted.flat[0]!r}")
        wanted = wanted.astype(np.int64)
        rows = np.minimum(np.searchsorted(self.index, wanted), len(self) - 1)
        for number in wanted[self.index[rows] != wanted][:1].tolist():
            if 1 <= number <= LAST_NUMBER:
                raise UserError(f"molecule {number} is left out: with {EXCLUDED - 1:,} others it fails QM9's consistency check")
            raise UserError(f"QM9 numbers its molecules from 1 to {LAST_NUMBER}, got {number}")
        return rows

    def atoms_of(self, rows: Integer[np.ndarray, " rows"]) -> tuple[Int[np.ndarray, " atoms"], Int[np.ndarray, " atoms"]]:
        """For each atom of these molecules: the index in `rows` of its molecule, and its own index in the packed arrays."""
        return _members(self.atom_ptr, rows)

    def bonds_of(self, rows: Integer[np.ndarray, " rows"]) -> tuple[Int[np.ndarray, " bonds"], Int[np.ndarray, " bonds"]]:
        """The same for each bond."""
        return _members(self.bond_ptr, rows)

    def molecule(self, row: SupportsIndex) -> Molecule:
        """The molecule in this row. Raises IndexError if there is no such row."""
        row = index(row)
        if not 0 <= row < len(self):
            raise IndexError(f"QM9 has rows 0 to {len(self) - 1}, got {row}")
        atoms = slice(self.atom_ptr[row], self.atom_ptr[row + 1])
        return Molecule(
            number=int(self.index[row]),
            smiles=self.smiles[row],
            pos=self.pos[atoms],
            z=self.z[atoms],
            charge=self.charge[atoms],
            bonds=self.bonds[self.bond_ptr[row] : self.bond_ptr[row + 1]],
            targets={name: float(values[row]) for name, values in self.targets.items()},
        )

    def batch(
        self,
        rows: ArrayLike,
        *,
        graph: Literal["bonds", "radius"] = "bonds",
        cutoff: float = 6.0,
    ) -> "Batch":
        """The molecules in these rows as one batch of torch tensors; `cutoff` [Angstrom] is that of the radius graph."""
        from equinotes.data.batches import cut_batch

        return cut_batch(self, rows, graph=graph, cutoff=cutoff)


def _members(
    ptr: Integer[np.ndarray, " bounds"], rows: Integer[np.ndarray, " rows"]
) -> tuple[Int[np.ndarray, " members"], Int[np.ndarray, " members"]]:
    counts = ptr[rows + 1] - ptr[rows]
    owner = np.repeat(np.arange(len(rows)), counts)
    return owner, np.arange(len(owner)) + np.repeat(ptr[rows] - (np.cumsum(counts) - counts), counts)


def load_qm9(cache_dir: Path | str | None = None, *, progress: bool = True) -> QM9:
    """All of QM9. The first call packs it (about ten seconds and 67 MB); later calls memory-map the packed arrays.

    The cache is in `cache_dir`, else in the folder named by EQUINOTES_CACHE, else in the user's cache folder. A damaged,
    half-written or outdated cache is repacked, with a message on stderr. Several processes may call this at once.

    Raises FileNotFoundError if `qm9pack` is missing, ValueError if its files are not the expected ones, OSError if the cache
    cannot be written.
    """
    place = Path(cache_dir or default_folder()).expanduser() / "qm9"
    try:
        return QM9.from_arrays(open_arrays(place, HEADER, ARRAYS))
    except CacheProblem:
        return _pack_to(place, progress=progress)


def _pack_to(place: Path, *, progress: bool) -> QM9:
    from equinotes.data.packing import pack

    with only_writer(place):
        try:  # another process may have packed while this one waited
            return QM9.from_arrays(open_arrays(place, HEADER, ARRAYS))
        except CacheProblem as problem:
            if str(problem) != "missing":
                print(f"QM9 cache at {place} is {problem}; packing it again", file=sys.stderr)
        write_arrays(place, HEADER, pack(progress=progress))
    return QM9.from_arrays(open_arrays(place, HEADER, ARRAYS))
