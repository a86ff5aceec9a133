"""Several of the paper's networks that differ only in their seeds, computed side by side for the price of few kernels.

Small networks leave a GPU idle: a step is several hundred short kernels, whatever they compute. Here every parameter has a
leading axis of networks, and each kernel serves all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from equinotes.bases import radial_basis
from equinotes.data.batches import Batch
from equinotes.layers.convolution import Convolution, FirstConvolution
from equinotes.layers.coupling import coupling
from equinotes.layers.geometry import Geometry, geometry
from equinotes.layers.messages import differentiable_lift
from equinotes.networks.base import Network
from equinotes.networks.paper import PaperNetwork
from equinotes.support.errors import UserError

Weights = Mapping[str, Float[Tensor, "networks *shape"]]


class Stacked:
    """Networks of one configuration but for the seed, each with its own batch; for training, on a GPU above all.

    Raises ValueError where the networks differ in more than the seed, or have parts that are not done side by side.
    """

    def __init__(self, nets: Sequence[Network]) -> None:
        config = nets[0].config
        if any(net.config.but(seed=config.seed) != config for net in nets):
            raise UserError("networks side by side may differ only in their seeds")
        if why := not_stackable(nets[0]):
            raise UserError(f"networks side by side {why}")
        self.nets, self.config, self.radial = nets, config, radial_basis(config)
        named = [dict(net.named_parameters()) for net in nets]
        self.weights = {name: torch.stack([some[name].detach() for some in named]) for name in named[0]}

    @torch.no_grad()
    def give_back(self) -> None:
        """Put the weights into the networks that they came from."""
        for k, net in enumerate(self.nets):
            for name, weight in net.named_parameters():
                weight.copy_(self.weights[name][k])

    def geometry(self, batch: Batch) -> Geometry:
        """What the batches' bonds are to all blocks; weights play no part in it."""
        config = self.config
        return geometry(batch, config.ls, config.mul, self.radial, config.m_max)

    def outputs(self, batch: Batch, edges: Geometry, weights: Weights | None = None) -> Float[Tensor, "networks molecules"]:
        """What each network's loss sees, of molecules of its own part of the batch, as `Network.outputs` has it.

        `weights` may stand in for the networks' own, for gradients.
        """
        weights = self.weights if weights is None else weights
        number, mul = len(self.nets), self.config.mul
        own = torch.arange(number, device=batch.z.device)[:, None]
        x = weights["embedding.weight"][own, batch.z.view(number, -1)].flatten(0, 1)[:, None]
        blocks = cast(PaperNetwork, self.nets[0]).blocks
        for k, block in enumerate(blocks):
            first, second = (weights[f"blocks.{k}.radial.layer{layer}.weight"] for layer in (0, 1))
            only_scalars = k == len(blocks) - 1
            convolution: Any = convolve if k else convolve_first
            convolved = convolution(block, first, second, x, edges, only_scalars)
            x = convolved + x[:, : convolved.shape[1]] if k else convolved
        scalars = x[:, 0].view(number, -1, mul)
        atoms = torch.bmm(scalars, weights["readout"][:, :, None])[..., 0] / mul**0.5
        molecules = len(batch.rows)
        sums = atoms.new_zeros(molecules).index_add(0, batch.molecule, atoms.flatten()).view(number, -1)
        return sums * weights["energy.weight"][:, 0] + weights["energy.bias"]


def not_stackable(net: Network) -> str | None:
    """Why networks of this kind cannot be computed side by side; None where they can."""
    config = net.config
    if config.network != "paper":
        return f"must be the paper's, got network={config.network!r}"
    if config.gate or config.auxiliary or config.terms or config.graph != "bonds":
        return "have no gates, auxiliary targets, additional terms or other graphs than bonds"
    if config.body_order > 2:
        return f"have no many-body products, got body_order={config.body_order}"
    if config.skips != "all" or config.curriculum != "none":
        return "have the paper's skips and all orders at every step"
    return None


