"""SE(3)-Transformer (Fuchs et al., arXiv 2006.10503): attention over tensor-field messages, norm layers, pooling.

The layout is that of the implementation by NVIDIA (DeepLearningExamples, SE3Transformer), with the settings that the authors'
own repository (se3-transformer-public) gives for QM9: one convolution makes keys and values of a layer, with one radial network.
Its edges have the type of the bond as four numbers; here the length enters by `num_basis` radial functions in their place.
"""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.bases import radial_basis
from equinotes.bases.harmonics import harmonics
from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.layers.attention import attended, logits_by_irrep, softmax_at_targets
from equinotes.layers.edge_vectors import edge_vectors
from equinotes.layers.edgewise import EdgeConvolution, Edges, FastEdgeConvolution, PlainEdgeConvolution
from equinotes.layers.elements import ELEMENTS, element_places
from equinotes.layers.norm_relu import NormReLU
from equinotes.layers.pooling import counts, pooled
from equinotes.layers.steerable import Attributes, Steerable
from equinotes.networks.base import BlockPath, Layer, Layered, Parts, Side

IMPLEMENTATIONS: dict[str, type[EdgeConvolution]] = {"fast": FastEdgeConvolution, "e3nn": PlainEdgeConvolution}
Muls = dict[str, int]
"""Channels of each degree: {"0e": 8, "1e": 8, ...}."""


def muls_of(degrees: tuple[int, ...], mul: int) -> Muls:
    """Features of these degrees; the letter e has no meaning (see `SE3Transformer`)."""
    return {f"{l}e": mul for l in degrees}


def irreps(muls: Muls) -> str:
    """As e3nn writes them.

    >>> irreps(muls_of((0, 1), 8))
    '8x0e+8x1e'
    """
    return "+".join(f"{mul}x{ir}" for ir, mul in muls.items())


class Mix(nn.Module):
    """A linear map of the channels of each degree."""

    def __init__(self, muls_in: Muls, muls_out: Muls) -> None:
        super().__init__()
        self.weights = nn.ParameterDict({ir: nn.Parameter(torch.randn(muls_in[ir], mul)) for ir, mul in muls_out.items()})

    def forward(self, x: Steerable) -> Steerable:
        """Mixed features, of those degrees that come out."""
        return {ir: x[ir] @ weight / len(weight) ** 0.5 for ir, weight in self.weights.items()}


