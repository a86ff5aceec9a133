"""Two exact ways to write a convolution as a few large batched products; which one needs less work depends on the orders.

For one edge, with input features x[l1, m1, u], the sum over paths p = (l1, l2, l3) is

    out[l3, m3, v] = sum_p sum_u w_p[u, v] sum_m1 M_p[m3, m1] x[l1, m1, u],    M_p = a_p sum_m2 CG_p[m2, m3, m1] Y_l2(r)[m2]

Both ways first lift the features by a matrix that depends on the edge alone, made once per batch and used by all blocks, then
multiply parts of the lifted features with matrices of weights:

- by path: lift by all M_p; for each l3 one product, summed over (p, u).
- by frame: lift by the rotation into the bond's frame, where M_p is diagonal: M_p[m3, m1] = c_p(m) for m3 = m1 = +-m (the
  reduction of Passaro and Zitnick, arXiv 2302.03655). Mix the weights of the paths between l1 and l3, W(m) = sum_p c_p(m) w_p;
  for each m >= 0 one product from all l1 >= m to all l3 >= m; then rotate back.

By frame makes more weights, but lifts less and multiplies fewer rows; with low orders and many channels by path is faster.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate

import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.layers.constants import moved
from equinotes.layers.frames import POLE, frames
from equinotes.layers.paths import Path, clebsch_gordan, path_norm, paths


@dataclass(frozen=True)
class Product:
    """A part of the lifted features meets a matrix of weights: [edge, row, (part, u)] x [bond, (part, u), (part_out, v)]."""

    rows: int
    """Rows that one edge puts to one matrix of weights."""
    lifted: slice
    """Where the lifted features' (row, part) lie."""
    out: slice
    """Where the results' (row, part_out) go."""


def products(shapes: list[tuple[int, int, int]]) -> list[Product]:
    """Products of these (rows, parts, parts_out), one after the other."""
    lifted = accumulate((rows * parts for rows, parts, _ in shapes), initial=0)
    out = accumulate((rows * parts_out for rows, _, parts_out in shapes), initial=0)
    return [
        Product(rows, slice(start, start + rows * parts), slice(start_out, start_out + rows * parts_out))
        for (rows, parts, parts_out), start, start_out in zip(shapes, lifted, out, strict=False)
    ]


def components(ls: tuple[int, ...]) -> dict[int, slice]:
    """Where each order's components lie among those of all.

    >>> components((0, 2))
    {0: slice(0, 1, None), 2: slice(1, 6, None)}
    """
    ends = list(accumulate(2 * l + 1 for l in ls))
    return {l: slice(end - 2 * l - 1, end) for l, end in zip(ls, ends, strict=True)}


