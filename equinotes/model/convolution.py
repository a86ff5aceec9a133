"""The convolution of `reference.py`, with the same parameters and the same results, computed without the work that is not needed.

Features are [atoms, components, channels]: components of all orders side by side, channels last.
"""

from typing import Any

import torch
from e3nn import o3
from e3nn.nn import FullyConnectedNet
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.data.batches import Batch
from equinotes.irreps import natural
from equinotes.model.coupling import Geometry, Term, geometry, terms
from equinotes.model.paths import paths

TILE = 64
"""Bonds whose weights are held at a time: few enough that they stay in the cache."""


class Convolution(nn.Module):
    r"""One equivariant convolution. For edge e = (j -> i) of bond b, output order l3 and channels u -> v:

    .. math:: x'_i[l_3, v] = \frac1d \sum_{e=j\to i} \sum_{p, u} w_b[(p, u), v]\; y_e[(p, u)], \qquad
              y_e[(p, u)] = M_e(p)\, x_j[l_1(p), u]

    with M_e (`coupling.py`) made once per batch, and one weight w_b = W silu(W_0 b(|r_b|)) for both directions of a bond. For
    each l3, all paths p are summed in one product over (p, u), tile by tile; the backward pass makes w and y again.
    """

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, num_basis: int, hidden: int, degree_norm: float) -> None:
        super().__init__()
        (self.ls, self.mul_in), (self.ls_out, self.mul_out) = _orders(irreps_in), _orders(irreps_out)
        self.num_paths = len(paths(self.ls, _orders(irreps_sh)[0], self.ls_out))
        numel = self.num_paths * self.mul_in * self.mul_out
        self.radial = FullyConnectedNet([num_basis, hidden, numel], torch.nn.functional.silu)
        self.scale = 1 / (degree_norm * hidden**0.5)

    def forward(
        self, x: Float[Tensor, "atoms components mul"], edges: Geometry, only_scalars: bool = False
    ) -> Float[Tensor, "atoms components_out mul_out"]:
        """Messages summed at the targets; with `only_scalars` the rows of l > 0 are left out."""
        hidden = self.radial.layer0(edges.basis) * self.scale
        ls_out = self.ls_out[:1] if only_scalars else self.ls_out
        chosen = [term for term in terms(self.ls, self.ls_out, self.mul_in) if term.l3 in ls_out]
        weight = self.radial.layer1.weight.view(len(self.radial.layer0.weight[0]), self.num_paths, self.mul_in, self.mul_out)
        return _Convolve.apply(x, hidden, weight, edges, chosen)


class _Convolve(torch.autograd.Function):
    """sum over edges of y_e w_b, and its gradients, for tiles of bonds."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, hidden: Tensor, weight: Tensor, edges: Geometry, chosen: list[Term]) -> Tensor:
        ctx.save_for_backward(x, hidden, weight)
        ctx.edges, ctx.chosen = edges, chosen
        mul_out = weight.shape[-1]
        rows = {term.l3: 2 * term.l3 + 1 for term in chosen}
        messages = {l3: x.new_zeros(len(edges.source), m3, mul_out) for l3, m3 in rows.items()}
        banks = _banks(weight, chosen)
        for bonds, both in _tiles(len(hidden)):
            for term, bank in zip(chosen, banks, strict=True):
                y = _products(x, edges, term, both)
                w = (hidden[bonds] @ bank).view(len(y), -1, mul_out)
                message = messages[term.l3][both].view(len(y), -1, mul_out)
                torch.baddbmm(message, y, w, out=message)
        sums = [x.new_zeros(len(x), m3, mul_out).index_add_(0, edges.target, messages[l3]) for l3, m3 in rows.items()]
        return torch.cat(sums, dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, hidden, weight = ctx.saved_tensors
        edges, chosen = ctx.edges, ctx.chosen
        grad_out = grads[0]
        grad_x, grad_hidden, grad_weight = torch.zeros_like(x), torch.zeros_like(hidden), torch.zeros_like(weight)
        banks = _banks(weight, chosen)
        grad_banks = [torch.zeros_like(bank) for bank in banks]
        where = _component_slices(chosen)
        for bonds, both in _tiles(len(hidden)):
            at_target = grad_out.index_select(0, edges.target[both])
            grad_source = x.new_zeros(len(at_target), *x.shape[1:])
            for term, bank, grad_bank in zip(chosen, banks, grad_banks, strict=True):
                y = _products(x, edges, term, both)
                w = (hidden[bonds] @ bank).view(len(y), -1, weight.shape[-1])
                g = at_target[:, where[term.l3]].reshape(len(y), -1, weight.shape[-1])
                grad_w = (y.transpose(1, 2) @ g).view(len(y), -1)
                grad_hidden[bonds].addmm_(grad_w, bank.T)
                grad_bank.addmm_(hidden[bonds].T, grad_w)
                matrix = edges.matrices[term.l3, term.group.start][both]
                grad_y = (g @ w.transpose(1, 2)).view(len(at_target), -1, x.shape[-1])
                grad_source[:, term.group] += matrix.transpose(1, 2) @ grad_y
            grad_x.index_add_(0, edges.source[both], grad_source)
        for term, grad_bank in zip(chosen, grad_banks, strict=True):
            grad_weight[:, list(term.positions)] = grad_bank.view(len(weight), -1, *weight.shape[2:])
        return grad_x, grad_hidden, grad_weight, None, None


def _products(x: Tensor, edges: Geometry, term: Term, both: slice) -> Float[Tensor, "bonds rows k"]:
    """y of a tile: rows are (direction, m3), columns (path, channel)."""
    matrix = edges.matrices[term.l3, term.group.start][both]
    at_source = x[:, term.group].index_select(0, edges.source[both])
    return (matrix @ at_source).view(len(matrix) // 2, 2 * (2 * term.l3 + 1), -1)


def _banks(weight: Tensor, chosen: list[Term]) -> list[Float[Tensor, "hidden columns"]]:
    """The last radial layer's weights of each term, [hidden, (path, u, v)]."""
    return [weight[:, list(term.positions)].flatten(1) for term in chosen]


