"""NequIP (Batzner et al., arXiv 2101.03164): per-channel tensor products, self-connections by element, gates."""

from itertools import pairwise
from typing import NamedTuple, cast

import torch
from e3nn import o3
from e3nn.nn import Gate
from jaxtyping import Float, Int
from torch import Tensor, nn

from equinotes.bases import radial_basis
from equinotes.bases.harmonics import harmonics
from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.irreps import irreps_of
from equinotes.layers.constants import leave_out_of_state_dict
from equinotes.layers.cutoff import polynomial_cutoff
from equinotes.layers.depthwise import Depthwise, DepthwiseConvolution, Edges, PlainDepthwiseConvolution
from equinotes.layers.edge_vectors import edge_vectors
from equinotes.layers.elements import ELEMENTS, ElementLinear, element_places
from equinotes.layers.many_body import ManyBody
from equinotes.networks.base import BlockPath, Layer, Layered

IMPLEMENTATIONS: dict[str, type[Depthwise]] = {"fast": DepthwiseConvolution, "e3nn": PlainDepthwiseConvolution}
EVEN, ODD = torch.nn.functional.silu, torch.tanh
"""Activations of scalars that an inversion keeps (0e, and the gates), and of those whose sign it changes (0o)."""


class Atoms(NamedTuple):
    """What every layer needs to know about a batch."""

    edges: Edges
    element: Int[Tensor, " atoms"]
    """Place of each atom's element in ELEMENTS."""


class Interaction(nn.Module):
    r"""One interaction block (figure 1 of the paper), with linear maps L and the self-connection S of the atom's element z:

    .. math:: x'_i = \mathrm{gate}\Big(S_{z_i} x_i
              + L_2 \frac1d \sum_{j \to i} (L_1 x_j) \otimes_{w(|r_{ij}|)} Y(\hat r_{ij})\Big)
    """

    def __init__(
        self, irreps_in: str, irreps_sh: str, irreps_out: str, convolution: type[Depthwise], num_basis: int, degree_norm: float
    ) -> None:
        super().__init__()
        self.gate = gate_into(irreps_out)
        before_gate = str(self.gate.irreps_in)
        self.linear_1 = o3.Linear(irreps_in, irreps_in)
        self.convolution = convolution(irreps_in, irreps_sh, before_gate, num_basis, degree_norm)
        self.linear_2 = o3.Linear(self.convolution.irreps_out, before_gate)
        self.self_connection = ElementLinear(irreps_in, before_gate, len(ELEMENTS))
        for part in (self.gate, self.linear_1, self.linear_2):
            leave_out_of_state_dict(part)

    def forward(self, x: Float[Tensor, "atoms irreps_in"], atoms: Atoms) -> Float[Tensor, "atoms irreps_out"]:
        """Features after the block."""
        messages = self.linear_2(self.convolution(self.linear_1(x), atoms.edges))
        return self.gate(self.self_connection(x, atoms.element) + messages)


