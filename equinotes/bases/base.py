"""What a basis of each kind is called with and returns. Plain functions and modules both fit."""

from collections.abc import Sequence
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor

from equinotes.data.batches import Batch


class Radial(Protocol):
    """Functions of the length of an edge. They are zero from the cutoff on, and continuous there."""

    def __call__(self, lengths: Float[Tensor, " edges"], num_basis: int, cutoff: float) -> Float[Tensor, "edges basis"]:
        """Values of `num_basis` functions at lengths [Angstrom]; a mean square near one keeps radial networks in scale."""


class Angular(Protocol):
    """Functions of the direction of an edge, order by order: for each l, they span the spherical harmonics of that order."""

    def __call__(self, vectors: Float[Tensor, "edges 3"], ls: Sequence[int], **options: Any) -> Float[Tensor, "edges components"]:
        """Values at the directions of vectors of any length, one order of `ls` after the other."""


class Molecular(Protocol):
    """Numbers for each molecule, for a regression: the same however it is turned and its atoms are listed.

    `Entry.turns` says how nearly; options of one basis can give this up, as a mean over few rotations does.
    """

    def __call__(self, batch: Batch, **options: Any) -> Float[Tensor, "molecules columns"]:
        """One row per molecule of the batch."""