def _tiles(bonds: int) -> list[tuple[slice, slice]]:
    """Slices of the bonds, and of their edges."""
    starts = range(0, bonds, TILE)
    return [(slice(k, min(k + TILE, bonds)), slice(2 * k, 2 * min(k + TILE, bonds))) for k in starts]


def _component_slices(chosen: list[Term]) -> dict[int, slice]:
    where, start = {}, 0
    for l3 in dict.fromkeys(term.l3 for term in chosen):
        where[l3] = slice(start, start + 2 * l3 + 1)
        start += 2 * l3 + 1
    return where


class FirstConvolution(nn.Module):
    r"""The convolution of the embedding, whose atoms differ only by element:

    .. math:: x'_i[l, v] = \frac1d \sum_{e=j\to i} Y_l(\hat r_e)\, a \sum_u w_b[l, u, v]\, x_{z_j}[u]

    The weights meet the few elements of the batch instead of its many bonds.
    """

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, num_basis: int, hidden: int, degree_norm: float) -> None:
        super().__init__()
        (_, self.mul_in), (self.ls_out, self.mul_out) = _orders(irreps_in), _orders(irreps_out)
        numel = len(self.ls_out) * self.mul_in * self.mul_out
        self.radial = FullyConnectedNet([num_basis, hidden, numel], torch.nn.functional.silu)
        self.scale = 1 / (degree_norm * (hidden * self.mul_in) ** 0.5)

    def forward(
        self, x: Float[Tensor, "atoms 1 mul"], edges: Geometry, only_scalars: bool = False
    ) -> Float[Tensor, "atoms components_out mul_out"]:
        """Messages summed at the targets; atoms of one element must have equal features x."""
        ls = self.ls_out[:1] if only_scalars else self.ls_out
        hidden = self.radial.layer0(edges.basis) * self.scale
        weight = self.radial.layer1.weight.view(-1, len(self.ls_out), self.mul_in, self.mul_out)[:, : len(ls)]
        by_element = torch.einsum("zu,kluv->kzlv", x[edges.example, 0], weight).flatten(1)
        scalars = edges.is_element @ (hidden @ by_element).view(len(hidden), len(edges.example), len(ls) * self.mul_out)
        order = torch.tensor([k for k, l in enumerate(ls) for _ in range(2 * l + 1)], device=x.device)
        messages = scalars.view(-1, len(ls), self.mul_out).index_select(1, order) * edges.sh[:, : len(order), None]
        return messages.new_zeros(len(x), *messages.shape[1:]).index_add(0, edges.target, messages)


class Fast:
    """How a network uses these convolutions (the counterpart of `reference.Reference`)."""

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
