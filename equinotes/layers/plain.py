"""The convolution in plain e3nn: the readable version, against which the fast one is tested.

Features are packed in e3nn's layout: one block per irrep, channel by channel.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from e3nn import o3
from e3nn.nn import FullyConnectedNet
from jaxtyping import Float, Int
from torch import Tensor, nn

from equinotes.bases.harmonics import harmonics
from equinotes.config import MAX_L
from equinotes.data.batches import Batch
from equinotes.layers.constants import leave_out_of_state_dict
from equinotes.layers.edge_vectors import edge_vectors
from equinotes.layers.frames import near_axis


@dataclass(frozen=True)
class Edges:
    """Edges of a batch, as all blocks use them."""

    index: Int[Tensor, "2 edges"]
    """Row 0: source, row 1: target."""
    sh: Float[Tensor, "edges irreps_sh"]
    """Spherical harmonics of the directions."""
    basis: Float[Tensor, "edges basis"]
    """Radial functions of the lengths."""
    kept: dict[int, Float[Tensor, "edges m m"]] = field(default_factory=dict)
    """Projections of source features of each order onto |m| up to m_max about the edge; empty where nothing is left out."""


class Convolution(nn.Module):
    r"""One equivariant convolution over the edges e = (j -> i):

    .. math::

        x'_i = \frac1d \sum_{e = j \to i} x_j \otimes_{w_e} Y(\hat r_e), \qquad
        w_e = W\,\mathrm{silu}(W_0\, b(|r_e|))

    The fully connected tensor product couples every pair of input and harmonics
    irreps to every output irrep that symmetry allows, with one weight per pair of
    channels; a radial network computes the weights of each directed edge from its
    length. Inputs are any irreps, e.g. "64x0e".
    """

    def __init__(
        self,
        irreps_in: str,
        irreps_sh: str,
        irreps_out: str,
        num_basis: int,
        hidden: int,
        degree_norm: float,
    ) -> None:
        super().__init__()
        irreps = irreps_in, irreps_sh, irreps_out
        product = o3.FullyConnectedTensorProduct(*irreps, shared_weights=False)
        leave_out_of_state_dict(product)
        self.tensor_product = product
        widths = [num_basis, hidden, product.weight_numel]
        self.radial = FullyConnectedNet(widths, torch.nn.functional.silu)
        self.degree_norm = degree_norm

    def forward(
        self,
        x: Float[Tensor, "atoms irreps_in"],
        edges: Edges,
        only_scalars: bool = False,
    ) -> Float[Tensor, "atoms irreps_out"]:
        """Messages from sources, summed at targets, divided by the degree norm.

        All outputs are computed, `only_scalars` or not.
        """
        source, target = edges.index
        messages = self.messages(x[source], edges)
        sums = messages.new_zeros(len(x), messages.shape[-1])
        return sums.index_add(0, target, messages) / self.degree_norm

    def messages(
        self,
        sources: Float[Tensor, "edges irreps_in"],
        edges: Edges,
    ) -> Float[Tensor, "edges irreps_out"]:
        """Source features times harmonics, weighted by the length of each edge."""
        return self.tensor_product(sources, edges.sh, self.radial(edges.basis))


class NearAxis(Convolution):
    """A convolution that leaves out components of large |m| about an edge from its messages, as `edges.kept` says."""

    def messages(
        self,
        sources: Float[Tensor, "edges irreps_in"],
        edges: Edges,
    ) -> Float[Tensor, "edges irreps_out"]:
        """As without: coupling to the harmonics of the edge keeps m, so that projected sources make projected messages."""
        irreps = self.tensor_product.irreps_in1
        parts = [
            sources[:, where].unflatten(1, (block.mul, block.ir.dim)) @ edges.kept[block.ir.l]
            for block, where in zip(irreps, irreps.slices(), strict=True)
        ]
        return super().messages(torch.cat([part.flatten(1) for part in parts], dim=1), edges)


class Reference:
    """What a network needs of this convolution (counterpart of `convolution.Fast`).

    `first` and `inner` are the classes of the first block, which takes scalars, and of the others.
    """

    first = Convolution

    def __init__(self, ls: tuple[int, ...], mul: int, radial: Callable[[Tensor], Tensor], m_max: int = MAX_L) -> None:
        self.ls, self.radial, self.m_max = ls, radial, m_max
        self.inner = NearAxis if m_max < ls[-1] else Convolution

    @staticmethod
    def embed(embedded: Float[Tensor, "atoms mul"]) -> Float[Tensor, "atoms mul"]:
        """Scalars in this feature layout: unchanged."""
        return embedded

    def edges(self, batch: Batch) -> Edges:
        """Harmonics and radial basis of a batch, computed once for all blocks."""
        vectors = edge_vectors(batch.pos, batch.edge_index)
        kept = near_axis(vectors, self.ls, self.m_max) if self.inner is NearAxis else {}
        return Edges(batch.edge_index, harmonics(vectors, self.ls), self.radial(vectors.norm(dim=1)), kept)

    @staticmethod
    def split(x: Float[Tensor, "atoms dim"], irreps: str) -> dict[str, Float[Tensor, "atoms mul m"]]:
        """Features as one [atoms, mul, 2l+1] tensor per irrep."""
        blocks = o3.Irreps(irreps)
        return {
            str(block.ir): x[:, where].unflatten(1, (block.mul, block.ir.dim))
            for block, where in zip(blocks, blocks.slices(), strict=True)
        }

    @staticmethod
    def join(parts: dict[str, Float[Tensor, "atoms mul m"]]) -> Float[Tensor, "atoms dim"]:
        """Inverse of `split`."""
        return torch.cat([part.flatten(1) for part in parts.values()], dim=1)