class ByPath:
    """All paths that lead to one output order are summed in one product.

    Takes the orders and channels of input and harmonics, all paths of the layer (they decide the norms and the places of the
    weights), and the output orders that are wanted.
    """

    rotates = False

    def __init__(self, ls: tuple[int, ...], mul: int, every: list[Path], ls_out: tuple[int, ...]) -> None:
        self.ls, self.mul, self.ls_out = ls, mul, ls_out
        self.paths_to = {l3: [path for path in every if path.l3 == l3] for l3 in ls_out}
        self.places = torch.tensor([every.index(path) for some in self.paths_to.values() for path in some])
        self.products = products([(2 * l3 + 1, len(some), 1) for l3, some in self.paths_to.items()])

    def work(self) -> int:
        """Multiplications per bond and training step, weights (made twice in a step, with two gradients) and features."""
        rows = sum(product.rows * (product.lifted.stop - product.lifted.start) // product.rows for product in self.products)
        return 4 * self.mul**3 * len(self.places) + 6 * rows * self.mul * (self.mul + components(self.ls)[self.ls[-1]].stop)

    def lift(self, vectors: Float[Tensor, "edges 3"], sh: Float[Tensor, "edges m"]) -> Float[Tensor, "edges lifted m"]:
        """M_p of all paths; rows are (l3; m3, path)."""
        lift = sh @ moved(self._constant, sh.device, sh.dtype)
        return lift.view(len(sh), -1, sh.shape[1])

    @cached_property
    def _constant(self) -> Float[Tensor, "m2 lifted_m1"]:
        where = components(self.ls)
        constants = []
        for l3, some in self.paths_to.items():
            constant = torch.zeros(where[self.ls[-1]].stop, 2 * l3 + 1, len(some), where[self.ls[-1]].stop, dtype=torch.float64)
            for place, path in enumerate(some):
                constant[where[path.l2], :, place, where[path.l1]] = path_norm(l3, len(some), self.mul) * clebsch_gordan(path)
            constants.append(constant.flatten(1, 2))
        return torch.cat(constants, dim=1).flatten(1)

    def banks(self, weight: Float[Tensor, "hidden paths u v"]) -> list[Float[Tensor, "hidden weights"]]:
        """The weights that each product takes, [hidden, (path, u, v)]."""
        chosen = weight.flatten(2).index_select(1, moved(self.places, weight.device)).flatten(1)
        size = weight.shape[2:].numel()
        return list(chosen.split([len(some) * size for some in self.paths_to.values()], dim=1))


class ByFrame:
    """In the frame of the bond, all orders are coupled in one product for each m; arguments as for `ByPath`."""

    def __init__(self, ls: tuple[int, ...], mul: int, every: list[Path], ls_out: tuple[int, ...]) -> None:
        self.ls, self.mul, self.ls_out, self.every = ls, mul, ls_out, every
        self.rotates = len(ls_out) > 1
        self.ms = range(ls_out[-1] + 1)
        self.products = products([(1 + (m > 0), sum(l >= m for l in ls), sum(l >= m for l in ls_out)) for m in self.ms])

    def work(self) -> int:
        """Multiplications per bond and training step, as for `ByPath`."""
        pairs = [(m, l1, l3) for m in self.ms for l1 in self.ls for l3 in self.ls_out if min(l1, l3) >= m]
        rows = sum(1 + (m > 0) for m, _, _ in pairs)
        return 4 * self.mul**3 * len(pairs) + 6 * rows * self.mul**2 + 10 * components(self.ls)[self.ls[-1]].stop ** 2 * self.mul

    def lift(self, vectors: Float[Tensor, "edges 3"], sh: Float[Tensor, "edges m"]) -> Float[Tensor, "edges lifted m"]:
        """Rotations into the frames of the bonds; rows are (m; -m before +m, l).

        Both directions of a bond share its frame. There the opposite one points away from the pole: Y_l2 changes by (-1)^l2 =
        (-1)^(l1 + l3), so the rows of odd orders change sign, on the way in and on the way out.
        """
        where = components(self.ls)
        lift = sh.new_zeros(len(sh), sh.shape[1], sh.shape[1])
        for l, rotation in zip(self.ls, frames(vectors[::2], self.ls), strict=True):
            lift[::2, where[l], where[l]] = rotation.transpose(1, 2)
            lift[1::2, where[l], where[l]] = (-1) ** l * rotation.transpose(1, 2)
        return lift.index_select(1, moved(self._order, sh.device))

    @cached_property
    def _order(self) -> Int[Tensor, " lifted"]:
        """Components in the order of the lifted rows."""
        where = components(self.ls)
        signed = [(l, sign * m) for m in range(self.ls[-1] + 1) for sign in ((-1, 1) if m else (0,)) for l in self.ls if l >= m]
        return torch.tensor([where[l].start + l + m for l, m in signed])

    @cached_property
    def _mixes(self) -> dict[int, Float[Tensor, "pairs paths"]]:
        """c_p(m) for each l1: rows are (m, l3), columns the paths from l1."""
        mixes = {}
        for l1 in self.ls:
            some = [path for path in self.every if path.l1 == l1]
            rows = [(m, l3) for m in self.ms if m <= l1 for l3 in self.ls_out if l3 >= m]
            mixes[l1] = torch.zeros(len(rows), len(some), dtype=torch.float64)
            for column, path in enumerate(some):
                pole = o3.spherical_harmonics(path.l2, torch.tensor(POLE, dtype=torch.float64), False, "integral")
                norm = path_norm(path.l3, sum(other.l3 == path.l3 for other in self.every), self.mul)
                coupled = norm * torch.tensordot(pole, clebsch_gordan(path), dims=1)
                for row, (m, l3) in enumerate(rows):
                    if l3 == path.l3:
                        mixes[l1][row, column] = coupled[l3 + m, l1 + m]
        return mixes

    def banks(self, weight: Float[Tensor, "hidden paths u v"]) -> list[Float[Tensor, "hidden weights"]]:
        """The weights that each product takes, W(m) as [hidden, (l1, u, l3, v)]."""
        by_m: dict[int, list[Tensor]] = {m: [] for m in self.ms}
        sizes = [mix.shape[1] for mix in self._mixes.values()]
        for (l1, mix), part in zip(self._mixes.items(), weight.split(sizes, dim=1), strict=True):
            mix = moved(mix, weight.device, weight.dtype)
            mixed = torch.matmul(mix, part.flatten(2)).unflatten(2, weight.shape[2:])
            ms = [m for m in self.ms if m <= l1]
            for m, some in zip(ms, mixed.split([sum(l3 >= m for l3 in self.ls_out) for m in ms], dim=1), strict=True):
                by_m[m].append(some.transpose(1, 2).flatten(1))
        return [torch.cat(parts, dim=1) for parts in by_m.values()]


@cache
def coupling(ls: tuple[int, ...], mul: int, ls_layer: tuple[int, ...], ls_out: tuple[int, ...]) -> ByPath | ByFrame:
    """How to compute those outputs `ls_out` that are wanted of a layer from `ls` to `ls_layer`.

    The way depends on `ls` and `mul` alone, so that all layers of a network share what is lifted.
    """
    all_outputs = ls, mul, paths(ls, ls, ls), ls
    less = ByPath(*all_outputs).work() <= ByFrame(*all_outputs).work()
    return (ByPath if less else ByFrame)(ls, mul, paths(ls, ls, ls_layer), ls_out)
