"""Batches from packed arrays, and conversion from and to PyTorch Geometric."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from numpy.typing import ArrayLike
from torch import Tensor

from equinotes.data.graphs import bond_graph, radius_graph
from equinotes.data.splits import Split, draw_split, shuffled_batches
from equinotes.support.errors import UserError, UserTypeError

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from equinotes.data.qm9 import QM9

__all__ = ["Batch", "Split", "cut_batch", "draw_split", "from_pyg", "shuffled_batches"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Several molecules as one graph, with no edges between molecules.

    Edges are ordered [all forward, all backward]: edge b and edge b + edges/2 are the two directions of one bond or pair.
    The vector of an edge is pos[source] - pos[target], as in the paper.
    """

    pos: Float[Tensor, "atoms 3"]
    """Positions, components x, y, z [Angstrom]."""
    z: Int[Tensor, " atoms"]
    """Atomic numbers."""
    edge_index: Int[Tensor, "2 edges"]
    """Row 0: source. Row 1: target, where messages are summed."""
    molecule: Int[Tensor, " atoms"]
    """Molecule of the batch that each atom belongs to; non-decreasing from 0."""
    rows: Int[Tensor, " molecules"]
    """Row of each molecule in QM9, or its index in the list that the batch was made from."""
    example: Int[Tensor, " elements"] | None = None
    """One atom of each element in the batch, where known beforehand, which saves a GPU the search."""

    @property
    def num_molecules(self) -> int:
        """Number of molecules in the batch."""
        return len(self.rows)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "Batch":
        """The batch on another device, its positions in another floating-point type."""
        ahead = device is not None and torch.device(device).type != "cpu"  # the CPU must not read incomplete copies
        names = ["z", "edge_index", "molecule", "rows", *(["example"] if self.example is not None else [])]
        moved = {name: getattr(self, name).to(device, non_blocking=ahead) for name in names}
        return replace(self, pos=self.pos.to(device=device, dtype=dtype, non_blocking=ahead), **moved)

    def rotated(self, R: Float[Tensor, "3 3"] | Float[np.ndarray, "3 3"]) -> "Batch":
        """The batch with every position rotated about the origin, r -> R r in components x, y, z. Edges are unchanged."""
        R = torch.as_tensor(R, dtype=self.pos.dtype, device=self.pos.device)
        return replace(self, pos=self.pos @ R.T)

    def to_pyg(self) -> "list[Data]":
        """One PyTorch Geometric `Data` per molecule, with z, pos, edge_index and row."""
        from torch_geometric.data import Data

        counts = torch.bincount(self.molecule, minlength=self.num_molecules)
        edge_molecule = self.molecule[self.edge_index[0]]
        local = self.edge_index - (counts.cumsum(0) - counts)[edge_molecule]
        parts = zip(self.z.split(counts.tolist()), self.pos.split(counts.tolist()), self.rows.tolist(), strict=True)
        return [Data(z=z, pos=pos, edge_index=local[:, edge_molecule == k], row=row) for k, (z, pos, row) in enumerate(parts)]


def cut_batch(
    qm9: "QM9",
    rows: ArrayLike,
    *,
    graph: Literal["bonds", "radius"] = "bonds",
    cutoff: float = 6.0,
) -> Batch:
    """The molecules in these rows as one batch; only their atoms are read from the packed arrays.

    Raises IndexError for a missing row, TypeError for rows that are not integers, ValueError for an unknown graph.
    """
    rows = _checked_rows(rows, len(qm9))
    owner, atoms = qm9.atoms_of(rows)
    atom_ptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(rows)))])
    pos, z = qm9.pos[atoms], qm9.z[atoms]
    if graph == "bonds":  # stored with the data set
        owner, bonds = qm9.bonds_of(rows)
        pairs = qm9.bonds[bonds].T + atom_ptr[owner]
    else:
        pairs = _drawn(graph, pos, z, atom_ptr, cutoff)
    return _assembled(pos, z, pairs, atom_ptr, rows)


