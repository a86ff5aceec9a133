"""Angular power spectra of atoms' neighbours, in three forms that are one: harmonics, Legendre polynomials, Cartesian tensors.

    c_i[k, l] = sum_m |sum_c w_kc A_i[c, lm]|^2 = sum over neighbours j, j' of w_k(j) w_k(j') (2l+1)/(4 pi) P_l(cos jij')

The left side is what one block of a network makes of scalars, squared; the right side is the addition theorem.
"""

from collections.abc import Sequence

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor

from equinotes.bases.cartesian import cartesian
from equinotes.bases.density import RADIAL, Neighbours, Radial, by_element, density, neighbours, shares, weights
from equinotes.data.batches import Batch

ORDERS = (0, 1, 2, 3, 4)
"""Orders where none are given."""


def spectrum(
    batch: Batch, radial: Radial = RADIAL, ls: Sequence[int] = ORDERS, count: int = 48, seed: int = 0
) -> Float[Tensor, "molecules columns"]:
    """Power spectra by spherical harmonics, summed over atoms of each element: `count` columns for each, shared by the orders."""
    near = neighbours(batch, radial)
    angular = o3.spherical_harmonics(list(ls), near.vectors, normalize=True, normalization="integral")
    return _squared(batch, near, angular, ls, [2 * l + 1 for l in ls], count, seed)


def tensors(
    batch: Batch, radial: Radial = RADIAL, ls: Sequence[int] = ORDERS[:3], count: int = 48, seed: int = 0
) -> Float[Tensor, "molecules columns"]:
    """The same by Cartesian tensors, for orders up to 2."""
    near = neighbours(batch, radial)
    return _squared(batch, near, cartesian(near.vectors, ls), ls, [(1, 3, 9)[l] for l in ls], count, seed)


def legendre(
    batch: Batch, radial: Radial = RADIAL, ls: Sequence[int] = ORDERS, count: int = 48, seed: int = 0
) -> Float[Tensor, "molecules columns"]:
    """The same by Legendre polynomials of the angles between all pairs of neighbours."""
    near = neighbours(batch, radial)
    place, degree = _places(near, len(batch.z))
    most = int(degree.max()) if len(near.target) else 1
    unit = torch.nn.functional.normalize(near.vectors, dim=1)
    units = unit.new_zeros(len(batch.z), most, 3).index_put((near.target, place), unit)
    channels = unit.new_zeros(len(batch.z), most, near.channels.shape[1]).index_put((near.target, place), near.channels)
    numbers = shares(count, len(ls))
    w = weights((count, near.channels.shape[1]), seed, unit)

    def columns(element: int, atoms: Tensor) -> Tensor:
        cosine = units[atoms] @ units[atoms].transpose(1, 2)
        mixed = (channels[atoms] @ w[element].T).split(numbers, dim=2)
        polynomials = _polynomials(cosine, max(ls))
        return torch.cat(
            [(2 * l + 1) / (4 * torch.pi) * ((polynomials[l] @ x) * x).sum(1) for l, x in zip(ls, mixed, strict=True)], dim=1
        )

    return by_element(batch, columns)


def _squared(
    batch: Batch, near: Neighbours, angular: Tensor, ls: Sequence[int], dims: Sequence[int], count: int, seed: int
) -> Float[Tensor, "molecules columns"]:
    values = density(near, angular, len(batch.z)).split(list(dims), dim=2)
    numbers = shares(count, len(ls))
    w = weights((count, near.channels.shape[1]), seed, angular)

    def columns(element: int, atoms: Tensor) -> Tensor:
        parts = w[element].split(numbers)
        return torch.cat([(part @ x[atoms]).square().sum(2) for part, x in zip(parts, values, strict=True)], dim=1)

    return by_element(batch, columns)


def _places(near: Neighbours, atoms: int) -> tuple[Tensor, Tensor]:
    """Place of each edge among those of its target, and the number of edges of each atom."""
    order = torch.argsort(near.target, stable=True)
    degree = torch.bincount(near.target, minlength=atoms)
    start = degree.cumsum(0) - degree
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device) - start[near.target[order]]
    return place, degree


def _polynomials(t: Tensor, lmax: int) -> list[Tensor]:
    """Legendre polynomials P_0 to P_lmax by Bonnet's recursion."""
    found = [torch.ones_like(t), t]
    for l in range(1, lmax):
        found.append(((2 * l + 1) * t * found[l] - l * found[l - 1]) / (l + 1))
    return found[: lmax + 1]
