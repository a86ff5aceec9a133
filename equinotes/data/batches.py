"""Batches cut from packed arrays, ways from and to PyTorch Geometric, and splits that never depend on another random draw."""

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from equinotes.data.graphs import bond_graph, radius_graph

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from equinotes.data.qm9 import QM9


@dataclass(frozen=True, eq=False)
class Batch:
    """Some molecules as one graph without edges between them.

    Edges are ordered [all forward, all backward]: edge b and edge b + edges/2 are the two directions of one bond or pair.
    The vector of an edge is pos[source] - pos[target], as in the paper.
    """

    pos: Float[Tensor, "atoms 3"]
    """Positions, components x, y, z [Angstrom]."""
    z: Int[Tensor, " atoms"]
    """Atomic numbers."""
    edge_index: Int[Tensor, "2 edges"]
    """Row 0: source, row 1: target, where messages are summed."""
    molecule: Int[Tensor, " atoms"]
    """Which molecule of the batch each atom belongs to; rising from 0."""
    rows: Int[Tensor, " molecules"]
    """Row of each molecule in QM9 (or position in the list that the batch was made from)."""

    @property
    def num_molecules(self) -> int:
        """Molecules in the batch."""
        return len(self.rows)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Self:
        """The batch on another device, its positions in another floating-point type."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in ("z", "edge_index", "molecule", "rows")}
        return replace(self, pos=self.pos.to(device=device, dtype=dtype, non_blocking=True), **moved)

    def rotated(self, R: Float[Tensor, "3 3"] | Float[np.ndarray, "3 3"]) -> Self:
        """The batch with every position turned about the origin: r -> R r, components x, y, z. Edges stay."""
        R = torch.as_tensor(R, dtype=self.pos.dtype, device=self.pos.device)
        return replace(self, pos=self.pos @ R.T)

    def to_pyg(self) -> "list[Data]":
        """One PyTorch Geometric `Data` per molecule, with z, pos, edge_index and row."""
        from torch_geometric.data import Data

        counts = torch.bincount(self.molecule, minlength=self.num_molecules)
        starts = counts.cumsum(0) - counts
        edge_molecule = self.molecule[self.edge_index[0]]
        local = self.edge_index - starts[edge_molecule]
        return [
            Data(z=z, pos=pos, edge_index=local[:, edge_molecule == k], row=int(self.rows[k]))
            for k, (z, pos) in enumerate(zip(self.z.split(counts.tolist()), self.pos.split(counts.tolist()), strict=True))
        ]


def _parts(ptr: Int[np.ndarray, " bounds"], rows: Int[np.ndarray, " some"]) -> tuple[Int[np.ndarray, " items"], Int[np.ndarray, " some+1"]]:
    """Where the parts of some molecules lie in a packed array, and their bounds when put one behind another."""
    counts = ptr[rows + 1] - ptr[rows]
    own_ptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(counts, out=own_ptr[1:])
    return np.repeat(ptr[rows] - own_ptr[:-1], counts) + np.arange(own_ptr[-1]), own_ptr


def cut_batch(
    qm9: "QM9", rows: Sequence[int] | Integer[np.ndarray, " molecules"], *, graph: Literal["bonds", "radius"] = "bonds", cutoff: float = 6.0
) -> Batch:
    """The molecules in these rows as one batch; only their own atoms are read from the packed arrays.

    Raises IndexError for a row that is not there, ValueError for another `graph` than "bonds" and "radius".
    """
    rows = _checked_rows(rows, len(qm9))
    atoms, atom_ptr = _parts(qm9.atom_ptr, rows)
    pos = qm9.pos[atoms]
    if graph == "bonds":
        bonds, bond_ptr = _parts(qm9.bond_ptr, rows)
        pairs = qm9.bonds[bonds] + np.repeat(atom_ptr[:-1], np.diff(bond_ptr))[:, None]
    else:
        pairs = _pairs(graph, pos, qm9.z[atoms], atom_ptr, cutoff)
    return _assemble(pos, qm9.z[atoms], pairs, atom_ptr, rows)


def _checked_rows(rows: Any, count: int) -> Int[np.ndarray, " molecules"]:
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
        raise TypeError(f"rows must be a list of whole numbers, got {rows.dtype} of shape {rows.shape}")
    rows = rows.astype(np.int64)
    if rows.size and not (0 <= rows.min() and rows.max() < count):
        raise IndexError(f"rows must lie in 0 to {count - 1}, got {int(rows[(rows < 0) | (rows >= count)][0])}")
    return rows


def _pairs(
    graph: str, pos: Float[np.ndarray, "atoms 3"], z: Integer[np.ndarray, " atoms"], atom_ptr: Int[np.ndarray, " bounds"], cutoff: float
) -> Int[np.ndarray, "pairs 2"]:
    if graph == "bonds":
        return bond_graph(pos, z, atom_ptr)
    if graph == "radius":
        return radius_graph(pos, atom_ptr, cutoff)
    raise ValueError(f"graph must be 'bonds' or 'radius', got {graph!r}")


def _assemble(
    pos: Float[np.ndarray, "atoms 3"],
    z: Integer[np.ndarray, " atoms"],
    pairs: Int[np.ndarray, "pairs 2"],
    atom_ptr: Int[np.ndarray, " bounds"],
    rows: Int[np.ndarray, " molecules"],
) -> Batch:
    edge_index = np.concatenate([pairs.T, pairs.T[::-1]], axis=1)
    molecule = np.repeat(np.arange(len(rows)), np.diff(atom_ptr))
    return Batch(
        pos=torch.from_numpy(pos),
        z=torch.from_numpy(z.astype(np.int64)),
        edge_index=torch.from_numpy(edge_index),
        molecule=torch.from_numpy(molecule),
        rows=torch.from_numpy(rows),
    )


def from_pyg(data: "Sequence[Data]", graph: Literal["bonds", "radius"] = "bonds", *, cutoff: float = 6.0) -> Batch:
    """A batch from PyTorch Geometric `Data` objects with `pos` [Angstrom] and `z`; edges are drawn anew.

    `rows` of the batch count the list. Raises ValueError where a `Data` lacks `pos` or `z`.
    """
    for k, item in enumerate(data):
        if item.pos is None or getattr(item, "z", None) is None or len(item.pos) != len(item.z):
            raise ValueError(f"Data number {k} needs pos [atoms, 3] and z [atoms], got {item}")
    atom_ptr = np.cumsum([0, *(len(item.z) for item in data)])
    pos = np.concatenate([item.pos.detach().cpu().numpy() for item in data]).astype(np.float32)
    z = np.concatenate([item.z.cpu().numpy() for item in data])
    return _assemble(pos, z, _pairs(graph, pos, z, atom_ptr, cutoff), atom_ptr, np.arange(len(data)))


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of QM9 to fit, to watch while fitting, and to test on; no row stands in two of them."""

    train: Int[np.ndarray, " train"]
    val: Int[np.ndarray, " val"]
    test: Int[np.ndarray, " test"]


