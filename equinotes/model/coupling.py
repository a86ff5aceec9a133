"""Clebsch-Gordan coefficients and harmonics folded together, once per batch, into small matrices that all blocks share.

For an edge of direction r, output order l3 and a group of input orders, the matrix

    M_e[(m3, p), m1] = a * sum_m2 CG(p)[m2, m3, m1] Y_l2(p)(r_e)[m2]

turns the source's features [m1, u] into the products [m3, (p, u)] of all paths p = (l1, l2) -> l3: ready to meet the weights
[(p, u), v] in one product.
"""

from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor

from equinotes.data.batches import Batch
from equinotes.model.basis import bessel, edge_vectors, harmonics
from equinotes.model.paths import Path, clebsch_gordan, path_norm, paths

GROUP_COMPONENTS = 16
"""Input orders are taken together up to so many components: fewer and larger products, at the price of multiplying zeros."""


@dataclass(frozen=True)
class Term:
    """One batched product of a convolution: from a group of input orders to one output order."""

    l3: int
    group: slice
    """The components of the input orders."""
    paths: tuple[Path, ...]
    positions: tuple[int, ...]
    """Where e3nn has these paths among all."""
    norm: float
    """e3nn's factor of these paths."""


def input_groups(ls: tuple[int, ...]) -> list[tuple[tuple[int, ...], slice]]:
    """Neighbouring orders taken together while they have at most GROUP_COMPONENTS components, and those components.

    >>> input_groups((0, 1, 2, 3, 4))
    [((0, 1, 2, 3), slice(0, 16, None)), ((4,), slice(16, 25, None))]
    """
    groups: list[list[int]] = []
    for l in ls:
        if groups and sum(2 * k + 1 for k in [*groups[-1], l]) <= GROUP_COMPONENTS:
            groups[-1].append(l)
        else:
            groups.append([l])
    bounds = accumulate((sum(2 * l + 1 for l in group) for group in groups), initial=0)
    return [(tuple(group), slice(*where)) for group, where in zip(groups, pairwise(bounds), strict=True)]


def terms(ls: tuple[int, ...], ls_out: tuple[int, ...], mul_in: int) -> list[Term]:
    """The products that make up a convolution from `ls` with harmonics of the same orders to `ls_out`."""
    every = paths(ls, ls, ls_out)
    found = []
    for l3 in ls_out:
        norm = path_norm(l3, sum(path.l3 == l3 for path in every), mul_in)
        for group, where in input_groups(ls):
            chosen = [(k, path) for k, path in enumerate(every) if path.l3 == l3 and path.l1 in group]
            if chosen:
                positions, some = zip(*chosen, strict=True)
                found.append(Term(l3, where, some, positions, norm))
    return found


@dataclass(frozen=True)
class Geometry:
    """What the blocks need to know about a batch; both directions of a bond lie next to each other."""

    source: Int[Tensor, " edges"]
    """Atom where a message starts; edges = 2 bonds, ordered bond by bond."""
    target: Int[Tensor, " edges"]
    """Atom where it arrives."""
    basis: Float[Tensor, "bonds basis"]
    """Bessel functions of the bond lengths."""
    sh: Float[Tensor, "edges components"]
    """Spherical harmonics of the edge directions."""
    example: Int[Tensor, " elements"]
    """One atom of each element of the batch."""
    is_element: Float[Tensor, "bonds 2 elements"]
    """Whether a direction's source is of an element (1) or not (0)."""
    matrices: dict[tuple[int, int], Float[Tensor, "edges rows components_in"]]
    """M_e by output order and first input component, without degree norm and radial norm."""


def geometry(batch: Batch, ls: tuple[int, ...], mul: int, num_basis: int, cutoff: float) -> Geometry:
    """Everything about a batch that does not depend on weights. Gradients do not flow to positions."""
    with torch.no_grad():
        bonds = batch.edge_index.shape[1] // 2
        forward = batch.edge_index[:, :bonds]
        source, target = (torch.stack([ends, others], dim=1).flatten() for ends, others in (forward, forward.flip(0)))
        vectors = edge_vectors(batch.pos, forward)
        sh = _both_directions(harmonics(vectors, ls), ls)
        elements, kind = torch.unique(batch.z, return_inverse=True)
        example = torch.zeros_like(elements).scatter_(0, kind, torch.arange(len(kind), device=kind.device))
        is_element = torch.nn.functional.one_hot(kind[source].view(bonds, 2), len(elements)).to(sh.dtype)
        matrices = {(term.l3, term.group.start): coupling(term, ls, sh) for term in terms(ls, ls, mul)}
        return Geometry(source, target, bessel(vectors.norm(dim=1), num_basis, cutoff), sh, example, is_element, matrices)


def _both_directions(sh: Float[Tensor, "bonds components"], ls: tuple[int, ...]) -> Float[Tensor, "edges components"]:
    """Harmonics of r and of -r in turn: Y_l(-r) = (-1)^l Y_l(r)."""
    parity = torch.cat([sh.new_full((2 * l + 1,), (-1.0) ** l) for l in ls])
    return torch.stack([sh, sh * parity], dim=1).flatten(0, 1)


def coupling(term: Term, ls: tuple[int, ...], sh: Float[Tensor, "edges components"]) -> Float[Tensor, "edges rows components_in"]:
    """M_e of one term; rows are (m3, path)."""
    where = dict(zip(ls, o3.Irreps([(1, (l, 1)) for l in ls]).slices(), strict=True))
    width = term.group.stop - term.group.start
    matrix = sh.new_zeros(len(sh), 2 * term.l3 + 1, len(term.paths), width)
    for p, path in enumerate(term.paths):
        cg = clebsch_gordan(path, sh.dtype).to(sh.device)
        columns = slice(where[path.l1].start - term.group.start, where[path.l1].stop - term.group.start)
        matrix[:, :, p, columns] = (sh[:, where[path.l2]] @ (term.norm * cg).flatten(1)).view(len(sh), *cg.shape[1:])
    return matrix.flatten(1, 2)
