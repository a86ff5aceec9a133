"""Functions that are not invariant, averaged over rotations: a finite group, random ones, or a molecule's own axes.

The function is the simplest one that sees all products of two densities: the square of a random combination of all components,

    f_k(i) = (sum_{c, l, m} w_k[c, lm] A_i[c, lm])^2.

Its mean over all rotations (`limit`) is a combination of power spectra. A product of orders l and l' holds orders up to l + l',
so that the mean over a group is exact where 2 lmax is below the group's first invariant: lmax = 1 for T and O, 2 for I.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor

from equinotes.bases.density import RADIAL, Radial, by_element, density, neighbours, weights
from equinotes.bases.groups import random_rotations, rotations
from equinotes.data.batches import Batch
from equinotes.data.frames import principal_rotations


def turned(batch: Batch, function: Callable[[Batch], Tensor], turns: Float[np.ndarray, "rotations 3 3"]) -> Tensor:
    """The mean of any function of a batch over rotations of its molecules: a network that is not equivariant, made nearly so."""
    return torch.stack([function(batch.rotated(np.array(turn))) for turn in turns]).mean(0)


def averaged(
    batch: Batch, radial: Radial = RADIAL, lmax: int = 4, turns: str = "all", count: int = 48, seed: int = 0
) -> Float[Tensor, "molecules columns"]:
    """Squares of random combinations, averaged over rotations: `count` columns for each element of the centre.

    `turns` is a group (one, D2, T, O, I), "random12" for as many random rotations, "principal" for the four frames of the
    molecule's principal axes (frame averaging, Puny et al., arXiv 2110.03336), or "all" for the exact mean over all rotations.
    """
    if turns == "principal":
        turn = principal_rotations(batch).to(batch.pos)
        batch, turns = replace(batch, pos=torch.einsum("nij,nj->ni", turn[batch.molecule], batch.pos)), "D2"
    near = neighbours(batch, radial)
    ls = list(range(lmax + 1))
    angular = o3.spherical_harmonics(ls, near.vectors, normalize=True, normalization="integral")
    values = density(near, angular, len(batch.z))
    w = weights((count, *values.shape[1:]), seed, values)
    if turns == "all":
        return _limit(batch, values, w, ls)
    matrices = random_rotations(int(turns.removeprefix("random")), seed) if turns.startswith("random") else rotations(turns)
    D = _wigner(matrices, lmax).to(values)
    # summed rotation by rotation, so that one block stays in memory
    flat = values.flatten(1)

    def columns(element: int, atoms: Tensor) -> Tensor:
        total = flat.new_zeros(len(atoms), count)
        for one in D:
            total += (flat[atoms] @ (w[element] @ one).flatten(1).T).square()
        return total / len(D)

    return by_element(batch, columns)


def _limit(batch: Batch, values: Tensor, w: Tensor, ls: list[int]) -> Tensor:
    """The mean over all rotations: that of D_mn D_m'n' is the identity over 2l+1, by orthogonality."""

    def columns(element: int, atoms: Tensor) -> Tensor:
        total = values.new_zeros(len(atoms), w.shape[1])
        for l in ls:
            part = slice(l * l, (l + 1) ** 2)
            mixed = torch.einsum("kcm,acn->akmn", w[element, :, :, part], values[atoms, :, part])
            total += mixed.square().sum((2, 3)) / (2 * l + 1)
        return total

    return by_element(batch, columns)


def _wigner(turns: Float[np.ndarray, "rotations 3 3"], lmax: int) -> Float[Tensor, "rotations components components"]:
    """D of the orders 0 to lmax, block by block, in float64: Y(R r) = D(R) Y(r) fitted at generic points."""
    points = torch.randn(4 * (lmax + 1) ** 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ls = list(range(lmax + 1))
    before = o3.spherical_harmonics(ls, points, True, "integral")
    after = [o3.spherical_harmonics(ls, points @ torch.tensor(turn).T, True, "integral") for turn in turns]
    D = torch.zeros(len(turns), (lmax + 1) ** 2, (lmax + 1) ** 2, dtype=torch.float64)
    for l in ls:
        part = slice(l * l, (l + 1) ** 2)
        for k, some in enumerate(after):
            D[k, part, part] = torch.linalg.lstsq(before[:, part], some[:, part]).solution.T
    return D