class NequIP(Layered):
    """NequIP with `num_blocks` interaction blocks of `mul` channels of every irrep; the last block puts out scalars (0e) alone.

    Orders and parities are `ls` and `parity`: an inner block has those of them that a path reaches. Distances enter by
    `num_basis` radial functions (fixed, not trained; the authors' are Bessel functions) times a polynomial cutoff, and a radial
    network with two hidden layers. With a `body_order` above 2 a many-body product follows each block. Outputs are sums over
    atoms of two linear maps of the last scalars. Raises IndexError for atoms of other elements than those of QM9.
    """

    implementations = tuple(IMPLEMENTATIONS)
    place: Tensor

    def __init__(self, config: RunConfig, implementation: str = "fast") -> None:
        super().__init__(len(config.auxiliary))
        self.config = config
        self.radial = radial_basis(config)
        irreps_sh = irreps_of(config.ls, 1)
        irreps = layer_irreps(config)
        self.layers = tuple(Layer(f"block{k}" if k else "embedding", each, editable=bool(k)) for k, each in enumerate(irreps))
        self.embedding = nn.Embedding(len(ELEMENTS), config.mul)
        convolution = IMPLEMENTATIONS[implementation]
        self.blocks = nn.ModuleList(
            Interaction(before, irreps_sh, after, convolution, config.num_basis, config.degree_norm)
            for before, after in pairwise(irreps)
        )
        self.products = nn.ModuleList(ManyBody(after, config.body_order) for after in irreps[1:] if config.body_order > 2)
        hidden = f"{max(1, config.mul // 2)}x0e"
        self.readout = nn.Sequential(o3.Linear(irreps[-1], hidden), o3.Linear(hidden, f"{1 + len(config.auxiliary)}x0e"))
        leave_out_of_state_dict(self.readout)
        self.register_buffer("place", element_places(), persistent=False)

    def edges(self, batch: Batch) -> Atoms:
        """Harmonics, radial basis and elements of a batch, computed once for all blocks."""
        vectors = edge_vectors(batch.pos, batch.edge_index)
        lengths = vectors.norm(dim=1)
        basis = self.radial(lengths)
        envelope = polynomial_cutoff(lengths, self.config.cutoff)
        sh = harmonics(vectors, self.config.ls, normalization="component")
        source, target = batch.edge_index
        return Atoms(Edges(source, target, sh, basis * envelope[:, None]), self.place[batch.z])

    def embed(self, batch: Batch) -> Tensor:
        """A vector of each element."""
        return self.embedding(self.place[batch.z])

    def step(self, layer: int, x: Tensor, edges: Atoms, *, everything: bool) -> Tensor:
        """One interaction block, and the product behind it."""
        new = self.blocks[layer - 1](x, edges)
        return self.join(self.products[layer - 1](self.split(layer, new))) if self.products else new

    def read(self, x: Tensor, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        """Outputs from the last block's scalars."""
        atoms = self.readout(x)
        return atoms.new_zeros(batch.num_molecules, atoms.shape[1]).index_add(0, batch.molecule, atoms)

    def block_paths(self) -> list[BlockPath]:
        """Every path of every block's tensor product, with its place among the block's weights; l alone, without parity."""
        mul, found = self.config.mul, []
        convolutions = [cast(Interaction, block).convolution for block in self.blocks]
        for block, convolution in enumerate(convolutions, start=1):
            for k, path in enumerate(convolution.paths):
                l1, l2 = convolution.irreps_in[path.place_in].ir.l, convolution.irreps_sh[path.place_sh].ir.l
                found.append(BlockPath(block, l1, l2, path.ir_out.l, slice(k * mul, (k + 1) * mul)))
        return found

    def path_weight(self, block: int) -> nn.Parameter:
        """The last matrix of a block's radial network, [64, weights]."""
        return self.get_parameter(f"blocks.{block - 1}.convolution.radial.layer2.weight")


def layer_irreps(config: RunConfig) -> list[str]:
    """Irreps of the embedding and after every block: those of `ls` and `parity` that a path reaches, and 0e after the last.

    >>> layer_irreps(RunConfig(network="nequip", ls=(0, 1), mul=4, num_blocks=4, parity="all"))
    ['4x0e', '4x0e+4x1o', '4x0e+4x1o+4x1e', '4x0e+4x0o+4x1o+4x1e', '4x0e']
    """
    signs = (1,) if config.parity == "natural" else (1, -1)
    wanted = [o3.Irrep(l, sign * (-1) ** l) for l in config.ls for sign in signs]
    layers = [f"{config.mul}x0e"]
    for _ in range(config.num_blocks - 1):
        before = [ir for _, ir in o3.Irreps(layers[-1])]
        reached = {ir for one in before for l in config.ls for ir in one * o3.Irrep(l, (-1) ** l)} | set(before)
        layers.append("+".join(f"{config.mul}x{ir}" for ir in wanted if ir in reached))
    return [*layers, f"{config.mul}x0e"]


def gate_into(irreps: str) -> Gate:
    """The gate that puts out these irreps: 0e pass through silu, 0o through tanh, every channel of l > 0 is multiplied by a
    scalar (0e, through silu) of its own.
    """
    scalars = o3.Irreps([each for each in o3.Irreps(irreps) if each.ir.l == 0])
    gated = o3.Irreps([each for each in o3.Irreps(irreps) if each.ir.l > 0])
    gates = o3.Irreps([(gated.num_irreps, "0e")]) if gated else o3.Irreps([])
    acts = [EVEN if each.ir.p == 1 else ODD for each in scalars]
    return Gate(scalars, acts, gates, [EVEN] * len(gates), gated)
