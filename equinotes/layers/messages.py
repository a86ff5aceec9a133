"""The sum over edges of one convolution, and its gradients, computed in tiles of bonds.

Features are [atoms, components, channels].
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.bases.harmonics import harmonics
from equinotes.layers.buffers import buffer
from equinotes.layers.coupling import ByFrame, ByPath, Product
from equinotes.layers.frames import turned
from equinotes.layers.geometry import Geometry
from equinotes.support.cores import num_cores, shares

TILE_BYTES = 4 * 2**20
"""Bytes of one product's weights per tile, sized to stay in cache."""
Tile = tuple[slice, slice]
"""A range of bonds, and the range of their edges."""


class Messages(torch.autograd.Function):
    r"""Lift, multiply by the weights, and sum at the targets, one tile of bonds at a time; cores work side by side, each on its
    own tiles with its own sums.

    Arguments: features x; hidden [bonds, k]; the bond vectors [bonds, 3]; the rest of the geometry; the coupling; one bank
    [k, (part, u, part_out, v)] per product, so that hidden @ bank are the bonds' weights. The backward pass recomputes lifted
    features and weights: this takes no longer than writing and reading them.

    The gradient with respect to a bond vector r is that of its direction; lengths act through `hidden`. Messages m = M(r) x are
    equivariant, so an infinitesimal rotation :math:`\omega` of r alone changes them by :math:`[\omega \cdot J, M]\, x`, where J
    are the generators of rotations. With g the gradient of m, the torque on the bond is

    .. math:: \tau_a = \langle g, J_a m \rangle - \langle M^\top g, J_a x \rangle, \qquad
              \frac{\partial}{\partial r} = \frac{\tau \times r}{|r|^2}

    This formula contains no derivative of frames or angles and is finite for every direction.

    With `create_graph=True`, as for losses on forces, `_gradients_with_graph` computes gradients that have gradients themselves.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, hidden: Tensor, vectors: Tensor, edges: Geometry, way: ByPath | ByFrame, *banks: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, hidden, vectors, *banks)
        ctx.edges, ctx.way = edges, way
        mul_out = _mul_out(x, way.products[0], banks[0])

        def messages(tiles: Sequence[Tile]) -> Tensor:
            out = x.new_zeros(len(x), way.components_out, mul_out)
            for bonds, both in tiles:
                lift = edges.lift[both, : way.products[-1].lifted.stop]
                lifted = _bmm("lifted", lift, _gather("source", x, edges.source[both]))
                message = buffer("message", out, len(lifted), way.products[-1].out.stop, mul_out)
                for product, bank in zip(way.products, banks, strict=True):
                    y = _pairs("y", lifted, product, product.lifted)
                    w = _weights(hidden[bonds], bank, y)
                    message[:, product.out] = _bmm("result", y, w).view(len(message), -1, message.shape[2])
                if way.rotates:
                    message = _bmm("rotated", lift.transpose(1, 2), message)
                out.index_add_(0, edges.target[both], message)
            return out

        return _sum(shares(messages, _tiles(len(hidden), banks), x.device))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, hidden, vectors, *banks = ctx.saved_tensors
        edges, way = ctx.edges, ctx.way
        if torch.is_grad_enabled():
            return _gradients_with_graph(grads[0], ctx.saved_tensors, edges, way)
        grad_out = grads[0].contiguous()
        grad_hidden = torch.zeros_like(hidden)
        learning = ctx.needs_input_grad[1] or any(ctx.needs_input_grad[5:])
        torque = _Torque(x, grad_out, edges, way) if ctx.needs_input_grad[2] else None

        def gradients(tiles: Sequence[Tile]) -> list[Tensor]:
            grad_x, grad_banks = torch.zeros_like(x), [torch.zeros_like(bank) for bank in banks]
            for bonds, both in tiles:
                h = hidden[bonds]
                lift = edges.lift[both, : way.products[-1].lifted.stop]
                lifted = _bmm("lifted", lift, _gather("source", x, edges.source[both]))
                grad_message = _gather("message", grad_out, edges.target[both])
                if way.rotates:
                    grad_message = _bmm("rotated", lift, grad_message)
                grad_lifted = buffer("grad lifted", x, *lifted.shape)
                message = torque.room(grad_message) if torque else None
                for product, bank, grad_bank in zip(way.products, banks, grad_banks, strict=True):
                    y = _pairs("y", lifted, product, product.lifted)
                    w = _weights(h, bank, y)
                    if message is not None:
                        message[:, product.out] = _bmm("again", y, w).view(len(message), -1, message.shape[2])
                    g = _pairs("result", grad_message, product, product.out)
                    grad_lifted[:, product.lifted] = _bmm("grad y", g, w.transpose(1, 2)).view(len(lifted), -1, x.shape[2])
                    if learning:
                        grad_w = torch.bmm(y.transpose(1, 2), g, out=w).flatten(1)  # overwrites w, which is no longer needed
                        grad_hidden[bonds].addmm_(grad_w, bank.T)
                        grad_bank.addmm_(h.T, grad_w)
                grad_source = _bmm("source", lift.transpose(1, 2), grad_lifted)
                grad_x.index_add_(0, edges.source[both], grad_source)
                if torque:
                    torque.add(bonds, both, grad_source, message, lift)
            return [grad_x, *grad_banks]

        parts = shares(gradients, _tiles(len(hidden), banks), x.device)
        grad_x, *grad_banks = [_sum(part) for part in zip(*parts, strict=True)]
        return grad_x, grad_hidden, None if torque is None else torque.grad(vectors), None, None, *grad_banks


def _gradients_with_graph(
    grad_out: Tensor, saved: Sequence[Tensor], edges: Geometry, way: ByPath | ByFrame
) -> tuple[Tensor | None, ...]:
    """Gradients that can be differentiated again, from plain torch operations on all bonds at once; this takes more memory."""
    # views, so that each gradient is partial: hidden depends on the vectors too
    inputs = [tensor.view_as(tensor) for tensor in saved]
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    x, hidden, vectors, *banks = inputs
    out = differentiable(x, hidden, vectors, edges, way, banks)
    gradients = iter(torch.autograd.grad(out, wanted, grad_out, create_graph=True))
    by_input = [next(gradients) if tensor.requires_grad else None for tensor in inputs]
    return *by_input[:3], None, None, *by_input[3:]


def differentiable(
    x: Float[Tensor, "atoms m c"],
    hidden: Float[Tensor, "bonds k"],
    vectors: Float[Tensor, "bonds 3"],
    edges: Geometry,
    way: ByPath | ByFrame,
    banks: Sequence[Tensor],
) -> Float[Tensor, "atoms m_out c_out"]:
    """As the forward pass of `Messages`, in plain torch operations on all bonds at once, differentiable any number of times."""
    bonds, mul_out = len(vectors), _mul_out(x, way.products[0], banks[0])
    lift = differentiable_lift(vectors, edges, way)
    lifted = torch.bmm(lift, x.index_select(0, edges.source))
    results = []
    for product, bank in zip(way.products, banks, strict=True):
        columns = (product.lifted.stop - product.lifted.start) // product.rows * x.shape[2]
        y = lifted[:, product.lifted].reshape(bonds, 2 * product.rows, columns)
        w = torch.matmul(hidden, bank).view(bonds, columns, bank.shape[-1] // columns)
        results.append(torch.bmm(y, w).view(2 * bonds, product.out.stop - product.out.start, mul_out))
    message = torch.cat(results, dim=1)
    if way.rotates:
        message = torch.bmm(lift.transpose(1, 2), message)
    return message.new_zeros(len(x), *message.shape[1:]).index_add(0, edges.target, message)


def differentiable_lift(
    vectors: Float[Tensor, "bonds 3"], edges: Geometry, way: ByPath | ByFrame
) -> Float[Tensor, "edges lifted components"]:
    """The lifting matrices of a coupling, as functions of the bond vectors where these require gradients."""
    lift = edges.lift
    if vectors.requires_grad:
        both = torch.stack([vectors, -vectors], dim=1).flatten(0, 1)
        lift = way.lift(both, harmonics(both, way.ls))
    return lift[:, : way.products[-1].lifted.stop]


class _Torque:
    """Torque on each bond's direction, [bonds, 3] about x, y, z, filled tile by tile.

    Generators are antisymmetric, hence tau = -<J g, m> - <M^T g, J x>: J acts once per atom rather than once per edge.
    """

    def __init__(self, x: Tensor, grad_out: Tensor, edges: Geometry, way: ByPath | ByFrame) -> None:
        self.edges, self.way = edges, way
        self.values = x.new_zeros(len(edges.vectors), 3)
        self.turned_x = turned(x, way.ls)
        self.turned_grad = turned(grad_out, way.ls_out) if way.ls_out[-1] else None
        """None where all outputs are scalars, which no rotation changes: then messages are not needed."""

    def room(self, like: Float[Tensor, "edges rows mul_out"]) -> Tensor | None:
        """A buffer for the messages; None where they are not needed."""
        return None if self.turned_grad is None else buffer("message again", like, *like.shape)

    def add(self, bonds: slice, both: slice, grad_source: Tensor, message: Tensor | None, lift: Tensor) -> None:
        """Set the torque on these bonds; `message` as the products give it, before any rotation back."""
        torque = _inner("source", self.turned_x, self.edges.source[both], grad_source)
        if self.turned_grad is not None and message is not None:
            if self.way.rotates:
                message = _bmm("message rotated", lift.transpose(1, 2), message)
            torque += _inner("target", self.turned_grad, self.edges.target[both], message)
        self.values[bonds] = -torque.view(-1, 2, 3).sum(1)  # both directions turn with the bond

    def grad(self, vectors: Float[Tensor, "bonds 3"]) -> Float[Tensor, "bonds 3"]:
        """Gradient with respect to the bond vectors."""
        return torch.linalg.cross(self.values, vectors) / vectors.square().sum(1, keepdim=True)


def _inner(
    name: str, turned: Float[Tensor, "atoms 3 m c"], index: Int[Tensor, " edges"], other: Float[Tensor, "edges m c"]
) -> Float[Tensor, "edges 3"]:
    """Inner products of one atom's turned features with an edge's features."""
    gathered = _gather(f"turned {name}", turned, index).flatten(2)
    return torch.bmm(gathered, other.reshape(len(other), -1, 1))[..., 0]


def _mul_out(x: Tensor, product: Product, bank: Tensor) -> int:
    parts, parts_out = ((part.stop - part.start) // product.rows for part in (product.lifted, product.out))
    return bank.shape[-1] // (parts * x.shape[2] * parts_out)


def _tiles(bonds: int, banks: Sequence[Tensor]) -> list[Tile]:
    """Tiles of about equal size, their number a multiple of the cores used; a single tile on other devices."""
    most = TILE_BYTES // max(bank.shape[1] * bank.element_size() for bank in banks) if banks[0].device.type == "cpu" else bonds
    number = max(1, math.ceil(bonds / max(1, most)))
    cores = min(number, num_cores())
    size = max(1, math.ceil(bonds / (math.ceil(number / cores) * cores)))
    return [(slice(start, start + size), slice(2 * start, 2 * (start + size))) for start in range(0, bonds, size)]


def _sum(parts: Sequence[Tensor]) -> Tensor:
    """Sum of the parts, accumulated in the first."""
    for part in parts[1:]:
        parts[0].add_(part)
    return parts[0]


def _gather(name: str, x: Float[Tensor, "atoms *m"], index: Int[Tensor, " edges"]) -> Float[Tensor, "edges *m"]:
    return torch.index_select(x, 0, index, out=buffer(name, x, len(index), *x.shape[1:]))


def _bmm(name: str, a: Float[Tensor, "batch i j"], b: Float[Tensor, "batch j k"]) -> Float[Tensor, "batch i k"]:
    return torch.bmm(a, b, out=buffer(name, a, len(a), a.shape[1], b.shape[2]))


def _pairs(name: str, x: Float[Tensor, "edges m c"], product: Product, where: slice) -> Float[Tensor, "bonds rows columns"]:
    """The given rows of both edges of each bond, as one matrix: (direction, row) by (part, channel)."""
    chosen = x[:, where]
    return buffer(name, x, *chosen.shape).copy_(chosen).view(len(x) // 2, 2 * product.rows, -1)


def _weights(
    hidden: Float[Tensor, "bonds k"], bank: Float[Tensor, "k weights"], y: Tensor
) -> Float[Tensor, "bonds columns weights_out"]:
    return torch.mm(hidden, bank, out=buffer("w", hidden, len(hidden), bank.shape[1])).view(len(hidden), y.shape[2], -1)
