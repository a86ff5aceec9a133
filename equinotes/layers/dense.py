"""Many sets of features on one graph: a tensor product that keeps every channel for itself ("uvu"), summed over neighbours.

Edits of features leave positions as they are, so that the sum over neighbours stays one linear map of the features:

    out[t, p, m3, u] = sum_s sum_m1 w_p[ts, u] M_p[ts, m3, m1] x[s, m1, u],    M_p = c_p sum_m2 CG_p[m1, m2, m3] Y_l2(r_ts)[m2]

for paths p = (input irrep, harmonics l2, output irrep) with e3nn's constants c_p. The matrices of one graph are made once and
applied to all sets at once. Worth it for a few dozen atoms, most of them neighbours.
"""

from collections import defaultdict
from typing import Any, NamedTuple

import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor


class _Block(NamedTuple):
    """The linear map that starts at one input irrep, and where its paths end."""

    matrix: Float[Tensor, "channels out in"]
    place: slice
    ends: list[tuple[int, int]]
    """Number of the output irrep of each path, and its 2 l3 + 1."""


class DenseProduct:
    """The sum over neighbours of an e3nn tensor product on one graph, for many sets of features.

    product : all of its paths are "uvu" with weights of their own, and each ends in output channels of its own
    sh, weights : harmonics and weights of each edge, as `product(x[source], sh, weights)` takes them
    source, target : atoms of each edge, each pair at most once
    """

    def __init__(
        self, product: o3.TensorProduct, sh: Float[Tensor, "edges components"], weights: Float[Tensor, "edges weights"],
        source: Int[Tensor, " edges"], target: Int[Tensor, " edges"], num_atoms: int,
    ) -> None:  # fmt: skip
        self.irreps_out = o3.Irreps(product.irreps_out)
        paths: dict[int, list[tuple[Any, Tensor]]] = defaultdict(list)
        start = 0
        for path in product.instructions:
            mul = product.irreps_in1[path.i_in1].mul
            paths[path.i_in1].append((path, weights[:, start : start + mul]))
            start += mul
        self.blocks, pairs = [], (num_atoms, num_atoms)
        for number, (mul, ir) in enumerate(product.irreps_in1):
            ends = [(path.i_out, self.irreps_out[path.i_out].ir.dim) for path, _ in paths[number]]
            rows = sum(dim for _, dim in ends)
            matrix = sh.new_empty(mul, num_atoms, rows, num_atoms, ir.dim)
            pieces = matrix.split([dim for _, dim in ends], dim=2)
            for (path, weight), piece in zip(paths[number], pieces, strict=True):
                lift = _lift(product, path, sh)
                lifts = sh.new_zeros(*pairs, *lift.shape[1:]).index_put((target, source), lift).transpose(1, 2).contiguous()
                on_pairs = sh.new_zeros(*pairs, mul).index_put((target, source), weight).permute(2, 0, 1)
                torch.mul(on_pairs.contiguous()[:, :, None, :, None], lifts, out=piece)
            place = product.irreps_in1.slices()[number]
            self.blocks.append(_Block(matrix.view(mul, num_atoms * rows, num_atoms * ir.dim), place, ends))

    def __call__(self, x: Float[Tensor, "sets atoms dim"]) -> Float[Tensor, "sets atoms out"]:
        """The sums for every set."""
        sets, atoms, _ = x.shape
        out = x.new_empty(sets, atoms, self.irreps_out.dim)
        for matrix, place, ends in self.blocks:
            mul = len(matrix)
            part = x[..., place].unflatten(-1, (mul, -1)).permute(2, 0, 1, 3).reshape(mul, sets, -1)
            sums = (part @ matrix.mT).view(mul, sets, atoms, -1)
            for (end, dim), piece in zip(ends, sums.split([dim for _, dim in ends], dim=3), strict=True):
                out[..., self.irreps_out.slices()[end]].unflatten(-1, (mul, dim)).copy_(piece.permute(1, 2, 0, 3))
        return out


def _lift(product: o3.TensorProduct, path: Any, sh: Float[Tensor, "edges components"]) -> Float[Tensor, "edges m3 m1"]:
    """M_p of every edge."""
    l1, l2, l3 = (irreps[place].ir.l for irreps, place in (
        (product.irreps_in1, path.i_in1), (product.irreps_in2, path.i_in2), (product.irreps_out, path.i_out)
    ))  # fmt: skip
    coupling = path.path_weight * o3.wigner_3j(l1, l2, l3, dtype=sh.dtype, device=sh.device)
    return torch.einsum("ej,ijk->eki", sh[:, product.irreps_in2.slices()[path.i_in2]], coupling)
