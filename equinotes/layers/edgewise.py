"""Tensor-field convolutions whose messages stay on the edges: every edge has its own weights, made of its length.

With features and paths as in `steerable.py` and e_b the invariants of pair b, the message of edge (j -> i) is

    m[k, m3, v] = c_k sum_p sum_u w_bp[u, v] sum_m1 M_p[m3, m1] x_j[i, m1, u],    w_b = W h(e_b),    c_k^2 = 1 / (number of terms)

Both directions of a pair have the same length, hence the same weights. The sums over u and over the radial network's hidden
units h can be taken in two orders, with the same result:

- at the bonds: the weights of every pair are made first and meet the features of both directions.
- at the atoms: W meets the features of every atom first, y_j = x_j W, and every edge then sums over h alone, h(e_b) y_j. The
  products of an atom serve all of its edges, so that this is less work where atoms have many neighbours.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor, nn

from equinotes.layers.constants import leave_out_of_state_dict
from equinotes.layers.steerable import Attributes, Pair, Steerable, applied, lifting, packed, unpacked

HIDDEN = 32
"""Width of the radial networks."""
MARGIN = 1.25
"""So many times fewer multiplications decide for the atoms, whose table of edges costs copies."""


@dataclass(frozen=True)
class Edges:
    """Edges of a batch. The two directions of pair b are edges 2b and 2b + 1."""

    source: Int[Tensor, " edges"]
    """Atom where a message starts."""
    target: Int[Tensor, " edges"]
    """Atom where it arrives."""
    directions: Attributes
    """Spherical harmonics of the directions."""
    invariants: Float[Tensor, "pairs invariants"]
    """What the weights are made of."""

    @cached_property
    def slots(self) -> "Slots":
        """Edges grouped by the atom where they start; there must be one at least."""
        atoms = int(self.source.max()) + 1
        counts = torch.bincount(self.source, minlength=atoms)
        order = torch.argsort(self.source, stable=True)
        sources, most = self.source[order], int(counts.max())
        of_edge = torch.empty_like(order)
        of_edge[order] = sources * most + torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[sources]
        edge = torch.zeros(atoms * most, dtype=torch.long, device=order.device)
        edge[of_edge] = torch.arange(len(order), device=order.device)
        return Slots(atoms, most, of_edge, edge)


@dataclass(frozen=True)
class Slots:
    """A table of edges with one row per atom, as wide as the most edges that leave an atom."""

    atoms: int
    """Rows: atoms up to the last one that an edge leaves."""
    most: int
    """Columns."""
    of_edge: Int[Tensor, " edges"]
    """Slot of every edge."""
    edge: Int[Tensor, " slots"]
    """Edge of every slot; the first one in slots that are empty."""


class Radial(nn.Sequential):
    """Two hidden layers with layer norms: everything in a radial network but its last matrix."""

    def __init__(self, inputs: int) -> None:
        first, second = nn.Linear(inputs, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        super().__init__(first, nn.LayerNorm(HIDDEN), nn.ReLU(), second, nn.LayerNorm(HIDDEN), nn.ReLU())


class EdgeConvolution(nn.Module):
    """What the fast and the plain convolution share: irreps, the radial network and its last matrix.

    Raises no errors of its own: irreps may have any multiplicities, each irrep once.
    """

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, invariants: int) -> None:
        super().__init__()
        self.irreps_in, self.irreps_sh, self.irreps_out = (o3.Irreps(text) for text in (irreps_in, irreps_sh, irreps_out))
        irreps = (self.irreps_in, self.irreps_sh, self.irreps_out)
        self.lifting = lifting(*(tuple(ir for _, ir in each) for each in irreps))
        muls_in, muls_out = [mul for mul, _ in self.irreps_in], [mul for mul, _ in self.irreps_out]
        self.shapes = [(muls_in[path.place_in], muls_out[path.place_out]) for path in self.lifting.paths]
        self.sizes = [mul_in * mul for mul_in, mul in self.shapes]
        fan_in = [0] * len(muls_out)
        for path, (mul_in, _) in zip(self.lifting.paths, self.shapes, strict=True):
            fan_in[path.place_out] += mul_in
        # the second moment of a normal number after relu is 1/2
        self.scales = [(2 / (HIDDEN * max(1, terms))) ** 0.5 for terms in fan_in]
        self.radial = Radial(invariants)
        self.weight = nn.Parameter(torch.randn(HIDDEN, sum(self.sizes)))
        """Blocks (u, v) of the paths, in e3nn's order."""

    def forward(self, x: Steerable, edges: Edges) -> Steerable:
        """Messages of all edges."""
        found = self.messages([x[str(ir)] for _, ir in self.irreps_in], edges)
        return {str(ir): part * scale for (_, ir), part, scale in zip(self.irreps_out, found, self.scales, strict=True)}

    def messages(self, x: list[Tensor], edges: Edges) -> list[Tensor]:
        """Messages without the factors c, in the order of the irreps."""
        raise NotImplementedError