def from_pyg(data: "Sequence[Data]", graph: Literal["bonds", "radius", "given"] = "bonds", *, cutoff: float = 6.0) -> Batch:
    """A batch from PyTorch Geometric `Data` objects with `pos` [Angstrom] and `z`; `rows` are indices into the list.

    Edges are recomputed, as bonds (H, C, N, O, F) or within the cutoff [Angstrom]; "given" keeps those of `edge_index`, in the
    order of a Batch. Positions are detached. Raises ValueError if a `Data` lacks `pos` or `z`, or a given edge its reverse.
    """
    if not data:
        raise UserError("a batch needs at least one Data, got an empty list")
    for k, item in enumerate(data):
        if item.pos is None or item.get("z") is None or item.pos.shape != (len(item.z), 3):
            raise UserError(f"Data needs pos [atoms, 3] in Angstrom and z [atoms]; number {k} of the list is {item}")
    atom_ptr = np.cumsum([0, *(len(item.z) for item in data)])
    pos = torch.cat([item.pos for item in data]).detach().cpu().float().numpy()
    z = torch.cat([item.z for item in data]).cpu().numpy()
    if graph == "given":
        pairs = np.concatenate(
            [_given(k, item) + start for k, (item, start) in enumerate(zip(data, atom_ptr, strict=False))], axis=1
        )
    else:
        pairs = _drawn(graph, pos, z, atom_ptr, cutoff)
    return _assembled(pos, z, pairs, atom_ptr, np.arange(len(data)))


def _given(k: int, item: "Data") -> Int[np.ndarray, "2 pairs"]:
    """Each pair of opposite edges of a `Data`, once."""
    if item.edge_index is None:
        raise UserError(f"graph='given' needs edge_index; number {k} of the list is {item}")
    source, target = edges = item.edge_index.cpu().numpy()
    forward, backward = edges[:, source < target], edges[::-1, source > target]
    forward, backward = (pairs[:, np.lexsort(pairs[::-1])] for pairs in (forward, backward))
    if 2 * forward.shape[1] != len(source) or not np.array_equal(forward, backward):
        raise UserError(f"each edge needs its opposite (i, j) and (j, i), which number {k} of the list lacks: {item}")
    return forward


def _checked_rows(rows: Any, count: int) -> Int[np.ndarray, " molecules"]:
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
        raise UserTypeError(f"rows must be a list of whole numbers, got {rows.dtype} of shape {rows.shape}")
    rows = rows.astype(np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= count):
        raise IndexError(f"rows must lie in 0 to {count - 1}, got {int(rows[(rows < 0) | (rows >= count)][0])}")
    return rows


def _drawn(
    graph: str,
    pos: Float[np.ndarray, "atoms 3"],
    z: Integer[np.ndarray, " atoms"],
    atom_ptr: Int[np.ndarray, " bounds"],
    cutoff: float,
) -> Int[np.ndarray, "2 pairs"]:
    if graph == "bonds":
        return bond_graph(pos, z, atom_ptr)
    if graph == "radius":
        return radius_graph(pos, atom_ptr, cutoff)
    raise UserError(f"graph must be 'bonds' or 'radius', got {graph!r}")


def _assembled(
    pos: Float[np.ndarray, "atoms 3"],
    z: Integer[np.ndarray, " atoms"],
    pairs: Int[np.ndarray, "2 pairs"],
    atom_ptr: Int[np.ndarray, " bounds"],
    rows: Int[np.ndarray, " molecules"],
) -> Batch:
    return Batch(
        pos=torch.from_numpy(pos),
        z=torch.from_numpy(z.astype(np.int64)),
        edge_index=torch.from_numpy(np.concatenate([pairs, pairs[::-1]], axis=1)),
        molecule=torch.from_numpy(np.repeat(np.arange(len(rows)), np.diff(atom_ptr))),
        rows=torch.from_numpy(rows),
    )
