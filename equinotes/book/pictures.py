"""The pictures of the pages of theory, by name: what the package computes for each."""

from collections.abc import Callable

from equinotes.figures.interactive.base import Picture

LMAX = 6


def harmonics() -> Picture:
    from equinotes.analysis import harmonics as sh
    from equinotes.analysis.polynomials import harmonic_polynomials
    from equinotes.figures.harmonics import sphere_grid
    from equinotes.figures.interactive.harmonics import turning_harmonics

    points = sphere_grid(25, 48)
    values = {(l, k - l): sh.harmonics(l, points)[..., k] for l in range(4) for k in range(2 * l + 1)}
    orders = [harmonic_polynomials(l) for l in range(LMAX + 1)]
    return turning_harmonics(orders, sh.sphere_quadrature(2 * LMAX), values, points)


WATER_ANGLE, WATER_LENGTH = 104.5, 0.9572
"""Equilibrium of water [degrees, Angstrom]."""
BENDING = 4.35
"""Water's quadratic force constant of the angle [eV/rad^2], 0.697 mdyn Angstrom."""
COULOMB = 14.3996
"""Energy of two elementary charges at 1 Angstrom [eV]."""
CHARGE = 0.41
"""Partial charge of a hydrogen in simple models of water."""


ELEMENTS = 100
"""Rows of the network's table of elements."""


def angle() -> Picture:
    import numpy as np

    from equinotes.analysis.harmonics import legendre
    from equinotes.figures.interactive.angle import angle_fits

    degrees = np.arange(40.0, 181.0)
    theta, at_rest = np.radians(degrees), np.radians(WATER_ANGLE)
    polynomials = np.stack([legendre(l, np.cos(theta)) for l in range(LMAX + 1)])
    energies = {
        "Bending of water, harmonic": BENDING / 2 * (theta - at_rest) ** 2,
        "Repulsion of its hydrogens": COULOMB * CHARGE**2 / (2 * WATER_LENGTH * np.sin(theta / 2)),
        "The polynomial of order 5": polynomials[5],
    }
    return angle_fits(degrees, polynomials, energies, centre_deg=WATER_ANGLE)


def paths() -> Picture:
    from equinotes.analysis.harmonics import selection_rules
    from equinotes.config import RunConfig
    from equinotes.figures.interactive.paths import tensor_paths

    config = RunConfig()
    sizes = {"inputs": config.atom_dim, "blocks": config.num_blocks, "basis": config.num_basis}
    return tensor_paths(selection_rules(tuple(range(LMAX + 1))), {"embedding": ELEMENTS * config.atom_dim, **sizes})


PICTURES: dict[str, Callable[[], Picture]] = {"harmonics": harmonics, "angle": angle, "paths": paths}