class Work(NamedTuple):
    """What one pair of irreps has to do in a call."""

    pair: Pair
    lift: Float[Tensor, "edges rows m1"]
    """What lifts its features; rows are (m3, path)."""
    weights: list[Float[Tensor, "hidden uv"]]
    """W of its paths."""
    shape: tuple[int, int]
    """Channels (u, v)."""

    def multiplications(self, atoms: int, edges: int, slots: int) -> tuple[int, int]:
        """Of messages made at the bonds, and of those made at the atoms."""
        paths, (before, after) = len(self.weights), self.shape
        dim_in, dim_out = self.lift.shape[2], self.lift.shape[1] // paths
        at_bonds = edges // 2 * HIDDEN * before * after + edges * dim_out * before * (dim_in + after)
        at_atoms = atoms * dim_in * before * HIDDEN * after + slots * dim_in * after * (HIDDEN + dim_out)
        return paths * at_bonds, paths * at_atoms


class FastEdgeConvolution(EdgeConvolution):
    """Each pair of an input and an output irrep sums in the order that takes clearly fewer multiplications (`MARGIN`)."""

    def messages(self, x: list[Tensor], edges: Edges) -> list[Tensor]:
        zeros = [partial(x[0].new_zeros, len(edges.source), ir.dim, mul) for mul, ir in self.irreps_out]
        if not len(edges.source):
            return [zero() for zero in zeros]
        by_path = self.weight.split(self.sizes, dim=1)
        at_bonds: list[Work] = []
        at_atoms: list[Work] = []
        for pair, lift in zip(self.lifting.pairs, edges.directions.lifted(self.lifting), strict=True):
            work = Work(pair, lift, [by_path[number] for number in pair.paths], self.shapes[pair.paths[0]])
            bonds, atoms = work.multiplications(len(x[0]), len(edges.source), len(edges.slots.edge))
            (at_atoms if MARGIN * atoms < bonds else at_bonds).append(work)
        hidden = self.radial(edges.invariants)
        sums = _at_bonds(at_bonds, x, hidden, edges) if at_bonds else {}
        for place, part in (_at_atoms(at_atoms, x, hidden, edges) if at_atoms else {}).items():
            sums[place] = sums[place] + part if place in sums else part
        return [sums[place] if place in sums else zero() for place, zero in enumerate(zeros)]


def _at_bonds(works: list[Work], x: list[Tensor], hidden: Tensor, edges: Edges) -> dict[int, Tensor]:
    """Sums of messages by output irrep; weights of every pair of atoms meet the features of both directions in one product."""
    weights = hidden @ torch.cat([weight for work in works for weight in work.weights], dim=1)
    by_pair = weights.split([work.weights[0].shape[1] * len(work.weights) for work in works], dim=1)
    sources = {place: x[place].index_select(0, edges.source) for place in {work.pair.place_in for work in works}}
    sums: dict[int, Tensor] = {}
    for work, flat in zip(works, by_pair, strict=True):
        weight = flat.unflatten(1, (-1, work.shape[1]))
        rows = applied(work.lift, sources[work.pair.place_in]).reshape(len(hidden), -1, weight.shape[1])
        before = sums.get(work.pair.place_out)
        sums[work.pair.place_out] = torch.bmm(rows, weight) if before is None else torch.baddbmm(before, rows, weight)
    return {place: part.view(len(edges.source), -1, part.shape[2]) for place, part in sums.items()}


def _at_atoms(works: list[Work], x: list[Tensor], hidden: Tensor, edges: Edges) -> dict[int, Tensor]:
    """The same with W applied to the features of every atom, before its edges sum over the hidden units."""
    slots, sums = edges.slots, dict[int, Tensor]()
    table = hidden.index_select(0, slots.edge // 2).unflatten(0, (slots.atoms, slots.most))
    for work in works:
        weight = torch.stack([each.unflatten(1, work.shape) for each in work.weights], dim=1)  # [hidden, paths, u, v]
        made = x[work.pair.place_in][: slots.atoms] @ weight.permute(2, 0, 1, 3).flatten(1)
        made = made.unflatten(2, (*weight.shape[:2], -1)).permute(0, 2, 3, 1, 4).flatten(2)  # [atoms, hidden, (path, m1, v)]
        rows = torch.bmm(table, made).view(len(slots.edge), -1, work.shape[1])
        lift = work.lift.flatten(1).index_select(0, slots.edge).view(len(rows), -1, rows.shape[1])
        part, place = applied(lift, rows), work.pair.place_out
        sums[place] = sums[place] + part if place in sums else part
    return {place: part.index_select(0, slots.of_edge) for place, part in sums.items()}


class PlainEdgeConvolution(EdgeConvolution):
    """The same by e3nn's fully connected tensor product, with the weights of every directed edge made anew."""

    def __init__(self, irreps_in: str, irreps_sh: str, irreps_out: str, invariants: int) -> None:
        super().__init__(irreps_in, irreps_sh, irreps_out, invariants)
        self.tensor_product = o3.FullyConnectedTensorProduct(
            self.irreps_in,
            self.irreps_sh,
            self.irreps_out,
            path_normalization="none",
            internal_weights=False,
            shared_weights=False,
        )
        leave_out_of_state_dict(self.tensor_product)

    def messages(self, x: list[Tensor], edges: Edges) -> list[Tensor]:
        weights = self.radial(edges.invariants.repeat_interleave(2, dim=0)) @ self.weight
        sources = packed(x).index_select(0, edges.source)
        return unpacked(self.tensor_product(sources, edges.directions.values, weights), self.irreps_out)
