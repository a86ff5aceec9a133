"""Orientations of molecules: QM9's frames are far from random, which shows in projections of l > 0 features."""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equinotes.data.batches import Batch
from equinotes.support.errors import UserError

Frame = Literal["qm9", "random", "principal"]


def in_frame(batch: Batch, frame: Frame | str, seed: int = 0) -> Batch:
    """The batch with each molecule as stored ("qm9"), rotated at random by `seed`, or in its principal axes."""
    if frame not in get_args(Frame):
        raise UserError(f"frame must be one of {', '.join(map(repr, get_args(Frame)))}, got {frame!r}")
    if frame == "qm9":
        return batch
    turn = random_rotations(batch.rows, seed) if frame == "random" else principal_rotations(batch)
    return replace(batch, pos=torch.einsum("nij,nj->ni", turn.to(batch.pos)[batch.molecule], batch.pos))


def random_rotations(rows: Tensor, seed: int) -> Float[Tensor, "molecules 3 3"]:
    """One uniformly random rotation per molecule, determined by `seed` and its row alone."""
    from scipy.spatial.transform import Rotation

    quaternions = np.stack([np.random.default_rng([seed, int(row)]).normal(size=4) for row in rows])
    return torch.from_numpy(Rotation.from_quat(quaternions).as_matrix())


def principal_rotations(batch: Batch) -> Float[Tensor, "molecules 3 3"]:
    """Rotations into the principal axes of the nuclear charge, smallest spread last.

    Axes point along the positive third moment of the charge; the last one is flipped if needed for a proper rotation. The axes of
    symmetric molecules are undetermined.
    """
    charge, pos = batch.z.double(), batch.pos.double()
    molecules = batch.num_molecules

    def total(values: Tensor) -> Tensor:
        return values.new_zeros(molecules, *values.shape[1:]).index_add_(0, batch.molecule, values)

    centre = total(charge[:, None] * pos) / total(charge)[:, None]
    offset = pos - centre[batch.molecule]
    spread = total(charge[:, None, None] * offset[:, :, None] * offset[:, None, :])
    axes = torch.linalg.eigh(spread).eigenvectors.flip(-1).transpose(1, 2)
    along = torch.einsum("nij,nj->ni", axes[batch.molecule], offset)
    sign = torch.where(total(charge[:, None] * along**3) < 0, -1.0, 1.0)
    sign[:, 2] *= torch.linalg.det(sign[:, :, None] * axes)
    return sign[:, :, None] * axes
