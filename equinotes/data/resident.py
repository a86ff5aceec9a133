"""QM9 in the memory of a GPU, from which batches of one fixed shape are cut by the GPU itself: a CUDA graph can hold it all."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from equinotes.data.batches import Batch
from equinotes.data.qm9 import QM9, SYMBOLS

ELEMENTS = tuple(SYMBOLS)
SPACING = 1000.0
"""Distance between the atoms that fill a batch up [Angstrom]: far beyond any cutoff, so that their messages are exactly zero."""


@dataclass(frozen=True)
class Room:
    """The fixed shape of a batch: so many molecules, with at most so many atoms and bonds in all, the filling included."""

    molecules: int
    atoms: int
    bonds: int

    @classmethod
    def of(cls, qm9: QM9, batches: Int[np.ndarray, "steps molecules"]) -> "Room":
        """Room for each of these batches of rows; rows of -1 hold no molecule."""
        sizes = [np.append(np.diff(ptr.astype(np.int64)), 0)[batches].sum(axis=1).max() for ptr in (qm9.atom_ptr, qm9.bond_ptr)]
        return cls(batches.shape[1], int(sizes[0]) + len(ELEMENTS), int(sizes[1]) + 1)


class Resident:
    """Positions, elements and bonds of molecules on a device."""

    def __init__(self, qm9: QM9, rows: Int[np.ndarray, " rows"], device: str) -> None:
        """Only these rows are copied; `place` finds them again."""
        self.place = np.full(len(qm9) + 1, len(rows))
        self.place[rows] = np.arange(len(rows))
        _, atoms = qm9.atoms_of(rows)
        _, bonds = qm9.bonds_of(rows)
        self.pos = torch.from_numpy(qm9.pos[atoms]).to(device)
        self.z = torch.from_numpy(qm9.z[atoms].astype(np.int64)).to(device)
        self.bonds = torch.from_numpy(qm9.bonds[bonds].astype(np.int64)).to(device)
        counts = [np.append(ptr[rows + 1] - ptr[rows], 0).astype(np.int64) for ptr in (qm9.atom_ptr, qm9.bond_ptr)]
        self.atom_count, self.bond_count = (torch.from_numpy(count).to(device) for count in counts)
        self.atom_start, self.bond_start = (torch.from_numpy(np.cumsum(count) - count).to(device) for count in counts)
        self.elements = torch.tensor(ELEMENTS, device=device)

    def places(self, rows: Int[np.ndarray, "*shape"]) -> Int[Tensor, "*shape"]:
        """Rows of QM9 as `batch` takes them; -1 stands for no molecule."""
        return torch.from_numpy(self.place[rows]).to(self.pos.device)

    def batch(self, places: Int[Tensor, "networks molecules"], room: Room) -> Batch:
        """Batches of several networks next to each other, each filled up to its `room`, in a `Batch`.

        Each has `room.molecules` molecules and one more for the atoms that fill it, on a line far away: first one of each
        element, then the rest. `Batch.example` names them, so that nothing has to be looked for.
        """
        networks = len(places)
        owner, first, atom = self._members(places, self.atom_count, self.atom_start, room.atoms - len(ELEMENTS))
        shift = torch.arange(networks, device=places.device)[:, None]
        filling = owner == room.molecules
        far = SPACING * torch.arange(1, room.atoms + 1, device=places.device, dtype=self.pos.dtype)
        line = torch.nn.functional.pad(far[:, None], (0, 2))
        pos = torch.where(filling[..., None], line[len(ELEMENTS) :], self.pos[atom])
        z = torch.where(filling, self.elements[0], self.z[atom])
        pos = torch.cat([line[: len(ELEMENTS)].expand(networks, -1, -1), pos], dim=1)
        z = torch.cat([self.elements.expand(networks, -1), z], dim=1)
        molecule = torch.nn.functional.pad(owner, (len(ELEMENTS), 0), value=room.molecules) + shift * (room.molecules + 1)
        bond_owner, _, bond = self._members(places, self.bond_count, self.bond_start, room.bonds)
        start = torch.nn.functional.pad(first, (0, 1)) + len(ELEMENTS)
        ends = self.bonds[bond] + start.gather(1, bond_owner)[..., None]
        ends = torch.where((bond_owner == room.molecules)[..., None], torch.arange(2, device=places.device), ends)
        pairs = (ends + shift[..., None] * room.atoms).flatten(0, 1).T
        rows = torch.nn.functional.pad(places, (0, 1), value=-1)
        return Batch(
            pos=pos.flatten(0, 1),
            z=z.flatten(),
            edge_index=torch.cat([pairs, pairs.flip(0)], dim=1),
            molecule=molecule.flatten(),
            rows=rows.flatten(),
            example=torch.arange(len(ELEMENTS), device=places.device),
        )

    @staticmethod
    def _members(
        places: Int[Tensor, "networks molecules"], count: Int[Tensor, " rows"], start: Int[Tensor, " rows"], room: int
    ) -> tuple[Int[Tensor, "networks room"], Int[Tensor, "networks molecules"], Int[Tensor, "networks room"]]:
        """For each slot its molecule (their number if it is empty); each molecule's first slot; each slot's place in memory."""
        sizes = count[places]
        ends = sizes.cumsum(1)
        slots = torch.arange(room, device=places.device).expand(len(places), -1).contiguous()
        owner = torch.searchsorted(ends, slots, right=True)
        first = ends - sizes
        known = owner.clamp(max=places.shape[1] - 1)
        member = start[places].gather(1, known) + slots - first.gather(1, known)
        return owner, first, torch.where(owner < places.shape[1], member, 0)
