"""PaiNN (Schuett et al., arXiv 2102.03150): scalars and vectors that the network makes itself, without tensor products."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import silu

from equinotes.bases import radial_basis
from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.layers.cutoff import polynomial_cutoff
from equinotes.layers.edge_vectors import edge_vectors
from equinotes.layers.elements import ELEMENTS, element_places
from equinotes.layers.vectors import VectorLinear
from equinotes.networks.base import Layer, Layered, Parts


class Features(NamedTuple):
    """Scalars and vectors of every atom."""

    scalars: Float[Tensor, "atoms mul"]
    vectors: Float[Tensor, "atoms mul 3"]


class Edges(NamedTuple):
    """What every block needs to know about a batch's edges."""

    source: Int[Tensor, " edges"]
    target: Int[Tensor, " edges"]
    directions: Float[Tensor, "edges 3"]
    basis: Float[Tensor, "edges basis"]
    """Radial functions times the envelope."""
    envelope: Float[Tensor, " edges"]


class Block(nn.Module):
    r"""A message and an update (equations 7 to 10 of the paper), with products channel by channel and W(r) linear in the basis:

    .. math:: \Delta s_i &= \sum_j \varphi_s(s_j) W_s, \qquad
              \Delta v_i = \sum_j v_j\, \varphi_{vv}(s_j) W_{vv} + \hat r_{ij}\, \varphi_{vs}(s_j) W_{vs} \\
              \Delta s_i &= a_{ss} + a_{sv} \langle U v_i, V v_i \rangle, \qquad \Delta v_i = a_{vv} U v_i

    where the a are functions of s and of the lengths of V v.
    """

    def __init__(self, mul: int, num_basis: int) -> None:
        super().__init__()
        self.of_source = nn.Sequential(nn.Linear(mul, mul), nn.SiLU(), nn.Linear(mul, 3 * mul))
        self.filters = nn.Linear(num_basis + 1, 3 * mul, bias=False)  # the last function is the envelope: a constant's bias
        self.mix_u, self.mix_v = VectorLinear(mul, mul), VectorLinear(mul, mul)
        self.of_own = nn.Sequential(nn.Linear(2 * mul, mul), nn.SiLU(), nn.Linear(mul, 3 * mul))

    def forward(self, x: Features, edges: Edges) -> Features:
        """Features after the block."""
        s, v = self.message(x, edges)
        u, w = self.mix_u(v), self.mix_v(v)
        lengths = (w.square().sum(2) + 1e-8).sqrt()  # a slope at zero
        keep, cross, turn = self.of_own(torch.cat([s, lengths], dim=1)).chunk(3, dim=1)
        return Features(s + keep + cross * (u * w).sum(2), v + turn[:, :, None] * u)

    def message(self, x: Features, edges: Edges) -> Features:
        """Features with the messages of the neighbours added."""
        filters = self.filters(torch.cat([edges.basis, edges.envelope[:, None]], dim=1))
        scalars, along, turn = (self.of_source(x.scalars)[edges.source] * filters).chunk(3, dim=1)
        vectors = turn[:, :, None] * x.vectors[edges.source] + along[:, :, None] * edges.directions[:, None]
        return Features(x.scalars.index_add(0, edges.target, scalars), x.vectors.index_add(0, edges.target, vectors))


class PaiNN(Layered):
    """PaiNN with `num_blocks` blocks of `mul` scalars and as many vectors, and a sum over atoms of a function of the scalars.

    Vectors are l = 1 alone. What they say of angles goes through dot products of an atom's own vectors, so that neighbours whose
    sum of directions vanishes are seen by their number and distances alone.
    """

    place: Tensor

    def __init__(self, config: RunConfig, implementation: str = "fast") -> None:
        super().__init__(len(config.auxiliary))
        self.config = config
        both = f"{config.mul}x0e+{config.mul}x1o"
        blocks = [Layer(f"block{k}", both) for k in range(1, config.num_blocks + 1)]
        self.layers = (Layer("embedding", f"{config.mul}x0e", editable=False), *blocks)
        self.radial = radial_basis(config)
        self.embedding = nn.Embedding(len(ELEMENTS), config.mul)
        self.blocks = nn.ModuleList(Block(config.mul, config.num_basis) for _ in range(config.num_blocks))
        self.readout_hidden = nn.Linear(config.mul, max(1, config.mul // 2))
        self.readout = nn.Linear(max(1, config.mul // 2), 1 + len(config.auxiliary))
        self.register_buffer("place", element_places(), persistent=False)

    def edges(self, batch: Batch) -> Edges:
        """Directions and radial functions of the edges, computed once for all blocks."""
        source, target = batch.edge_index
        vectors = edge_vectors(batch.pos, batch.edge_index)
        lengths = vectors.norm(dim=1)
        envelope = polynomial_cutoff(lengths, self.config.cutoff)
        return Edges(source, target, vectors / lengths[:, None], self.radial(lengths) * envelope[:, None], envelope)

    def embed(self, batch: Batch) -> Features:
        """A vector of numbers for each element, and no vectors in space."""
        scalars = self.embedding(self.place[batch.z])
        return Features(scalars, scalars.new_zeros(*scalars.shape, 3))

    def step(self, layer: int, x: Features, edges: Edges, *, everything: bool) -> Features:
        """One block."""
        return self.blocks[layer - 1](x, edges)

    def read(self, x: Features, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        """Outputs from the last block's scalars."""
        atoms = self.readout(silu(self.readout_hidden(x.scalars)))
        return atoms.new_zeros(batch.num_molecules, atoms.shape[1]).index_add(0, batch.molecule, atoms)

    def split(self, layer: int, x: Features) -> Parts:
        """Scalars, and vectors behind the blocks."""
        scalars = {"0e": x.scalars[:, :, None]}
        return scalars | ({"1o": x.vectors} if layer else {})

    def join(self, parts: Parts) -> Features:
        """Undo `split`."""
        scalars = parts["0e"][:, :, 0]
        return Features(scalars, parts.get("1o", scalars.new_zeros(*scalars.shape, 3)))