_SPLIT_STREAM = 1
_ORDER_STREAM = 2


def _permutation(count: int, *key: int) -> Int[np.ndarray, " count"]:
    """A random order that only the key decides. numpy promises that these raw draws never change, which it does not for `permutation`."""
    return np.argsort(np.random.PCG64(np.random.SeedSequence(key)).random_raw(count), kind="stable")


def draw_split(qm9: Sized | int, *, num_train: int, num_val: int, num_test: int, split_seed: int) -> Split:
    """Draw disjoint sets of rows, at random, in a way that lets runs of different size be compared.

    One random order of all molecules has a slot of a tenth for the test set, one for the validation set, and the rest for training. Each set
    is the beginning of its slot: a smaller set is the beginning of a larger one, and no size changes another set. Only a set that
    outgrows its slot takes what the others leave; even then the training size never changes the test or validation set.

    Raises ValueError where more molecules are asked for than there are.
    """
    count = qm9 if isinstance(qm9, int) else len(qm9)
    wanted = {"num_train": num_train, "num_val": num_val, "num_test": num_test}
    if min(wanted.values()) < 0:
        raise ValueError(f"a split needs sizes of at least 0, got {wanted}")
    if sum(wanted.values()) > count:
        raise ValueError(f"a split of {num_train} + {num_val} + {num_test} = {sum(wanted.values())} molecules asks for more than the {count} there are")
    slot = count // 10
    test, val, rest = np.split(_permutation(count, _SPLIT_STREAM, split_seed), [slot, 2 * slot])
    free = np.ones(count, bool)

    def take(order: list[np.ndarray], size: int) -> np.ndarray:
        rows = np.concatenate(order)
        rows = rows[free[rows]][:size]
        free[rows] = False
        return rows

    test_rows = take([test, rest[::-1], val[::-1]], num_test)
    val_rows = take([val, rest[::-1], test[::-1]], num_val)
    return Split(train=take([rest, val[::-1], test[::-1]], num_train), val=val_rows, test=test_rows)


def shuffled_batches(rows: Int[np.ndarray, " rows"], batch_size: int, seed: int, epoch: int) -> Iterator[Int[np.ndarray, " batch"]]:
    """Cut the rows into batches in a random order that depends on seed and epoch alone; the last batch may be smaller."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    order = rows[_permutation(len(rows), _ORDER_STREAM, seed, epoch)]
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
