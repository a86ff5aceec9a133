"""Tensor-field convolutions whose messages stay on the edges: every edge has its own weights, made of its length.

With features and paths as in `steerable.py` and e_b the invariants of pair b, the message of edge (j -> i) is

    m[k, m3, v] = c_k sum_p sum_u w_bp[u, v] sum_m1 M_p[m3, m1] x_j[i, m1, u],    w_b = W h(e_b),    c_k^2 = 1 / (number of terms)

Both directions of a pair have the same length, hence the same weights.
"""

from dataclasses import dataclass

import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor, nn

from equinotes.layers.constants import leave_out_of_state_dict
from equinotes.layers.steerable import Attributes, Steerable, applied, lifting, packed, unpacked

HIDDEN = 32
"""Width of the radial networks."""


@dataclass(frozen=True)
class Edges:
    """Edges of a batch. The two directions of pair b are edges 2b and 2b + 1."""

    source: Int[Tensor, " edges"]
    """Atom where a message starts."""
    target: Int[Tensor, " edges"]
    """Atom where it arrives."""
    directions: Attributes
    """Spherical harmonics of the directions."""
    invariants: Float[Tensor, "pairs invariants"]
    """What the weights are made of."""


class Radial(nn.Sequential):
    """Two hidden layers with layer norms: everything in a radial network but its last matrix."""

    def __init__(self, inputs: int) -> None:
        first, second = nn.Linear(inputs, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        super().__init__(first, nn.LayerNorm(HIDDEN), nn.ReLU(), second, nn.LayerNorm(HIDDEN), nn.ReLU())


class EdgeConvolution(nn.Module):
    """What the fast and the plain convolution share: irreps, the radial network and its last matrix.

    Raises no errors of its own: irreps may have any multiplicities, each irrep once.
    """

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, invariants: int) -> None:
        super().__init__()
        self.irreps_in, self.irreps_sh, self.irreps_out = (o3.Irreps(text) for text in (irreps_in, irreps_sh, irreps_out))
        irreps = (self.irreps_in, self.irreps_sh, self.irreps_out)
        self.lifting = lifting(*(tuple(ir for _, ir in each) for each in irreps))
        muls_in, muls_out = [mul for mul, _ in self.irreps_in], [mul for mul, _ in self.irreps_out]
        self.shapes = [(muls_in[path.place_in], muls_out[path.place_out]) for path in self.lifting.paths]
        self.sizes = [mul_in * mul for mul_in, mul in self.shapes]
        fan_in = [0] * len(muls_out)
        for path, (mul_in, _) in zip(self.lifting.paths, self.shapes, strict=True):
            fan_in[path.place_out] += mul_in
        # the second moment of a normal number after relu is 1/2
        self.scales = [(2 / (HIDDEN * max(1, terms))) ** 0.5 for terms in fan_in]
        self.radial = Radial(invariants)
        self.weight = nn.Parameter(torch.randn(HIDDEN, sum(self.sizes)))
        """Blocks (u, v) of the paths, in e3nn's order."""

    def forward(self, x: Steerable, edges: Edges) -> Steerable:
        """Messages of all edges."""
        found = self.messages([x[str(ir)] for _, ir in self.irreps_in], edges)
        return {str(ir): part * scale for (_, ir), part, scale in zip(self.irreps_out, found, self.scales, strict=True)}

    def messages(self, x: list[Tensor], edges: Edges) -> list[Tensor]:
        """Messages without the factors c, in the order of the irreps."""
        raise NotImplementedError


class FastEdgeConvolution(EdgeConvolution):
    """Weights are made once for both directions of a pair and meet all components of both in one product."""

    def messages(self, x: list[Tensor], edges: Edges) -> list[Tensor]:
        pairs, by_path = len(edges.invariants), self.weight.split(self.sizes, dim=1)
        weights = self.radial(edges.invariants) @ torch.cat(
            [by_path[number] for pair in self.lifting.pairs for number in pair.paths], dim=1
        )
        by_pair = weights.split([sum(self.sizes[number] for number in pair.paths) for pair in self.lifting.pairs], dim=1)
        sources = [part.index_select(0, edges.source) for part in x]
        sums: list[Tensor | None] = [None] * len(self.irreps_out)
        lifts = edges.directions.lifted(self.lifting)
        for pair, weight, lift in zip(self.lifting.pairs, by_pair, lifts, strict=True):
            mul, ir = self.irreps_out[pair.place_out]
            weight = weight.unflatten(1, (-1, mul))
            rows = applied(lift, sources[pair.place_in]).reshape(pairs, 2 * ir.dim, weight.shape[1])
            before = sums[pair.place_out]
            sums[pair.place_out] = torch.bmm(rows, weight) if before is None else torch.baddbmm(before, rows, weight)
        return [
            x[0].new_zeros(2 * pairs, ir.dim, mul) if part is None else part.view(2 * pairs, ir.dim, mul)
            for part, (mul, ir) in zip(sums, self.irreps_out, strict=True)
        ]


class PlainEdgeConvolution(EdgeConvolution):
    """The same by e3nn's fully connected tensor product, with the weights of every directed edge made anew."""

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, invariants: int) -> None:
        super().__init__(irreps_in, irreps_sh, irreps_out, invariants)
        self.tensor_product = o3.FullyConnectedTensorProduct(
            self.irreps_in,
            self.irreps_sh,
            self.irreps_out,
            path_normalization="none",
            internal_weights=False,
            shared_weights=False,
        )
        leave_out_of_state_dict(self.tensor_product)

    def messages(self, x: list[Tensor], edges: Edges) -> list[Tensor]:
        weights = self.radial(edges.invariants.repeat_interleave(2, dim=0)) @ self.weight
        sources = packed(x).index_select(0, edges.source)
        return unpacked(self.tensor_product(sources, edges.directions.values, weights), self.irreps_out)
