"""Two exact ways to compute a convolution as a few large batched matrix products; the cheaper one depends on the orders.

For one edge, with input features x[l1, m1, u], the sum over paths p = (l1, l2, l3) is

    out[l3, m3, v] = sum_p sum_u w_p[u, v] sum_m1 M_p[m3, m1] x[l1, m1, u],    M_p = a_p sum_m2 CG_p[m2, m3, m1] Y_l2(r)[m2]

Both first lift the features by a matrix that depends on the edge alone, computed once per batch and shared by all blocks, then
multiply slices of the lifted features by weight matrices:

- by path: lift by all M_p; one product per l3 sums over (p, u).
- by frame: lift by the rotation into the bond's frame, where M_p is diagonal: M_p[m3, m1] = c_p(m) for m3 = m1 = +-m (the
  reduction of Passaro and Zitnick, arXiv 2302.03655). Mix the weights of the paths between l1 and l3, W(m) = sum_p c_p(m) w_p;
  one product per m >= 0 maps all l1 >= m to all l3 >= m; then rotate back.

By frame computes more weights but lifts less and multiplies fewer rows; by path is faster with low orders and many channels.
With an m_max below lmax the products in the frame stop at m_max.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate

import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.config import MAX_L
from equinotes.layers.constants import moved
from equinotes.layers.frames import POLE, frames, smooth_frames
from equinotes.layers.paths import Path, clebsch_gordan, path_norm, paths


@dataclass(frozen=True)
class Product:
    """A slice of the lifted features times a weight matrix: [edge, row, (part, u)] x [bond, (part, u), (part_out, v)]."""

    rows: int
    """Rows per edge that share one weight matrix."""
    lifted: slice
    """Rows (row, part) of the lifted features."""
    out: slice
    """Rows (row, part_out) of the output."""


def products(shapes: list[tuple[int, int, int]]) -> list[Product]:
    """Consecutive products with these (rows, parts, parts_out)."""
    lifted = accumulate((rows * parts for rows, parts, _ in shapes), initial=0)
    out = accumulate((rows * parts_out for rows, _, parts_out in shapes), initial=0)
    return [
        Product(rows, slice(start, start + rows * parts), slice(start_out, start_out + rows * parts_out))
        for (rows, parts, parts_out), start, start_out in zip(shapes, lifted, out, strict=False)
    ]


def components(ls: tuple[int, ...]) -> dict[int, slice]:
    """Slice of each order's components in concatenated features.

    >>> components((0, 2))
    {0: slice(0, 1, None), 2: slice(1, 6, None)}
    """
    ends = list(accumulate(2 * l + 1 for l in ls))
    return {l: slice(end - 2 * l - 1, end) for l, end in zip(ls, ends, strict=True)}


class ByPath:
    """One product per output order sums over all paths to it.

    Arguments: orders and channels of the input (harmonics have the same orders), all paths of the layer, which determine norms
    and the layout of the weights, and the output orders to compute.
    """

    rotates = False

    def __init__(self, ls: tuple[int, ...], mul: int, every: list[Path], ls_out: tuple[int, ...]) -> None:
        self.ls, self.mul, self.ls_out = ls, mul, ls_out
        self.components_out = components(ls_out)[ls_out[-1]].stop
        self.paths_to = {l3: [path for path in every if path.l3 == l3] for l3 in ls_out}
        self.places = torch.tensor([every.index(path) for some in self.paths_to.values() for path in some])
        self.products = products([(2 * l3 + 1, len(some), 1) for l3, some in self.paths_to.items()])

    def work(self) -> int:
        """Multiplications per bond and training step: weights (computed twice, two gradients) and features."""
        rows = sum(product.rows * (product.lifted.stop - product.lifted.start) // product.rows for product in self.products)
        return 4 * self.mul**3 * len(self.places) + 6 * rows * self.mul * (self.mul + components(self.ls)[self.ls[-1]].stop)

    def lift(self, vectors: Float[Tensor, "edges 3"], sh: Float[Tensor, "edges m"]) -> Float[Tensor, "edges lifted m"]:
        """M_p of all paths; rows are (l3; m3, path)."""
        lift = sh @ moved(self._constant, sh.device, sh.dtype)
        return lift.unflatten(1, (-1, sh.shape[1]))

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
        """Weights of each product, [hidden, (path, u, v)]."""
        chosen = weight.flatten(2).index_select(1, moved(self.places, weight.device)).flatten(1)
        size = weight.shape[2:].numel()
        return list(chosen.split([len(some) * size for some in self.paths_to.values()], dim=1))


class ByFrame:
    """In the bond frame, one product per m couples all orders; arguments as for `ByPath`.

    Components with |m| above `m_max` in the bond's frame are left out, which keeps the symmetry exact: frames turn with bonds.
    """

    def __init__(self, ls: tuple[int, ...], mul: int, every: list[Path], ls_out: tuple[int, ...], m_max: int = MAX_L) -> None:
        self.ls, self.mul, self.ls_out, self.every, self.m_max = ls, mul, ls_out, every, min(m_max, ls[-1])
        self.components_out = components(ls_out)[ls_out[-1]].stop
        self.rotates = len(ls_out) > 1
        self.ms = range(min(ls_out[-1], m_max) + 1)
        self.products = products([(1 + (m > 0), sum(l >= m for l in ls), sum(l >= m for l in ls_out)) for m in self.ms])

    def work(self) -> int:
        """Multiplications per bond and training step, as for `ByPath`."""
        pairs = [(m, l1, l3) for m in self.ms for l1 in self.ls for l3 in self.ls_out if min(l1, l3) >= m]
        rows = sum(1 + (m > 0) for m, _, _ in pairs)
        return 4 * self.mul**3 * len(pairs) + 6 * rows * self.mul**2 + 10 * components(self.ls)[self.ls[-1]].stop ** 2 * self.mul

    def lift(self, vectors: Float[Tensor, "edges 3"], sh: Float[Tensor, "edges m"]) -> Float[Tensor, "edges lifted m"]:
        """Rotations into the frames of the bonds; rows are (m; -m before +m, l).

        Both directions of a bond share its frame. The second points away from the pole, which multiplies Y_l2 by (-1)^l2 =
        (-1)^(l1 + l3): rows of odd orders change sign, in the input and in the output.
        """
        where = components(self.ls)
        chosen = smooth_frames if vectors.requires_grad else frames
        lift = sh.new_zeros(len(sh), sh.shape[1], sh.shape[1])
        for l, rotation in zip(self.ls, chosen(vectors[::2], self.ls), strict=True):
            lift[::2, where[l], where[l]] = rotation.transpose(1, 2)
            lift[1::2, where[l], where[l]] = (-1) ** l * rotation.transpose(1, 2)
        return lift.index_select(1, moved(self._order, sh.device))

    @cached_property
    def _order(self) -> Int[Tensor, " lifted"]:
        """Component of each lifted row."""
        where = components(self.ls)
        signed = [(l, sign * m) for m in range(self.m_max + 1) for sign in ((-1, 1) if m else (0,)) for l in self.ls if l >= m]
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
        """Weights of each product, W(m) as [hidden, (l1, u, l3, v)]."""
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
def coupling(
    ls: tuple[int, ...], mul: int, ls_layer: tuple[int, ...], ls_out: tuple[int, ...], m_max: int = MAX_L
) -> ByPath | ByFrame:
    """The cheaper coupling for the outputs `ls_out` of a layer from `ls` to `ls_layer`; by frame where `m_max` leaves some m out.

    The choice depends on `ls`, `mul` and `m_max` alone, so that all layers of a network share the lifting matrices.
    """
    if m_max < ls[-1]:
        return ByFrame(ls, mul, paths(ls, ls, ls_layer), ls_out, m_max)
    all_outputs = ls, mul, paths(ls, ls, ls), ls
    less = ByPath(*all_outputs).work() <= ByFrame(*all_outputs).work()
    return (ByPath if less else ByFrame)(ls, mul, paths(ls, ls, ls_layer), ls_out)
