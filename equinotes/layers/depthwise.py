"""Convolutions whose tensor product keeps every channel for itself ("uvu"), as in NequIP and MACE.

For one edge, with input features x[i, m1, u] and weights w_p[u] of the paths p = (input irrep i, harmonics l2, output irrep o):

    message[p, m3, u] = w_p[u] sum_m1 M_p[m3, m1] x[i, m1, u],    M_p = sqrt(2 l3 + 1) sum_m2 CG_p[m2, m3, m1] Y_l2(r)[m2]

Each path has output channels of its own; a linear map after the sum over neighbours mixes them.
"""

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

import torch
from e3nn import o3
from e3nn.nn import FullyConnectedNet
from jaxtyping import Float, Int
from torch import Tensor, nn

from equinotes.layers.constants import leave_out_of_state_dict, moved
from equinotes.layers.paths import Path, clebsch_gordan
from equinotes.support.errors import UserError

HIDDEN = (64, 64)
"""Widths of the radial network."""


class ChannelPath(NamedTuple):
    """One way through the tensor product: places of the input and harmonics irreps, and the output irrep."""

    place_in: int
    place_sh: int
    ir_out: o3.Irrep


@dataclass
class Edges:
    """What the layers need to know about a batch's edges, which are ordered [all forward, all backward]."""

    source: Int[Tensor, " edges"]
    """Atom where a message starts."""
    target: Int[Tensor, " edges"]
    """Atom where it arrives."""
    sh: Float[Tensor, "edges components"]
    """Spherical harmonics of the directions."""
    basis: Float[Tensor, "edges basis"]
    """Radial basis of the lengths; the two directions of a pair have the same."""
    lifts: dict["Coupling", list[Tensor]] = field(default_factory=dict)
    """Matrices M of each coupling, made when a layer first asks for them."""


def channel_paths(irreps_in: o3.Irreps, irreps_sh: o3.Irreps, wanted: o3.Irreps) -> list[ChannelPath]:
    """All paths into the wanted irreps, by input, harmonics, output."""
    return [
        ChannelPath(i, j, ir_out)
        for i, (_, ir_in) in enumerate(irreps_in)
        for j, (_, ir_sh) in enumerate(irreps_sh)
        for ir_out in ir_in * ir_sh
        if ir_out in wanted
    ]


class Depthwise(nn.Module):
    """What the fast and the plain convolution share: paths, the irreps that come out, and the radial network.

    irreps_in : each irrep once, all with the same number of channels
    irreps_out : of those in `wanted` that a path reaches, in their order; channels are (path, channel)

    Raises ValueError where numbers of channels differ.
    """

    def __init__(self, irreps_in: str, irreps_sh: str, wanted: str, num_basis: int, degree_norm: float) -> None:
        super().__init__()
        self.irreps_in, self.irreps_sh = o3.Irreps(irreps_in), o3.Irreps(irreps_sh)
        if len({mul for mul, _ in self.irreps_in}) != 1:
            raise UserError(f"all irreps need the same number of channels, got {self.irreps_in}")
        self.mul = self.irreps_in[0].mul
        self.paths = channel_paths(self.irreps_in, self.irreps_sh, o3.Irreps(wanted))
        self.order = [place for _, ir in o3.Irreps(wanted) for place, path in enumerate(self.paths) if path.ir_out == ir]
        """Paths in the order of their outputs."""
        self.irreps_out = o3.Irreps([(self.mul, self.paths[place].ir_out) for place in self.order]).simplify()
        self.radial = FullyConnectedNet([num_basis, *HIDDEN, len(self.paths) * self.mul], torch.nn.functional.silu)
        self.degree_norm = degree_norm


class PlainDepthwiseConvolution(Depthwise):
    """The convolution in plain e3nn, as everybody writes it."""

    def __init__(self, irreps_in: str, irreps_sh: str, wanted: str, num_basis: int, degree_norm: float) -> None:
        super().__init__(irreps_in, irreps_sh, wanted, num_basis, degree_norm)
        slots = {place: slot for slot, place in enumerate(self.order)}
        out = o3.Irreps([(self.mul, self.paths[place].ir_out) for place in self.order])
        steps = [(path.place_in, path.place_sh, slots[k], "uvu", True) for k, path in enumerate(self.paths)]
        self.tensor_product = o3.TensorProduct(
            self.irreps_in, self.irreps_sh, out, steps, shared_weights=False, internal_weights=False
        )
        leave_out_of_state_dict(self.tensor_product)

    def forward(self, x: Float[Tensor, "atoms irreps_in"], edges: Edges) -> Float[Tensor, "atoms irreps_out"]:
        """Messages summed at the targets, divided by the degree norm."""
        messages = self.tensor_product(x[edges.source], edges.sh, self.radial(edges.basis))
        return messages.new_zeros(len(x), messages.shape[1]).index_add(0, edges.target, messages) / self.degree_norm


