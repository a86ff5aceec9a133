"""Spherical harmonics as polynomials in x, y, z: what one needs to evaluate them elsewhere."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from equinotes.analysis.harmonics import harmonics, sphere_quadrature


class Polynomials(NamedTuple):
    """The 2l+1 harmonics of one order as sums over the monomials x^a y^b z^c with a + b + c = l."""

    exponents: Int[np.ndarray, "monomials 3"]
    coefficients: Float[np.ndarray, "m monomials"]

    def __call__(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch m"]:
        """Values at unit vectors (x, y, z)."""
        return monomials(points, self.exponents) @ self.coefficients.T


def monomials(
    points: Float[np.ndarray, "*batch 3"], exponents: Int[np.ndarray, "monomials 3"]
) -> Float[np.ndarray, "*batch monomials"]:
    """x^a y^b z^c at each point for each row (a, b, c)."""
    return np.prod(points[..., None, :] ** exponents, axis=-1)


def harmonic_polynomials(l: int) -> Polynomials:
    """e3nn's harmonics of order l ("integral" normalisation) as polynomials of degree l, unique on the sphere.

    >>> found = harmonic_polynomials(1)
    >>> found.exponents.tolist(), (found.coefficients / (3 / (4 * np.pi)) ** 0.5).round(9).tolist()
    ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    """
    exponents = np.array([(a, b, l - a - b) for a in range(l, -1, -1) for b in range(l - a, -1, -1)])
    points, _ = sphere_quadrature(2 * l + 2)
    found = np.linalg.lstsq(monomials(points, exponents), harmonics(l, points), rcond=None)[0].T
    return Polynomials(exponents, np.where(np.abs(found) < 1e-10, 0.0, found))
