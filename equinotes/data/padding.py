"""Batches padded to a fixed size, so that a step can be captured once as a CUDA graph and replayed for every batch."""

from dataclasses import replace

import torch

from equinotes.data.batches import Batch
from equinotes.data.qm9 import SYMBOLS
from equinotes.support.errors import UserError

ELEMENTS = tuple(SYMBOLS)
SPACING = 1000.0
"""Distance between padding atoms [Angstrom], far beyond any cutoff, so that their messages are exactly zero."""


def padded(batch: Batch, *, atoms: int, bonds: int, molecules: int) -> Batch:
    """The batch padded to these total numbers of atoms, bonds and molecules; for molecules of QM9 all shapes are then fixed.

    Padding molecules come last and have row -1; losses must exclude them. The first is a straight chain with every element of
    QM9 and some bonds repeated; the others are empty. Energies of the batch's own molecules, and gradients of a loss on them
    alone, are unchanged.
    Raises ValueError if the batch does not fit.
    """
    num_atoms, num_bonds = len(batch.z), batch.edge_index.shape[1] // 2
    more, more_bonds, more_molecules = atoms - num_atoms, bonds - num_bonds, molecules - batch.num_molecules
    if more < len(ELEMENTS) or more_bonds < 0 or more_molecules < 1:
        need = f"{num_atoms + len(ELEMENTS)} atoms, {num_bonds} bonds and {batch.num_molecules + 1} molecules"
        raise UserError(f"the batch needs at least {need} with its padding, got room for {atoms}, {bonds} and {molecules}")
    device = batch.z.device
    place = torch.arange(more, device=device)
    chain = batch.pos.new_zeros(more, 3)
    chain[:, 0] = SPACING * place
    start = torch.arange(more_bonds, device=device) % (more - 1) + num_atoms
    link = torch.stack([start, start + 1])
    forward, backward = batch.edge_index[:, :num_bonds], batch.edge_index[:, num_bonds:]
    return replace(
        batch,
        pos=torch.cat([batch.pos, chain]),
        z=torch.cat([batch.z, torch.tensor(ELEMENTS, device=device)[place % len(ELEMENTS)]]),
        edge_index=torch.cat([forward, link, backward, link.flip(0)], dim=1),
        molecule=torch.cat([batch.molecule, batch.molecule.new_full((more,), batch.num_molecules)]),
        rows=torch.cat([batch.rows, batch.rows.new_full((more_molecules,), -1)]),
    )