class DepthwiseConvolution(Depthwise):
    """The same with Clebsch-Gordan coefficients and harmonics folded into one matrix per edge and input irrep.

    The matrices are shared by all layers with the same paths, and both directions of a pair share one evaluation of the radial
    network. Gradients of any order flow to features, weights and positions.
    """

    def __init__(self, irreps_in: str, irreps_sh: str, wanted: str, num_basis: int, degree_norm: float) -> None:
        super().__init__(irreps_in, irreps_sh, wanted, num_basis, degree_norm)
        self.coupling = coupling(tuple(ir for _, ir in self.irreps_in), tuple(ir for _, ir in self.irreps_sh), tuple(self.paths))

    def forward(self, x: Float[Tensor, "atoms irreps_in"], edges: Edges) -> Float[Tensor, "atoms irreps_out"]:
        """Messages summed at the targets, divided by the degree norm."""
        pairs = len(edges.source) // 2
        weights = self.radial(edges.basis[:pairs]).view(pairs, len(self.paths), self.mul)
        lifts = self.coupling.lifts(edges)
        messages = []
        for (_, ir), place, lift in zip(self.irreps_in, self.irreps_in.slices(), lifts, strict=True):
            source = x[:, place].unflatten(1, (self.mul, ir.dim)).transpose(1, 2).index_select(0, edges.source)
            messages.append(torch.bmm(lift, source) if ir.dim > 1 else lift * source)
        rows = torch.cat(messages, dim=1).view(2, pairs, len(self.coupling.path_of_row), self.mul)
        weighted = rows * weights.index_select(1, moved(self.coupling.path_of_row, x.device))
        summed = x.new_zeros(len(x), *rows.shape[2:]).index_add(0, edges.target, weighted.flatten(0, 1)) / self.degree_norm
        parts = summed.split(self.coupling.dims, dim=1)
        return torch.cat([parts[place].transpose(1, 2).flatten(1) for place in self.order], dim=1)


class Coupling:
    """The constants of a tensor product: M = sh @ constant for each input irrep, with rows (path, m3)."""

    def __init__(self, irs_in: tuple[o3.Irrep, ...], irs_sh: tuple[o3.Irrep, ...], paths: tuple[ChannelPath, ...]) -> None:
        self.irs_in, self.irs_sh, self.paths = irs_in, irs_sh, paths
        self.dims = [path.ir_out.dim for path in paths]
        self.path_of_row = torch.repeat_interleave(torch.arange(len(paths)), torch.tensor(self.dims))

    def lifts(self, edges: Edges) -> list[Float[Tensor, "edges rows m1"]]:
        """M of every edge, one tensor per input irrep."""
        if self not in edges.lifts:
            constants = [moved(constant, edges.sh.device, edges.sh.dtype) for constant in self._constants]
            shapes = [
                (len(edges.sh), constant.shape[1] // ir.dim, ir.dim) for constant, ir in zip(constants, self.irs_in, strict=True)
            ]
            edges.lifts[self] = [(edges.sh @ constant).view(shape) for constant, shape in zip(constants, shapes, strict=True)]
        return edges.lifts[self]

    @cached_property
    def _constants(self) -> list[Float[Tensor, "m2 rows_m1"]]:
        slices = o3.Irreps([(1, ir) for ir in self.irs_sh]).slices()
        constants = []
        for i, ir_in in enumerate(self.irs_in):
            blocks = []
            for path in self.paths:
                if path.place_in == i:
                    block = torch.zeros(slices[-1].stop, path.ir_out.dim, ir_in.dim, dtype=torch.float64)
                    coefficients = clebsch_gordan(Path(ir_in.l, self.irs_sh[path.place_sh].l, path.ir_out.l))
                    block[slices[path.place_sh]] = path.ir_out.dim**0.5 * coefficients
                    blocks.append(block)
            none = torch.zeros(slices[-1].stop, 0, ir_in.dim, dtype=torch.float64)
            constants.append(torch.cat([none, *blocks], dim=1).flatten(1))
        return constants


@cache
def coupling(irs_in: tuple[o3.Irrep, ...], irs_sh: tuple[o3.Irrep, ...], paths: tuple[ChannelPath, ...]) -> Coupling:
    """The coupling of these irreps and paths, made once, so that layers share what is lifted."""
    return Coupling(irs_in, irs_sh, paths)
