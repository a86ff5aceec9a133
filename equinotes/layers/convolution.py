"""The fast convolution: parameters and results of `plain.py`, without redundant work.

Features are [atoms, components, channels]: components concatenated over orders, channels last.
"""

import math

import torch
from e3nn import o3
from e3nn.nn import FullyConnectedNet
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from equinotes.config import MAX_L
from equinotes.data.batches import Batch
from equinotes.irreps import natural
from equinotes.layers.coupling import coupling
from equinotes.layers.geometry import Geometry, Radial, geometry
from equinotes.layers.messages import Messages
from equinotes.layers.paths import paths


class Convolution(nn.Module):
    r"""One equivariant convolution. For edge e = (j -> i) of bond b, with channels u -> v:

    .. math:: x'_i[l_3, m_3, v] = \frac1d \sum_{e = j \to i} \sum_{p = (l_1, l_2, l_3)} \sum_u w_b(p)[u, v]
              \sum_{m_1} M_e(p)[m_3, m_1]\; x_j[l_1, m_1, u], \qquad w_b = W\,\mathrm{silu}(W_0\, b(|r_b|))

    M_e is computed once per batch (`coupling.py` describes how the sums are grouped), and both directions of a bond share w_b.
    """

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, num_basis: int, hidden: int, degree_norm: float) -> None:
        super().__init__()
        (self.ls, self.mul_in), (self.ls_out, self.mul_out) = _orders(irreps_in), _orders(irreps_out)
        num_paths = len(paths(self.ls, _orders(irreps_sh)[0], self.ls_out))
        self.weight_shape = (hidden, num_paths, self.mul_in, self.mul_out)
        self.radial = FullyConnectedNet([num_basis, hidden, num_paths * self.mul_in * self.mul_out], silu)
        self.scale = 1 / (degree_norm * hidden**0.5)
        self.path_factors: Tensor | None = None

    def forward(
        self, x: Float[Tensor, "atoms components mul"], edges: Geometry, only_scalars: bool = False
    ) -> Float[Tensor, "atoms components_out mul_out"]:
        """Messages summed at the targets; with `only_scalars` only the l = 0 component is computed."""
        way = coupling(self.ls, self.mul_in, self.ls_out, self.ls_out[:1] if only_scalars else self.ls_out, edges.m_max)
        hidden = self.radial.layer0(edges.basis) * self.scale
        banks = way.banks(_weight(self))
        return Messages.apply(x, hidden, edges.vectors, edges, way, *banks)


class FirstConvolution(nn.Module):
    r"""The convolution of the embedding, whose features depend on the element alone:

    .. math:: x'_i[l, m, v] = \frac1d \sum_{e = j \to i} Y_{lm}(\hat r_e) \sum_u w_b(l)[u, v]\, x_{z_j}[u]

    Weights are contracted with the few elements of the batch before its many bonds.
    """

    order: Tensor
    """For each component, the index of its order."""

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, num_basis: int, hidden: int, degree_norm: float) -> None:
        super().__init__()
        (_, self.mul_in), (self.ls_out, self.mul_out) = _orders(irreps_in), _orders(irreps_out)
        self.weight_shape = (hidden, len(self.ls_out), self.mul_in, self.mul_out)
        self.radial = FullyConnectedNet([num_basis, hidden, math.prod(self.weight_shape[1:])], silu)
        self.scale = 1 / (degree_norm * (hidden * self.mul_in) ** 0.5)
        self.path_factors: Tensor | None = None
        order = torch.tensor([k for k, l in enumerate(self.ls_out) for _ in range(2 * l + 1)])
        self.register_buffer("order", order, persistent=False)

    def forward(
        self, x: Float[Tensor, "atoms 1 mul"], edges: Geometry, only_scalars: bool = False
    ) -> Float[Tensor, "atoms components_out mul_out"]:
        """Messages summed at the targets; atoms of one element must have equal features x."""
        ls = self.ls_out[:1] if only_scalars else self.ls_out
        hidden = self.radial.layer0(edges.basis) * self.scale
        weight = _weight(self)[:, : len(ls)]
        by_element = torch.einsum("zu,kluv->kzlv", x[edges.example, 0], weight).flatten(1)
        scalars = edges.is_element @ (hidden @ by_element).view(len(hidden), len(edges.example), len(ls) * self.mul_out)
        order = self.order[: sum(2 * l + 1 for l in ls)]
        messages = scalars.view(-1, len(ls), self.mul_out).index_select(1, order) * edges.sh[:, : len(order), None]
        return messages.new_zeros(len(x), *messages.shape[1:]).index_add(0, edges.target, messages)


def _weight(layer: Convolution | FirstConvolution) -> Float[Tensor, "hidden paths u v"]:
    """The last matrix of the radial network, each path times its factor where `path_factors` [paths] is set."""
    weight = layer.radial.layer1.weight.view(layer.weight_shape)
    return weight if layer.path_factors is None else weight * layer.path_factors[:, None, None]


class Fast:
    """What a network needs of these convolutions (counterpart of `plain.Reference`)."""

    first, inner = FirstConvolution, Convolution

    def __init__(self, ls: tuple[int, ...], mul: int, radial: Radial, m_max: int = MAX_L) -> None:
        self.ls, self.mul, self.radial, self.m_max = ls, mul, radial, m_max

    @staticmethod
    def embed(embedded: Float[Tensor, "atoms mul"]) -> Float[Tensor, "atoms 1 mul"]:
        """Scalars in this feature layout."""
        return embedded[:, None]

    def edges(self, batch: Batch) -> Geometry:
        """Directions, lengths and coupling matrices of a batch, shared by all blocks."""
        return geometry(batch, self.ls, self.mul, self.radial, self.m_max)

    @staticmethod
    def split(x: Float[Tensor, "atoms components mul"], irreps: str) -> dict[str, Float[Tensor, "atoms mul m"]]:
        """Features as one [atoms, mul, 2l+1] tensor per irrep."""
        ls = _orders(irreps)[0]
        parts = x.split([2 * l + 1 for l in ls], dim=1)
        return {natural(l): part.transpose(1, 2) for l, part in zip(ls, parts, strict=True)}

    @staticmethod
    def join(parts: dict[str, Float[Tensor, "atoms mul m"]]) -> Float[Tensor, "atoms components mul"]:
        """Inverse of `split`."""
        return torch.cat([part.transpose(1, 2) for part in parts.values()], dim=1)


def _orders(irreps: str) -> tuple[tuple[int, ...], int]:
    """Orders of irreps that share one multiplicity, and that multiplicity."""
    parts = list(o3.Irreps(irreps))
    return tuple(part.ir.l for part in parts), parts[0].mul
