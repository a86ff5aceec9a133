"""Elements, and linear maps of an atom's features that depend on its element."""

import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor, nn

ELEMENTS = (1, 6, 7, 8, 9)
"""Atomic numbers of QM9."""


def element_places() -> Int[Tensor, " numbers"]:
    """Place in ELEMENTS of each atomic number; out of range for others, so that an unknown element stops.

    >>> element_places().tolist()
    [5, 0, 5, 5, 5, 5, 1, 2, 3, 4]
    """
    place = torch.full((max(ELEMENTS) + 1,), len(ELEMENTS))
    place[list(ELEMENTS)] = torch.arange(len(ELEMENTS))
    return place


class ElementLinear(nn.Module):
    r"""The self-connection: every irrep's channels are mixed by a matrix of the atom's element z,

    .. math:: x'_i[l, m, v] = \frac{1}{\sqrt{n\,U_l}} \sum_u W_{z_i}(l)[u, v]\; x_i[l, m, u]

    with U_l channels in and n elements: the fully connected tensor product with a one-hot vector of the element, as e3nn
    normalises it. Irreps that the input lacks come out as zero. Each irrep may stand once.
    """

    def __init__(self, irreps_in: o3.Irreps | str, irreps_out: o3.Irreps | str, num_elements: int) -> None:
        super().__init__()
        self.irreps_in, self.irreps_out = o3.Irreps(irreps_in), o3.Irreps(irreps_out)
        self.places = {ir: (place, mul) for (mul, ir), place in zip(self.irreps_in, self.irreps_in.slices(), strict=True)}
        self.num_elements = num_elements
        self.shapes = [(self.places[ir][1], mul) if ir in self.places else (0, mul) for mul, ir in self.irreps_out]
        self.weight = nn.Parameter(torch.randn(num_elements, sum(mul_in * mul for mul_in, mul in self.shapes)))

    def forward(self, x: Float[Tensor, "atoms irreps_in"], element: Int[Tensor, " atoms"]) -> Float[Tensor, "atoms irreps_out"]:
        """Mixed features; `element` counts from 0."""
        weights = self.weight.split([mul_in * mul for mul_in, mul in self.shapes], dim=1)
        mixed = []
        for (mul, ir), (mul_in, _), weight in zip(self.irreps_out, self.shapes, weights, strict=True):
            if not mul_in:
                mixed.append(x.new_zeros(len(x), mul * ir.dim))
                continue
            part = x[:, self.places[ir][0]].unflatten(1, (mul_in, ir.dim))
            by_atom = weight.reshape(-1, mul_in, mul).index_select(0, element) / (self.num_elements * mul_in) ** 0.5
            mixed.append(torch.bmm(by_atom.transpose(1, 2), part).flatten(1))
        return torch.cat(mixed, dim=1)
