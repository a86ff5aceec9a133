"""Products of features with steerable attributes that mix all channels, with weights that all rows share.

Features are one [rows, components, channels] tensor per irrep: channels last. For one row (an edge or an atom), with features
x[i, m1, u], attributes a and weights w_p[u, v] of the paths p = (input irrep i, attribute j, output irrep k):

    out[k, m3, v] = sum_p sum_u w_p[u, v] sum_m1 M_p[m3, m1] x[i, m1, u],    M_p = sqrt(2 l3 + 1) sum_m2 CG_p[m2, m3, m1] a[j, m2]

The matrices M depend on the attributes alone: they are made once for all layers with the same paths. Rows and components then
meet the weights as one large product for each pair (i, k).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

import torch
from e3nn import o3
from e3nn.math import normalize2mom
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.layers.constants import leave_out_of_state_dict, moved
from equinotes.layers.paths import Path, clebsch_gordan

Steerable = dict[str, Tensor]
"""Features by irrep: {"0e": [rows, 1, mul], "1o": [rows, 3, mul], ...}; multiplicities may differ."""
Irs = tuple[o3.Irrep, ...]


class ProductPath(NamedTuple):
    """One path: places of the input, attribute and output irreps."""

    place_in: int
    place_attribute: int
    place_out: int


class Pair(NamedTuple):
    """All paths from one input irrep to one output irrep, by their numbers."""

    place_in: int
    place_out: int
    paths: tuple[int, ...]


class Lifting:
    """Paths of a product, in e3nn's order, and the constants that make the matrices M from attributes."""

    def __init__(self, irs_in: Irs, irs_attribute: Irs, irs_out: Irs) -> None:
        self.irs_in, self.irs_attribute, self.irs_out = irs_in, irs_attribute, irs_out
        self.paths = [
            ProductPath(i, j, k)
            for i, ir_in in enumerate(irs_in)
            for j, ir_attribute in enumerate(irs_attribute)
            for k, ir_out in enumerate(irs_out)
            if ir_out in ir_in * ir_attribute
        ]
        self.pairs = [
            Pair(i, k, numbers)
            for i in range(len(irs_in))
            for k in range(len(irs_out))
            if (numbers := tuple(p for p, path in enumerate(self.paths) if path[::2] == (i, k)))
        ]

    def matrices(self, values: Float[Tensor, "rows components"]) -> list[Tensor]:
        """M of every row, one tensor [rows, (m3, path), m1] per pair."""
        lifted = values @ moved(self._constant, values.device, values.dtype)
        dims = [self.irs_in[pair.place_in].dim for pair in self.pairs]
        parts = lifted.split([part * dim for part, dim in zip(self._heights, dims, strict=True)], dim=1)
        return [part.unflatten(1, (-1, dim)) for part, dim in zip(parts, dims, strict=True)]

    @cached_property
    def _heights(self) -> list[int]:
        return [self.irs_out[pair.place_out].dim * len(pair.paths) for pair in self.pairs]

    @cached_property
    def _constant(self) -> Float[Tensor, "m2 lifted"]:
        slices = o3.Irreps([(1, ir) for ir in self.irs_attribute]).slices()
        blocks = []
        for pair in self.pairs:
            ir_in, ir_out = self.irs_in[pair.place_in], self.irs_out[pair.place_out]
            block = torch.zeros(slices[-1].stop, ir_out.dim, len(pair.paths), ir_in.dim, dtype=torch.float64)
            for place, number in enumerate(pair.paths):
                j = self.paths[number].place_attribute
                coefficients = clebsch_gordan(Path(ir_in.l, self.irs_attribute[j].l, ir_out.l))
                block[slices[j], :, place] = ir_out.dim**0.5 * coefficients
            blocks.append(block.flatten(1))
        return torch.cat(blocks, dim=1)


@cache
def lifting(irs_in: Irs, irs_attribute: Irs, irs_out: Irs) -> Lifting:
    """The lifting of these irreps, made once, so that layers share what is lifted."""
    return Lifting(irs_in, irs_attribute, irs_out)


@dataclass
class Attributes:
    """Attributes of edges or atoms, and the matrices that layers made of them."""

    values: Float[Tensor, "rows components"]
    """One channel of each irrep, packed."""
    lifts: dict[Lifting, list[Tensor]] = field(default_factory=dict)

    def lifted(self, by: Lifting) -> list[Tensor]:
        """The matrices of a lifting, one tensor per pair."""
        if by not in self.lifts:
            self.lifts[by] = by.matrices(self.values)
        return self.lifts[by]


