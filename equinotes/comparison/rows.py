"""What is compared, and the rules of the comparison. Both were committed before the first result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from equinotes.bases.averaged import averaged
from equinotes.bases.edge_frames import edge_frames
from equinotes.bases.spectrum import legendre, spectrum, tensors
from equinotes.bases.wavelets import wavelets
from equinotes.data.batches import Batch
from equinotes.support.errors import check_names

CUTOFF = 4.0
"""Neighbours of an atom are all atoms of the molecule closer than this [Angstrom]."""
NUM_BASIS = 4
"""Radial functions."""
PER_ELEMENT = 36
"""Columns of the regression for each of five elements: 180 in all, in every row that has as many."""
MOLECULES, TRAIN, VALIDATION = 1800, 1200, 200
"""Molecules drawn from QM9 once, and how many of them each seed fits and chooses the penalty on; it tests on the others."""
SEEDS = (0, 1, 2)
"""Each draws another split and other random combinations of channels."""
TURNED, PAIRED_ROUNDS = 60, 5
"""Test molecules that are turned, and rounds in which a row's cost and that of REFERENCE are measured in turns."""
REFERENCE = "harmonics"
"""The row that costs and errors are compared with."""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    label: str
    columns: Callable[..., Tensor]
    """`columns(batch, seed=0)` -> [molecules, columns]."""
    options: Mapping[str, Any] = field(default_factory=dict)
    radial: str = "bessel"
    dtype: torch.dtype = torch.float64

    @property
    def seedless(self) -> bool:
        """Whether columns do not depend on the seed: there are no random combinations in them."""
        return self.columns is wavelets

    def __call__(self, batch: Batch, seed: int = 0) -> Tensor:
        """Columns of every molecule of a batch."""
        batch = batch.to(dtype=self.dtype)
        if self.seedless:
            return wavelets(batch, **self.options)
        return self.columns(batch, radial_functions(self.radial), count=PER_ELEMENT, seed=seed, **self.options)


def radial_functions(name: str) -> Callable[[Tensor], Tensor]:
    """A radial basis of the comparison's size and cutoff."""
    from equinotes.bases import basis

    return partial(basis("radial", name), num_basis=NUM_BASIS, cutoff=CUTOFF)


UP_TO_4 = tuple(range(5))
ROWS = {
    "l0": Row("harmonics, l = 0", spectrum, {"ls": (0,)}),
    "vectors": Row("vectors, l ≤ 1", spectrum, {"ls": (0, 1)}),
    "l2": Row("harmonics, l ≤ 2", spectrum, {"ls": (0, 1, 2)}),
    "cartesian": Row("Cartesian tensors, l ≤ 2", tensors, {"ls": (0, 1, 2)}),
    "harmonics": Row("harmonics, l ≤ 4", spectrum, {"ls": UP_TO_4}),
    "even": Row("harmonics, l = 0, 2, 4", spectrum, {"ls": (0, 2, 4)}),
    "l6": Row("harmonics, l ≤ 6", spectrum, {"ls": tuple(range(7))}),
    "legendre": Row("Legendre, l ≤ 4", legendre, {"ls": UP_TO_4}),
    "gaussian": Row("Gaussians for Bessel, l ≤ 4", spectrum, {"ls": UP_TO_4}, radial="gaussian"),
    "unaveraged": Row("not averaged", averaged, {"turns": "one"}),
    "tetrahedron": Row("mean over T (12)", averaged, {"turns": "T"}),
    "random12": Row("mean over 12 random", averaged, {"turns": "random12"}),
    "octahedron": Row("mean over O (24)", averaged, {"turns": "O"}),
    "random24": Row("mean over 24 random", averaged, {"turns": "random24"}),
    "icosahedron": Row("mean over I (60)", averaged, {"turns": "I"}),
    "random60": Row("mean over 60 random", averaged, {"turns": "random60"}),
    "all_rotations": Row("mean over all rotations", averaged, {"turns": "all"}),
    "principal": Row("principal axes (4 frames)", averaged, {"turns": "principal"}),
    "edge_m0": Row("edge frames, m = 0", edge_frames, {"m_max": 0}),
    "edge_m1": Row("edge frames, m ≤ 1", edge_frames, {"m_max": 1}),
    "edge_m2": Row("edge frames, m ≤ 2", edge_frames, {"m_max": 2}),
    "edge_m4": Row("edge frames, m ≤ 4", edge_frames, {"m_max": 4}),
    "wavelets_q2": Row("wavelets, first order, q = 2", wavelets, {"order": 1, "powers": (2.0,)}, dtype=torch.float32),
    "wavelets_1": Row("wavelets, first order", wavelets, {"order": 1}, dtype=torch.float32),
    "wavelets_2": Row("wavelets, second order", wavelets, {"order": 2}, dtype=torch.float32),
}
"""Every row by its name. Averages and edge frames have l up to 4."""


def row_named(name: str) -> Row:
    """A row; UserError names the nearest ones."""
    check_names("basis of the comparison", [name], ROWS)
    return ROWS[name]
