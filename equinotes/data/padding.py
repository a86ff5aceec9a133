"""Batches of one fixed size: what a GPU does for them is recorded once, as a CUDA graph, and replayed for every batch."""

from dataclasses import replace

import torch

from equinotes.data.batches import Batch
from equinotes.data.qm9 import SYMBOLS

ELEMENTS = tuple(SYMBOLS)


def padded(batch: Batch, atoms: int, bonds: int) -> Batch:
    """The batch with so many atoms and bonds in all; what is added forms one more molecule, the last one.

    That molecule is a chain of atoms 1 Angstrom apart in which every element of QM9 occurs, so that no shape depends on the
    batch. It is bonded to no other molecule: the others' energies stay, and so do gradients of any loss that leaves it out.
    Raises ValueError where the batch does not fit.
    """
    num_atoms, num_bonds = len(batch.z), batch.edge_index.shape[1] // 2
    more, more_bonds = atoms - num_atoms, bonds - num_bonds
    if more < len(ELEMENTS) or more_bonds < 0:
        need = f"{num_atoms + len(ELEMENTS)} atoms and {num_bonds} bonds"
        raise ValueError(f"the batch needs at least {need} with its padding, got room for {atoms} and {bonds}")
    z, pos, device = batch.z, batch.pos, batch.z.device
    place = torch.arange(more, device=device)
    start = torch.arange(more_bonds, device=device) % (more - 1) + num_atoms
    forward, backward = batch.edge_index.split(num_bonds, dim=1)
    link = torch.stack([start, start + 1])
    return replace(
        batch,
        pos=torch.cat([pos, place.to(pos)[:, None] * pos.new_tensor([1.0, 0.0, 0.0])]),
        z=torch.cat([z, torch.tensor(ELEMENTS, device=device)[place % len(ELEMENTS)]]),
        edge_index=torch.cat([forward, link, backward, link.flip(0)], dim=1),
        molecule=torch.cat([batch.molecule, batch.molecule.new_full((more,), batch.num_molecules)]),
        rows=torch.cat([batch.rows, batch.rows.new_tensor([-1])]),
    )
