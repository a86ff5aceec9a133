"""SEGNN (Brandstetter et al., arXiv 2110.02905): messages and updates are steered by attributes of edges and atoms.

Sizes and drawing of weights follow the authors' implementation (Steerable-E3-GNN) with its settings for QM9.
"""

from dataclasses import dataclass

import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor, nn

from equinotes.bases.harmonics import harmonics
from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.irreps import irreps_of
from equinotes.layers.edge_vectors import edge_vectors
from equinotes.layers.elements import ELEMENTS, element_places
from equinotes.layers.instance_norm import InstanceNorm
from equinotes.layers.pooling import counts, pooled
from equinotes.layers.steerable import Attributes, FastProduct, Gated, PlainProduct, Product, Steerable, packed, unpacked
from equinotes.networks.base import Layer, Layered, Parts

IMPLEMENTATIONS: dict[str, type[Product]] = {"fast": FastProduct, "e3nn": PlainProduct}


@dataclass
class Graph:
    """What every layer needs to know about a batch."""

    batch: Batch
    source: Int[Tensor, " edges"]
    target: Int[Tensor, " edges"]
    directions: Attributes
    """Spherical harmonics of the edges' directions."""
    squares: Float[Tensor, "edges 1 1"]
    """Squared lengths [Angstrom^2]."""
    atoms: Attributes
    """Attributes of the atoms; `SEGNN.step` puts those of layer 0 here, which may have been edited."""


class MessageLayer(nn.Module):
    r"""One layer (equations 8 and 9 of the paper). With a tilde for a product with attributes, of edges in messages
    (M: both gated) and of atoms in updates (U: the first gated, the second plain), and norm for the instance norm:

    .. math:: m_{ij} = \tilde M_2\, \tilde M_1(x_i, x_j, |r_{ij}|^2), \qquad
              x'_i = \mathrm{norm}\Big(x_i + \tilde U_2\, \tilde U_1(x_i, \textstyle\sum_j m_{ij})\Big)
    """

    def __init__(self, config: RunConfig, product: type[Product]) -> None:
        super().__init__()
        hidden, attributes = irreps_of(config.ls, config.mul), irreps_of(orders(config), 1)
        two = irreps_of(config.ls, 2 * config.mul)
        with_length = two.replace(f"{2 * config.mul}x0e", f"{2 * config.mul + 1}x0e")
        self.message_1 = Gated(with_length, attributes, hidden, product)
        self.message_2 = Gated(hidden, attributes, hidden, product)
        self.update_1 = Gated(two, attributes, hidden, product)
        self.update_2 = product(hidden, attributes, hidden)
        self.norm = InstanceNorm(hidden)

    def forward(self, x: Steerable, graph: Graph) -> Steerable:
        """Features after the layer."""
        ends = {ir: [part.index_select(0, at) for at in (graph.target, graph.source)] for ir, part in x.items()}
        ends["0e"].append(graph.squares)
        pairs = {ir: torch.cat(parts, dim=2) for ir, parts in ends.items()}
        messages = self.message_2(self.message_1(pairs, graph.directions), graph.directions)
        sums = {ir: torch.zeros_like(x[ir]).index_add(0, graph.target, part) for ir, part in messages.items()}
        joined = {ir: torch.cat([part, sums[ir]], dim=2) for ir, part in x.items()}
        change = self.update_2(self.update_1(joined, graph.atoms), graph.atoms)
        return self.norm({ir: part + change[ir] for ir, part in x.items()}, graph.batch)


