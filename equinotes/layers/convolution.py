"""The convolution of `reference.py`, with the same parameters and the same results, computed without the work that is not needed.

Features are [atoms, components, channels]: components of all orders side by side, channels last.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from e3nn import o3
from e3nn.nn import FullyConnectedNet
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import silu

from equinotes.data.batches import Batch
from equinotes.irreps import natural
from equinotes.layers.buffers import buffer
from equinotes.layers.coupling import Product, coupling
from equinotes.layers.geometry import Geometry, geometry
from equinotes.layers.paths import paths
from equinotes.support.cores import num_cores, shares

TILE_BYTES = 4 * 2**20
"""A CPU makes weights for so many bonds at a time that those of one product take about as much memory: it stays in the cache."""
Tile = tuple[slice, slice]
"""Some bonds, and their edges."""


class Convolution(nn.Module):
    r"""One equivariant convolution. For edge e = (j -> i) of bond b, with channels u -> v:

    .. math:: x'_i[l_3, m_3, v] = \frac1d \sum_{e = j \to i} \sum_{p = (l_1, l_2, l_3)} \sum_u w_b(p)[u, v]
              \sum_{m_1} M_e(p)[m_3, m_1]\; x_j[l_1, m_1, u], \qquad w_b = W\,\mathrm{silu}(W_0\, b(|r_b|))

    M_e is made once per batch (`coupling.py` says how the sums are grouped), and both directions of a bond share one w_b.
    """

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, num_basis: int, hidden: int, degree_norm: float) -> None:
        super().__init__()
        (self.ls, self.mul_in), (self.ls_out, self.mul_out) = _orders(irreps_in), _orders(irreps_out)
        num_paths = len(paths(self.ls, _orders(irreps_sh)[0], self.ls_out))
        self.weight_shape = (hidden, num_paths, self.mul_in, self.mul_out)
        self.radial = FullyConnectedNet([num_basis, hidden, num_paths * self.mul_in * self.mul_out], silu)
        self.scale = 1 / (degree_norm * hidden**0.5)

    def forward(
        self, x: Float[Tensor, "atoms components mul"], edges: Geometry, only_scalars: bool = False
    ) -> Float[Tensor, "atoms components_out mul_out"]:
        """Messages summed at the targets; with `only_scalars` the rows of l > 0 are left out."""
        way = coupling(self.ls, self.mul_in, self.ls_out, self.ls_out[:1] if only_scalars else self.ls_out)
        hidden = self.radial.layer0(edges.basis) * self.scale
        banks = way.banks(self.radial.layer1.weight.view(self.weight_shape))
        return _Convolve.apply(x, hidden, edges, way.products, way.rotates, *banks)


class _Convolve(torch.autograd.Function):
    """Lift, weigh, and sum at the targets, one tile of bonds at a time (and several cores side by side, each with its own sums).

    hidden: [bonds, k]; banks: one [k, (part, u, part_out, v)] for each product, so that hidden @ bank are the bonds' weights. For
    gradients, lifted features and weights are made again rather than kept: that takes no longer than to write and read them.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, hidden: Tensor, edges: Geometry, products: list[Product], rotates: bool, *banks: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, hidden, *banks)
        ctx.edges, ctx.products, ctx.rotates = edges, products, rotates
        mul_out = _mul_out(x, products[0], banks[0])

        def messages(tiles: Sequence[Tile]) -> Tensor:
            out = x.new_zeros(len(x), products[-1].out.stop, mul_out)
            for bonds, both in tiles:
                lift = edges.lift[both, : products[-1].lifted.stop]
                lifted = _bmm("lifted", lift, _gather("source", x, edges.source[both]))
                message = buffer("message", out, len(lifted), *out.shape[1:])
                for product, bank in zip(products, banks, strict=True):
                    y = _pairs("y", lifted, product, product.lifted)
                    w = _weights(hidden[bonds], bank, y)
                    message[:, product.out] = _bmm("result", y, w).view(len(message), -1, message.shape[2])
                if rotates:
                    message = _bmm("rotated", lift.transpose(1, 2), message)
                out.index_add_(0, edges.target[both], message)
            return out

        return _sum(shares(messages, _tiles(len(hidden), banks), x.device))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # once_differentiable would not stop torch.autograd.grad
            raise NotImplementedError("no second derivatives here (create_graph=True): use build_network(config, 'e3nn')")
        x, hidden, *banks = ctx.saved_tensors
        edges, products = ctx.edges, ctx.products
        grad_out = grads[0].contiguous()
        grad_hidden = torch.zeros_like(hidden)

        def gradients(tiles: Sequence[Tile]) -> list[Tensor]:
            grad_x, grad_banks = torch.zeros_like(x), [torch.zeros_like(bank) for bank in banks]
            for bonds, both in tiles:
                h = hidden[bonds]
                lift = edges.lift[both, : products[-1].lifted.stop]
                lifted = _bmm("lifted", lift, _gather("source", x, edges.source[both]))
                grad_message = _gather("message", grad_out, edges.target[both])
                if ctx.rotates:
                    grad_message = _bmm("rotated", lift, grad_message)
                grad_lifted = buffer("grad lifted", x, *lifted.shape)
                for product, bank, grad_bank in zip(products, banks, grad_banks, strict=True):
                    y = _pairs("y", lifted, product, product.lifted)
                    w = _weights(h, bank, y)
                    g = _pairs("result", grad_message, product, product.out)
                    grad_lifted[:, product.lifted] = _bmm("grad y", g, w.transpose(1, 2)).view(len(lifted), -1, x.shape[2])
                    grad_w = torch.bmm(y.transpose(1, 2), g, out=w).flatten(1)  # w has been used
                    grad_hidden[bonds].addmm_(grad_w, bank.T)
                    grad_bank.addmm_(h.T, grad_w)
                grad_x.index_add_(0, edges.source[both], _bmm("source", lift.transpose(1, 2), grad_lifted))
            return [grad_x, *grad_banks]

        parts = shares(gradients, _tiles(len(hidden), banks), x.device)
        grad_x, *grad_banks = [_sum(part) for part in zip(*parts, strict=True)]
        return grad_x, grad_hidden, None, None, None, *grad_banks


