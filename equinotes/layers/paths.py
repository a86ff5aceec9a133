"""Paths, norms and coefficients of e3nn's fully connected tensor product."""

from functools import cache
from typing import NamedTuple

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor


class Path(NamedTuple):
    """A path of a tensor product: input order, order of the harmonics, output order."""

    l1: int
    l2: int
    l3: int


def paths(ls_in: tuple[int, ...], ls_sh: tuple[int, ...], ls_out: tuple[int, ...]) -> list[Path]:
    """All paths between irreps of natural parity, in e3nn's order.

    Requires |l1 - l2| <= l3 <= l1 + l2 and, since irreps have parity (-1)^l, an even l1 + l2 + l3.

    >>> paths((0, 1), (0, 1), (0, 1))
    [Path(l1=0, l2=0, l3=0), Path(l1=0, l2=1, l3=1), Path(l1=1, l2=0, l3=1), Path(l1=1, l2=1, l3=0)]
    """
    return [
        Path(l1, l2, l3)
        for l1 in ls_in
        for l2 in ls_sh
        for l3 in ls_out
        if abs(l1 - l2) <= l3 <= l1 + l2 and (l1 + l2 + l3) % 2 == 0
    ]


def path_norm(l3: int, num_paths: int, mul_in: int) -> float:
    """e3nn's factor a of a path ("component" and "element"): outputs of order l3 get variance one from unit inputs and weights.

    `num_paths` counts the paths that end in l3, each with `mul_in` input channels.
    """
    return ((2 * l3 + 1) / (num_paths * mul_in)) ** 0.5


@cache
def clebsch_gordan(path: Path) -> Float[Tensor, "m2 m3 m1"]:
    """Wigner 3j symbols in e3nn's real basis (they differ from Clebsch-Gordan coefficients by a factor), harmonics first."""
    return o3.wigner_3j(*path, dtype=torch.float64).permute(1, 2, 0).contiguous()
