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


PICTURES: dict[str, Callable[[], Picture]] = {"harmonics": harmonics}