class SEGNN(Layered):
    r"""SEGNN with `num_blocks` message layers of `mul` channels of every order of `ls`, in natural parity.

    Attributes of an edge are the spherical harmonics of its direction up to `attribute_lmax`, those of an atom their mean over
    its edges; an atom without edges has the attribute 1 (0e) alone. The squares of an order sum to 2l + 1 over its components,
    where the authors' implementation has harmonics smaller by the root of 4 pi. The embedding multiplies a one-hot vector of the
    element with them, so that features of l > 0 are there before any message. After the layers come a gated and a plain product
    that make scalars, a pooling over atoms (the authors' is the mean), and two maps of the molecule's scalars.

    The atoms' attributes are the first of the layers, for an order that is taken out of the features can come back through them:
    an edit there is what all later products see. Attributes of edges stay as they are.

    Messages are summed without regard to distance: energies jump where a neighbour crosses the cutoff of a radius graph.
    Raises IndexError for atoms of other elements than those of QM9.
    """

    implementations = tuple(IMPLEMENTATIONS)
    place: Tensor

    def __init__(self, config: RunConfig, implementation: str = "fast") -> None:
        super().__init__(len(config.auxiliary))
        self.config = config
        product = IMPLEMENTATIONS[implementation]
        hidden, attributes = irreps_of(config.ls, config.mul), irreps_of(orders(config), 1)
        self.layers = (
            Layer("attributes", attributes),
            Layer("embedding", hidden),
            *(Layer(f"block{k}", hidden) for k in range(1, config.num_blocks + 1)),
            Layer("scalars", f"{config.mul * len(config.ls)}x0e"),
        )
        self.embedding = product(f"{len(ELEMENTS)}x0e", attributes, hidden)
        self.blocks = nn.ModuleList(MessageLayer(config, product) for _ in range(config.num_blocks))
        width = config.mul * len(config.ls)
        self.pre_pool_1 = Gated(hidden, attributes, hidden, product)
        self.pre_pool_2 = product(hidden, attributes, f"{width}x0e")
        self.readout = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1 + len(config.auxiliary)))
        self.register_buffer("place", element_places(), persistent=False)

    def edges(self, batch: Batch) -> Graph:
        """Harmonics and squared lengths of the edges, and attributes of the atoms."""
        source, target = batch.edge_index
        vectors = edge_vectors(batch.pos, batch.edge_index)
        sh = harmonics(vectors, orders(self.config), normalization="component")
        sums = sh.new_zeros(len(batch.z), sh.shape[1]).index_add(0, target, sh)
        means = sums / counts(target, len(sums), sums).clamp(min=1)[:, None]
        atoms = torch.cat([torch.ones_like(means[:, :1]), means[:, 1:]], dim=1)  # without edges, too
        return Graph(batch, source, target, Attributes(sh), vectors.square().sum(1)[:, None, None], Attributes(atoms))

    def embed(self, batch: Batch) -> Steerable:
        """The attributes of the atoms."""
        irreps = o3.Irreps(self.layers[0].irreps)
        parts = unpacked(self.edges(batch).atoms.values, irreps)
        return {str(ir): part for (_, ir), part in zip(irreps, parts, strict=True)}

    def step(self, layer: int, x: Steerable, edges: Graph, *, everything: bool) -> Steerable:
        """The embedding of the elements (from the attributes), a message layer, or the products before the pooling."""
        if layer == len(self.layers) - 1:
            return self.pre_pool_2(self.pre_pool_1(x, edges.atoms), edges.atoms)
        if layer > 1:
            return self.blocks[layer - 2](x, edges)
        edges.atoms = Attributes(packed([*x.values()]))
        one_hot = nn.functional.one_hot(self.place[edges.batch.z], len(ELEMENTS)).to(edges.atoms.values.dtype)
        return self.embedding({"0e": one_hot[:, None]}, edges.atoms)

    def read(self, x: Steerable, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        """Outputs from the pooled scalars."""
        return self.readout(pooled(x["0e"][:, 0], batch, self.config.pooling))

    def split(self, layer: int, x: Steerable) -> Parts:
        """Features with channels before components."""
        return {ir: part.transpose(1, 2) for ir, part in x.items()}

    def join(self, parts: Parts) -> Steerable:
        """Features with channels last."""
        return {ir: part.transpose(1, 2) for ir, part in parts.items()}


def orders(config: RunConfig) -> tuple[int, ...]:
    """Orders of the attributes."""
    return tuple(range(config.attribute_lmax + 1))
