"""Harmonics that are turned by dragging, with the matrix D of their rotation."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from equinotes.figures.harmonics import plot_harmonics
from equinotes.figures.interactive.base import Array, Picture, as_png, rounded

Order = tuple[Int[Array, "monomials 3"], Float[Array, "m monomials"]]
"""Exponents and coefficients of one order, as `analysis.polynomials.harmonic_polynomials` gives them."""

ALT = "The first spherical harmonics as surfaces, one row for each order l and one column for each component m."


def as_tables(orders: Sequence[Order]) -> list[dict[str, list]]:
    """Polynomials of l = 0, 1, ... as space.js reads them."""
    return [{"exponents": exponents.tolist(), "rows": rounded(rows, 9)} for exponents, rows in orders]


def quadrature_table(points: Float[Array, "points 3"], weights: Float[Array, " points"]) -> list[list[float]]:
    """Rows x, y, z, weight."""
    return rounded(np.column_stack([points, weights]), 10)


def turning_harmonics(
    orders: Sequence[Order], quadrature: tuple[Float[Array, "points 3"], Float[Array, " points"]],
    values: dict[tuple[int, int], Float[Array, "polar around"]], points: Float[Array, "polar around 3"],
) -> Picture:  # fmt: skip
    """One harmonic, chosen by l and m, that the reader turns, beside the matrix D^l of the rotation.

    Parameters
    ----------
    orders
        Polynomials of l = 0, 1, ... in "integral" normalisation.
    quadrature
        Points and weights that integrate products of two of the harmonics exactly; D is computed with them.
    values, points
        (l, m) -> the harmonic at `points`, for the still, as `plot_harmonics` reads them.
    """
    data = {"orders": as_tables(orders), "quadrature": quadrature_table(*quadrature)}
    return Picture("harmonics", data, as_png(plot_harmonics(values, points)), ALT)