def _mul_out(x: Tensor, product: Product, bank: Tensor) -> int:
    parts, parts_out = ((part.stop - part.start) // product.rows for part in (product.lifted, product.out))
    return bank.shape[1] // (parts * x.shape[2] * parts_out)


def _tiles(bonds: int, banks: Sequence[Tensor]) -> list[Tile]:
    """Tiles of one batch are about equally large, and where there are several every core gets as many; one tile off the CPU."""
    most = TILE_BYTES // max(bank.shape[1] * bank.element_size() for bank in banks) if banks[0].device.type == "cpu" else bonds
    number = max(1, math.ceil(bonds / max(1, most)))
    cores = min(number, num_cores())
    size = max(1, math.ceil(bonds / (math.ceil(number / cores) * cores)))
    return [(slice(start, start + size), slice(2 * start, 2 * (start + size))) for start in range(0, bonds, size)]


def _sum(parts: Sequence[Tensor]) -> Tensor:
    """The first part, after all others were added to it."""
    for part in parts[1:]:
        parts[0].add_(part)
    return parts[0]


def _gather(name: str, x: Float[Tensor, "atoms m c"], index: Int[Tensor, " edges"]) -> Float[Tensor, "edges m c"]:
    return torch.index_select(x, 0, index, out=buffer(name, x, len(index), *x.shape[1:]))


def _bmm(name: str, a: Float[Tensor, "batch i j"], b: Float[Tensor, "batch j k"]) -> Float[Tensor, "batch i k"]:
    return torch.bmm(a, b, out=buffer(name, a, len(a), a.shape[1], b.shape[2]))


def _pairs(name: str, x: Float[Tensor, "edges m c"], product: Product, where: slice) -> Float[Tensor, "bonds rows columns"]:
    """Some rows of both edges of a bond, as one matrix: (direction, row) by (part, channel)."""
    chosen = x[:, where]
    return buffer(name, x, *chosen.shape).copy_(chosen).view(len(x) // 2, 2 * product.rows, -1)


def _weights(
    hidden: Float[Tensor, "bonds k"], bank: Float[Tensor, "k weights"], y: Tensor
) -> Float[Tensor, "bonds columns weights_out"]:
    return torch.mm(hidden, bank, out=buffer("w", hidden, len(hidden), bank.shape[1])).view(len(hidden), y.shape[2], -1)


class FirstConvolution(nn.Module):
    r"""The convolution of the embedding, whose atoms differ only by element:

    .. math:: x'_i[l, m, v] = \frac1d \sum_{e = j \to i} Y_{lm}(\hat r_e) \sum_u w_b(l)[u, v]\, x_{z_j}[u]

    The weights meet the few elements of the batch before they meet its many bonds.
    """

    order: Tensor
    """Place among the orders of each component."""

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, num_basis: int, hidden: int, degree_norm: float) -> None:
        super().__init__()
        (_, self.mul_in), (self.ls_out, self.mul_out) = _orders(irreps_in), _orders(irreps_out)
        self.weight_shape = (hidden, len(self.ls_out), self.mul_in, self.mul_out)
        self.radial = FullyConnectedNet([num_basis, hidden, math.prod(self.weight_shape[1:])], silu)
        self.scale = 1 / (degree_norm * (hidden * self.mul_in) ** 0.5)
        order = torch.tensor([k for k, l in enumerate(self.ls_out) for _ in range(2 * l + 1)])
        self.register_buffer("order", order, persistent=False)

    def forward(
        self, x: Float[Tensor, "atoms 1 mul"], edges: Geometry, only_scalars: bool = False
    ) -> Float[Tensor, "atoms components_out mul_out"]:
        """Messages summed at the targets; atoms of one element must have equal features x."""
        ls = self.ls_out[:1] if only_scalars else self.ls_out
        hidden = self.radial.layer0(edges.basis) * self.scale
        weight = self.radial.layer1.weight.view(self.weight_shape)[:, : len(ls)]
        by_element = torch.einsum("zu,kluv->kzlv", x[edges.example, 0], weight).flatten(1)
        scalars = edges.is_element @ (hidden @ by_element).view(len(hidden), len(edges.example), len(ls) * self.mul_out)
        order = self.order[: sum(2 * l + 1 for l in ls)]
        messages = scalars.view(-1, len(ls), self.mul_out).index_select(1, order) * edges.sh[:, : len(order), None]
        return messages.new_zeros(len(x), *messages.shape[1:]).index_add(0, edges.target, messages)


class Fast:
    """How a network uses these convolutions (the counterpart of `plain.Reference`)."""

    first, inner = FirstConvolution, Convolution

    def __init__(self, ls: tuple[int, ...], mul: int, num_basis: int, cutoff: float) -> None:
        self.ls, self.mul, self.num_basis, self.cutoff = ls, mul, num_basis, cutoff

    @staticmethod
    def embed(embedded: Float[Tensor, "atoms mul"]) -> Float[Tensor, "atoms 1 mul"]:
        """Scalars as features of this layout."""
        return embedded[:, None]

    def edges(self, batch: Batch) -> Geometry:
        """Directions, lengths and couplings of a batch, computed once for all blocks."""
        return geometry(batch, self.ls, self.mul, self.num_basis, self.cutoff)

    @staticmethod
    def split(x: Float[Tensor, "atoms components mul"], irreps: str) -> dict[str, Float[Tensor, "atoms mul m"]]:
        """Features as one [atoms, mul, 2l+1] tensor per irrep."""
        ls = _orders(irreps)[0]
        parts = x.split([2 * l + 1 for l in ls], dim=1)
        return {natural(l): part.transpose(1, 2) for l, part in zip(ls, parts, strict=True)}

    @staticmethod
    def join(parts: dict[str, Float[Tensor, "atoms mul m"]]) -> Float[Tensor, "atoms components mul"]:
        """Undo `split`."""
        return torch.cat([part.transpose(1, 2) for part in parts.values()], dim=1)


def _orders(irreps: str) -> tuple[tuple[int, ...], int]:
    """Orders of irreps with one multiplicity, and that multiplicity."""
    parts = list(o3.Irreps(irreps))
    return tuple(part.ir.l for part in parts), parts[0].mul