class Product(nn.Module):
    r"""What the fast and the plain product share: irreps, weights and biases.

    Weights are drawn as those of torch's linear maps, uniform within :math:`\pm 1/\sqrt{n}` with n the number of products that
    are summed, and scalars (0e) have biases. Irreps may stand once each.
    """

    def __init__(self, irreps_in: str, irreps_attribute: str, irreps_out: str) -> None:
        super().__init__()
        self.irreps_in, self.irreps_attribute = o3.Irreps(irreps_in), o3.Irreps(irreps_attribute)
        self.irreps_out = o3.Irreps(irreps_out)
        self.lifting = lifting(
            *(tuple(ir for _, ir in irreps) for irreps in (self.irreps_in, self.irreps_attribute, self.irreps_out))
        )
        muls_in, muls_out = [mul for mul, _ in self.irreps_in], [mul for mul, _ in self.irreps_out]
        self.shapes = [(muls_in[path.place_in], muls_out[path.place_out]) for path in self.lifting.paths]
        fan_in = [0] * len(muls_out)
        for path, (mul_in, _) in zip(self.lifting.paths, self.shapes, strict=True):
            fan_in[path.place_out] += mul_in
        bounds = [fan_in[path.place_out] ** -0.5 for path in self.lifting.paths]
        blocks = [(2 * torch.rand(mul_in * mul) - 1) * bound for (mul_in, mul), bound in zip(self.shapes, bounds, strict=True)]
        self.weight = nn.Parameter(torch.cat(blocks))
        scalars = [k for k, (_, ir) in enumerate(self.irreps_out) if ir == o3.Irrep("0e")]
        (place,) = scalars or (None,)
        self.bias = None if place is None else nn.Parameter((2 * torch.rand(muls_out[place]) - 1) * fan_in[place] ** -0.5)

    def forward(self, x: Steerable, attributes: Attributes) -> Steerable:
        """Products with the attributes of each row; rows of both must be as many."""
        found = self.multiplied([x[str(ir)] for _, ir in self.irreps_in], attributes)
        out = {str(ir): part for (_, ir), part in zip(self.irreps_out, found, strict=True)}
        return out if self.bias is None else out | {"0e": out["0e"] + self.bias}

    def multiplied(self, x: list[Tensor], attributes: Attributes) -> list[Tensor]:
        """The products without biases, in the order of the irreps."""
        raise NotImplementedError


class FastProduct(Product):
    """Lift, then one large product for each pair of input and output irreps."""

    def multiplied(self, x: list[Tensor], attributes: Attributes) -> list[Tensor]:
        blocks = self.weight.split([mul_in * mul for mul_in, mul in self.shapes])
        sums: list[Tensor | None] = [None] * len(self.irreps_out)
        for pair, lift in zip(self.lifting.pairs, attributes.lifted(self.lifting), strict=True):
            mul = self.irreps_out[pair.place_out].mul
            weight = torch.cat([blocks[number] for number in pair.paths]).view(-1, mul)
            rows = applied(lift, x[pair.place_in]).reshape(-1, len(weight))
            before = sums[pair.place_out]
            sums[pair.place_out] = rows @ weight if before is None else torch.addmm(before, rows, weight)
        return [
            x[0].new_zeros(len(x[0]), ir.dim, mul) if part is None else part.view(-1, ir.dim, mul)
            for part, (mul, ir) in zip(sums, self.irreps_out, strict=True)
        ]


class PlainProduct(Product):
    """The same by e3nn's fully connected tensor product."""

    def __init__(self, irreps_in: str, irreps_attribute: str, irreps_out: str) -> None:
        super().__init__(irreps_in, irreps_attribute, irreps_out)
        self.tensor_product = o3.FullyConnectedTensorProduct(
            self.irreps_in,
            self.irreps_attribute,
            self.irreps_out,
            path_normalization="none",
            internal_weights=False,
            shared_weights=True,
        )
        leave_out_of_state_dict(self.tensor_product)

    def multiplied(self, x: list[Tensor], attributes: Attributes) -> list[Tensor]:
        out = self.tensor_product(packed(x), attributes.values, self.weight)
        return unpacked(out, self.irreps_out)


class Gated(nn.Module):
    """A product, and then a gate: scalars pass through silu, every channel of l > 0 is multiplied by a sigmoid of its own scalar.

    The product puts out those scalars too. Activations keep the second moment of a unit normal at one, as e3nn's `Gate`.
    """

    def __init__(self, irreps_in: str, irreps_attribute: str, irreps_out: str, product: type[Product]) -> None:
        super().__init__()
        (self.scalars, ir), *gated = o3.Irreps(irreps_out)
        self.gated = [(mul, str(ir)) for mul, ir in gated]
        total = self.scalars + sum(mul for mul, _ in self.gated)
        before = "+".join([f"{total}x{ir}", *(f"{mul}x{ir}" for mul, ir in self.gated)])
        self.product = product(irreps_in, irreps_attribute, before)
        self.scalar_activation, self.gate_activation = normalize2mom(torch.nn.functional.silu), normalize2mom(torch.sigmoid)

    def forward(self, x: Steerable, attributes: Attributes) -> Steerable:
        """Gated products with the attributes of each row."""
        found = self.product(x, attributes)
        scalars, *gates = found["0e"].split([self.scalars, *(mul for mul, _ in self.gated)], dim=2)
        turning = {ir: found[ir] * self.gate_activation(gate) for (_, ir), gate in zip(self.gated, gates, strict=True)}
        return {"0e": self.scalar_activation(scalars), **turning}


def applied(lift: Float[Tensor, "rows a b"], x: Float[Tensor, "rows b mul"]) -> Float[Tensor, "rows a mul"]:
    """The matrix of each row times its features."""
    return lift * x if lift.shape[2] == 1 else torch.bmm(lift, x)


def packed(x: Sequence[Tensor]) -> Tensor:
    """Features [rows, m, mul] as e3nn packs them, [rows, dim]."""
    return torch.cat([part.transpose(1, 2).flatten(1) for part in x], dim=1)


def unpacked(x: Float[Tensor, "rows dim"], irreps: o3.Irreps) -> list[Tensor]:
    """Inverse of `packed`."""
    places = zip(irreps, irreps.slices(), strict=True)
    return [x[:, place].unflatten(1, (mul, ir.dim)).transpose(1, 2) for (mul, ir), place in places]