def convolve(
    layer: Convolution,
    first: Float[Tensor, "networks basis hidden"],
    second: Float[Tensor, "networks hidden weights"],
    x: Float[Tensor, "atoms components mul"],
    edges: Geometry,
    only_scalars: bool,
) -> Float[Tensor, "atoms components_out mul_out"]:
    """The convolution of `layers.convolution`, with weights of several networks."""
    way = coupling(layer.ls, layer.mul_in, layer.ls_out, layer.ls_out[:1] if only_scalars else layer.ls_out, edges.m_max)
    hidden = _hidden(layer, first, edges)
    banks = torch.vmap(way.banks)(second.unflatten(1, layer.weight_shape[:1]).view(len(second), *layer.weight_shape))
    products = way.products
    lift = differentiable_lift(edges.vectors, edges, way)
    lifted = torch.bmm(lift, x.index_select(0, edges.source))
    bonds = len(lifted) // 2
    results = []
    for product, bank in zip(products, banks, strict=True):
        y = lifted[:, product.lifted].reshape(bonds, 2 * product.rows, -1)
        results.append(_Weigh.apply(y, hidden, bank).view(2 * bonds, -1, layer.mul_out))
    message = torch.cat(results, dim=1)
    if way.rotates:
        message = torch.bmm(lift.transpose(1, 2), message)
    return message.new_zeros(len(x), *message.shape[1:]).index_add(0, edges.target, message)


def convolve_first(
    layer: FirstConvolution,
    first: Float[Tensor, "networks basis hidden"],
    second: Float[Tensor, "networks hidden weights"],
    x: Float[Tensor, "atoms 1 mul"],
    edges: Geometry,
    only_scalars: bool,
) -> Float[Tensor, "atoms components_out mul_out"]:
    """The convolution of the embedding, with weights of several networks."""
    number = len(first)
    ls = layer.ls_out[:1] if only_scalars else layer.ls_out
    hidden = _hidden(layer, first, edges)
    weight = second.view(number, *layer.weight_shape)[:, :, : len(ls)]
    examples = x.view(number, -1, x.shape[-1])[:, edges.example]
    by_element = torch.einsum("szu,skluv->skzlv", examples, weight).flatten(2)
    scalars = torch.bmm(hidden, by_element).view(-1, len(edges.example), len(ls) * layer.mul_out)
    order = layer.order[: sum(2 * l + 1 for l in ls)]
    messages = torch.bmm(edges.is_element, scalars).view(-1, len(ls), layer.mul_out).index_select(1, order)
    messages = messages * edges.sh[:, : len(order), None]
    return messages.new_zeros(len(x), *messages.shape[1:]).index_add(0, edges.target, messages)


class _Weigh(torch.autograd.Function):
    """y [bonds, rows, u] times the bonds' weights, made of hidden [networks, bonds, k] and bank [networks, k, u v].

    The weights are made again for the gradient of y, already transposed: cuBLAS multiplies many small matrices several times
    slower by a transposed one.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, hidden: Tensor, bank: Tensor) -> Tensor:
        ctx.save_for_backward(y, hidden, bank)
        return torch.bmm(y, torch.bmm(hidden, bank).view(len(y), y.shape[2], -1))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, hidden, bank = ctx.saved_tensors
        grad = grads[0]
        turned = bank.unflatten(2, (y.shape[2], -1)).transpose(2, 3).flatten(2)
        grad_y = torch.bmm(grad, torch.bmm(hidden, turned).view(len(y), -1, y.shape[2]))
        grad_w = torch.bmm(y.transpose(1, 2), grad).view(len(hidden), -1, bank.shape[2])
        return grad_y, torch.bmm(grad_w, bank.transpose(1, 2)), torch.bmm(hidden.transpose(1, 2), grad_w)


def _hidden(
    layer: Convolution | FirstConvolution, weight: Float[Tensor, "networks basis hidden"], edges: Geometry
) -> Float[Tensor, "networks bonds hidden"]:
    """The radial network's hidden layer, as e3nn's `FullyConnectedNet` computes it, and the layer's scale."""
    first = layer.radial.layer0
    basis = edges.basis.view(len(weight), -1, edges.basis.shape[1])
    return first.act(torch.bmm(basis, weight / (first.h_in * first.var_in) ** 0.5)) * (first.var_out**0.5 * layer.scale)