class AttentionBlock(nn.Module):
    r"""One attention layer (equations 10 and 11 of the paper) and its norm layer. For the edges j -> i and each head,

    .. math:: q_i = W_Q x_i, \qquad (k_{ij}, v_{ij}) = \mathrm{conv}(x_j, r_{ij}), \qquad
              \alpha_{ij} = \mathrm{softmax}_j \langle q_i, k_{ij} \rangle, \qquad
              x'_i = \mathrm{norm}\Big(W_P\big[\textstyle\sum_j \alpha_{ij} v_{ij},\; x_i\big]\Big)

    with norm the layer `NormReLU`, brackets for channels side by side, and inner products divided by the root of the number of
    components of a key (`logits_by_irrep`). The paper adds its self-interaction to the sum; implementations put the features
    beside it and let W_P mix both, as here. Keys and queries have the degrees that the input has: those of the first layer have
    degree 0 alone.
    """

    def __init__(self, before: Muls, after: Muls, irreps_sh: str, config: RunConfig, convolution: type[EdgeConvolution]) -> None:
        super().__init__()
        self.values = {ir: mul // config.channels_div for ir, mul in after.items()}
        self.keys = {ir: mul for ir, mul in self.values.items() if ir in before}
        self.heads = config.heads
        both = {ir: mul + self.keys.get(ir, 0) for ir, mul in self.values.items()}
        self.to_value_key = convolution(irreps(before), irreps_sh, irreps(both), config.num_basis + 1)
        self.to_query = Mix(before, self.keys)
        self.project = Mix({ir: mul + before.get(ir, 0) for ir, mul in self.values.items()}, after)
        self.norm = NormReLU(len(after), config.mul)

    def value_and_logits(self, x: Steerable, edges: Edges) -> tuple[Steerable, Parts]:
        """Values of all edges, and what each degree adds to their logits [edges, heads, 1]."""
        both = self.to_value_key(x, edges)
        value = {ir: part[..., : self.values[ir]] for ir, part in both.items()}
        key = {ir: both[ir][..., self.values[ir] :] for ir in self.keys}
        return value, logits_by_irrep(key, self.to_query(x), edges.target, self.heads)

    def update(self, x: Steerable, value: Steerable, logits: Parts, edges: Edges) -> Steerable:
        """Features after the layer."""
        atoms = len(x["0e"])
        weights = softmax_at_targets(sum_of(logits), edges.target, atoms)
        new = attended(value, weights, edges.target, atoms)
        joined = {ir: torch.cat([part, x[ir]], dim=2) if ir in x else part for ir, part in new.items()}
        return self.norm(self.project(joined))


class SE3Transformer(Layered):
    r"""The SE(3)-Transformer with `num_blocks` attention layers of degrees `ls`, `mul` channels each, and a scalar output.

    After the attention layers, a tensor-field convolution (mean over neighbours, and a self-interaction) makes `mul` times
    `len(ls)` scalars, which are pooled over atoms (`pooling`; the authors have mean and max, sums are ours) and read by two
    linear maps with a relu between them.

    Filters have all degrees J in :math:`|k-l|, ..., k+l`, those of the wrong parity for an inversion too: features turn with a
    molecule but do not keep parity, degrees are labelled 0e, 1e, 2e, ..., and mirror images differ (`mirrored` is False).
    Nothing fades at the cutoff of a radius graph: energies jump where a neighbour crosses it.

    The sides `attention1`, `attention2`, ... are what each degree adds to a layer's logits, [edges, heads, 1] in the order of
    `batch.edge_index`: an order can act through them alone. Zero for all degrees makes attention uniform.

    Raises IndexError for atoms of other elements than those of QM9.
    """

    implementations = tuple(IMPLEMENTATIONS)
    mirrored = False
    place: Tensor

    def __init__(self, config: RunConfig, implementation: str = "fast") -> None:
        super().__init__(len(config.auxiliary))
        self.config = config
        convolution = IMPLEMENTATIONS[implementation]
        self.radial = radial_basis(config)
        self.filters = tuple(range(2 * config.lmax + 1))
        irreps_sh = irreps(muls_of(self.filters, 1))
        inputs, hidden = {"0e": len(ELEMENTS) + 1}, muls_of(config.ls, config.mul)
        scalars = {"0e": config.mul * len(config.ls)}
        blocks = [(f"block{k}", irreps(hidden)) for k in range(1, config.num_blocks + 1)]
        self.layers = (
            Layer("embedding", irreps(inputs), editable=False),
            *(Layer(*block) for block in blocks),
            Layer("convolution", irreps(scalars)),
        )
        self.blocks = nn.ModuleList(
            AttentionBlock(hidden if k else inputs, hidden, irreps_sh, config, convolution) for k in range(config.num_blocks)
        )
        self.sides = tuple(
            Side(f"attention{k}", tuple(block.keys), "edges heads 1") for k, block in enumerate(self._attention_blocks(), start=1)
        )
        self.convolution = convolution(irreps(hidden), irreps_sh, irreps(scalars), config.num_basis + 1)
        self.self_interaction = Mix(hidden, scalars)
        width = scalars["0e"]
        self.readout = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1 + len(config.auxiliary)))
        self.register_buffer("place", element_places(), persistent=False)

    def edges(self, batch: Batch) -> Edges:
        """Harmonics and lengths, the two directions of a pair one after the other."""
        pairs = batch.edge_index.shape[1] // 2
        index = batch.edge_index.unflatten(1, (2, pairs)).transpose(1, 2).flatten(1)
        vectors = edge_vectors(batch.pos, index)
        lengths = vectors[::2].norm(dim=1)
        invariants = torch.cat([self.radial(lengths), lengths[:, None]], dim=1)
        directions = Attributes(harmonics(vectors, self.filters, normalization="component"))
        return Edges(index[0], index[1], directions, invariants)

    def embed(self, batch: Batch) -> Steerable:
        """A one-hot vector of the element, and the atomic number over ten."""
        dtype = next(self.parameters()).dtype
        one_hot = nn.functional.one_hot(self.place[batch.z], len(ELEMENTS)).to(dtype)
        return {"0e": torch.cat([one_hot, batch.z[:, None] / 10], dim=1).to(dtype)[:, None]}

    def step(self, layer: int, x: Steerable, edges: Edges, *, everything: bool) -> Steerable:
        """An attention layer, or the convolution behind the last one."""
        if layer > len(self.blocks):
            messages = self.convolution(x, edges)["0e"]
            sums = messages.new_zeros(len(x["0e"]), *messages.shape[1:]).index_add(0, edges.target, messages)
            neighbours = counts(edges.target, len(sums), sums).clamp(min=1)
            return {"0e": sums / neighbours[:, None, None] + self.self_interaction(x)["0e"]}
        block = self._attention_blocks()[layer - 1]
        value, logits = block.value_and_logits(x, edges)
        if self._side_edit is not None:
            logits = {ir: as_batch(part) for ir, part in logits.items()}
            logits |= self._side_edit(f"attention{layer}", logits)
            logits = {ir: as_edges(part) for ir, part in logits.items()}
        return block.update(x, value, logits, edges)

    def read(self, x: Steerable, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        """Outputs from the pooled scalars."""
        return self.readout(pooled(x["0e"][:, 0], batch, self.config.pooling))

    def split(self, layer: int, x: Steerable) -> Parts:
        """Features with channels before components."""
        return {ir: part.transpose(1, 2) for ir, part in x.items()}

    def join(self, parts: Parts) -> Steerable:
        """Features with channels last."""
        return {ir: part.transpose(1, 2) for ir, part in parts.items()}

    def attention(self, batch: Batch) -> dict[str, Float[Tensor, "edges heads"]]:
        """Attention weights of every layer, in the order of `batch.edge_index`; those of the edges into an atom add up to one."""
        target, atoms = batch.edge_index[1], len(batch.z)
        return {name: softmax_at_targets(sum_of(parts), target, atoms) for name, parts in self.side_parts(batch).items()}

    def block_paths(self) -> list[BlockPath]:
        """Every path of the layers' convolutions, keys and values together."""
        found = []
        for block, convolution in enumerate(self._convolutions(), start=1):
            ends = torch.tensor(convolution.sizes).cumsum(0).tolist()
            for path, size, end in zip(convolution.lifting.paths, convolution.sizes, ends, strict=True):
                irs = (convolution.irreps_in[path.place_in], convolution.irreps_sh[path.place_attribute])
                l1, l2, l3 = (each.ir.l for each in (*irs, convolution.irreps_out[path.place_out]))
                found.append(BlockPath(block, l1, l2, l3, slice(end - size, end)))
        return found

    def path_weight(self, block: int) -> nn.Parameter:
        """The last matrix of a layer's radial network, [32, weights]."""
        return self._convolutions()[block - 1].weight

    def _convolutions(self) -> list[EdgeConvolution]:
        return [*(block.to_value_key for block in self._attention_blocks()), self.convolution]

    def _attention_blocks(self) -> list[AttentionBlock]:
        return [cast(AttentionBlock, block) for block in self.blocks]


def sum_of(logits: Parts) -> Float[Tensor, "edges heads"]:
    """Logits from what each degree adds to them."""
    return torch.stack([part[..., 0] for part in logits.values()]).sum(0)


def as_batch(x: Float[Tensor, "edges *rest"]) -> Float[Tensor, "edges *rest"]:
    """From the order of `Edges` to that of `batch.edge_index`."""
    return x.unflatten(0, (-1, 2)).transpose(0, 1).flatten(0, 1)


def as_edges(x: Float[Tensor, "edges *rest"]) -> Float[Tensor, "edges *rest"]:
    """Inverse of `as_batch`."""
    return x.unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1)
