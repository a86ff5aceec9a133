r"""Solid harmonic wavelets of first and second order (Eickenberg et al., J. Chem. Phys. 148, 241732, 2018).

A molecule is a density rho, Gaussians of the atoms' charges. With wavelets psi_jlm, Gaussians of width sigma_j times a solid
harmonic,

.. math:: U_{jl}(r) = \Big(\sum_m |\rho * \psi_{jlm}|^2(r)\Big)^{1/2}, \qquad S_1 = \int U_{jl}^q, \qquad
          S_2 = \int \Big(\sum_m |U_{jl} * \psi_{j'lm}|^2\Big)^{q/2}, \quad j < j'.

For q = 2 and first order the integral is, by Parseval's theorem, a sum over pairs of atoms of functions of their distance: it
sees no angle, for any l. Other q and the second order do.
"""

from collections.abc import Sequence
from functools import cache

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor

from equinotes.data.batches import Batch

POINTS, BOX = 24, 14.0
"""Points along each side of the periodic box, and its length [Angstrom]."""
WIDTHS = tuple(0.7 * 2 ** (j / 2) for j in range(3))
"""Widths sigma_j of the wavelets [Angstrom]; the atoms' Gaussians have the first."""
ORDERS, POWERS = (0, 1, 2, 3), (0.5, 1.0, 2.0, 3.0, 4.0)
CHARGES = {1: (1, 1, 0), 6: (6, 4, 2), 7: (7, 5, 2), 8: (8, 6, 2), 9: (9, 7, 2)}
"""Charge of the nucleus, of the valence and of the core electrons: three densities."""


def wavelets(
    batch: Batch, order: int = 2, powers: Sequence[float] = POWERS, points: int = POINTS, box: float = BOX
) -> Float[Tensor, "molecules columns"]:
    """S_1 of all densities, widths, orders l and powers q; then S_2, unless `order` is 1.

    Molecules are put into the box by their centre of charge; turning one changes the columns by as much as the grid is coarse.
    """
    rows = [_molecule(batch.pos[batch.molecule == k], batch.z[batch.molecule == k], order, tuple(powers), points, box)
            for k in range(batch.num_molecules)]  # fmt: skip
    return torch.stack(rows)


def _molecule(
    pos: Tensor, z: Tensor, order: int, powers: tuple[float, ...], points: int, box: float
) -> Float[Tensor, " columns"]:
    charges = torch.tensor([CHARGES[int(each)] for each in z], dtype=pos.dtype, device=pos.device)
    centred = pos - (charges[:, :1] * pos).sum(0) / charges[:, 0].sum()
    kernels = _kernels(points, box, pos.dtype, pos.device)
    rho = _transformed(centred, charges, points, box)
    volume = (box / points) ** 3
    first, second = [], []
    for l in ORDERS:
        moduli = [_modulus(rho[:, None] * kernels[j][l], points) for j in range(len(WIDTHS))]
        first += [(modulus.pow(q).sum((1, 2, 3)) * volume) for modulus in moduli for q in powers]
        for j, modulus in enumerate(moduli[:-1] if order > 1 else []):
            again = torch.fft.rfftn(modulus, dim=(1, 2, 3))
            for later in range(j + 1, len(WIDTHS)):
                deeper = _modulus(again[:, None] * kernels[later][l], points)
                second += [(deeper.pow(q).sum((1, 2, 3)) * volume) for q in powers]
    return torch.cat(first + second)


def _modulus(transformed: Tensor, points: int) -> Float[Tensor, "densities x y z"]:
    """Root of the sum over m of the squares, in space."""
    return torch.fft.irfftn(transformed, s=(points,) * 3, dim=(2, 3, 4)).square().sum(1).sqrt()


def _frequencies(points: int, box: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "x y half 3"]:
    whole = torch.fft.fftfreq(points, box / points, dtype=dtype, device=device) * 2 * torch.pi
    half = torch.fft.rfftfreq(points, box / points, dtype=dtype, device=device) * 2 * torch.pi
    return torch.stack(torch.meshgrid(whole, whole, half, indexing="ij"), dim=-1)


@cache
def _kernels(points: int, box: float, dtype: torch.dtype, device: torch.device) -> list[dict[int, Tensor]]:
    """The wavelets' transforms by width and order, [m, x, y, half]: real for even l, imaginary for odd, so real in space."""
    omega = _frequencies(points, box, dtype, device)
    length = omega.norm(dim=-1)
    inner = (omega.abs() < torch.pi * points / box * (1 - 1e-9)).all(-1)  # the last frequency has no sign
    found = []
    for width in WIDTHS:
        envelope = torch.exp(-0.5 * (width * length) ** 2) * inner
        angular = {l: o3.spherical_harmonics(l, omega, normalize=False, normalization="integral") for l in ORDERS}
        found.append({l: (-1j) ** l * (width**l * sh * envelope[..., None]).movedim(-1, 0) for l, sh in angular.items()})
    return found


def _transformed(pos: Tensor, charges: Tensor, points: int, box: float) -> Tensor:
    """The densities' transforms, [density, x, y, half]: exact sums over atoms, times the Gaussian."""
    omega = _frequencies(points, box, pos.dtype, pos.device)
    axes = [torch.exp(-1j * omega_a[:, None] * pos[:, a]) for a, omega_a in enumerate(_axes(omega))]
    phases = torch.einsum("ac,xa,ya,za->cxyz", charges.to(axes[0].dtype), *axes)
    return phases * torch.exp(-0.5 * (WIDTHS[0] * omega.norm(dim=-1)) ** 2) * (points / box) ** 3


def _axes(omega: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return omega[:, 0, 0, 0], omega[0, :, 0, 1], omega[0, 0, :, 2]
