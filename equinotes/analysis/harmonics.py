"""Spherical harmonics as functions: exact integrals over the sphere, sites, Legendre series, selection rules."""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Integer

from equinotes.support.errors import UserError


def harmonics(
    l: int, directions: Float[np.ndarray, "*batch 3"], normalization: str = "integral"
) -> Float[np.ndarray, "*batch m"]:
    """Real spherical harmonics of order l of the unit vectors along `directions` (x, y, z), float64, m = -l..l.

    `normalization` is e3nn's: "integral" (one over the sphere), "component" or "norm".

    >>> harmonics(1, np.array([0.0, 3.0, 4.0]), "norm").round(3)
    array([0. , 0.6, 0.8])
    """
    import torch
    from e3nn import o3

    vectors = torch.from_numpy(np.ascontiguousarray(directions, dtype=np.float64))
    return o3.spherical_harmonics(l, vectors, normalize=True, normalization=normalization).numpy()


def all_harmonics(lmax: int, directions: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch dim"]:
    """The orders 0..lmax side by side, (lmax+1)^2 functions in "integral" normalisation."""
    return np.concatenate([harmonics(l, directions) for l in range(lmax + 1)], axis=-1)


def sphere_quadrature(degree: int) -> tuple[Float[np.ndarray, "points 3"], Float[np.ndarray, " points"]]:
    """Unit vectors and weights that integrate every polynomial of at most this degree over the sphere exactly.

    Gauss-Legendre along the polar axis y, equal steps around it. The weights sum to 4 pi.

    >>> points, weights = sphere_quadrature(2)
    >>> round(float((weights * points[:, 0] ** 2).sum() / (4 * np.pi)), 12)   # the mean of x^2
    0.333333333333
    """
    height, polar_weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    steps = degree + 1
    around = 2 * np.pi * np.arange(steps) / steps
    height, around = (grid.ravel() for grid in np.meshgrid(height, around, indexing="ij"))
    radius = np.sqrt(1 - height**2)
    points = np.stack([radius * np.sin(around), height, radius * np.cos(around)], axis=-1)
    return points, np.repeat(polar_weights * 2 * np.pi / steps, steps)


def gram_matrix(lmax: int) -> Float[np.ndarray, "dim dim"]:
    """Integrals over the sphere of all products of two harmonics up to lmax; exact but for rounding."""
    points, weights = sphere_quadrature(2 * lmax)
    values = all_harmonics(lmax, points)
    return values.T @ (weights[:, None] * values)


def addition_table(ls: list[int], a: Float[np.ndarray, "pairs 3"], b: Float[np.ndarray, "pairs 3"]) -> pd.DataFrame:
    """Both sides of the addition theorem for pairs of unit vectors, scaled to 1 at angle 0.

    Columns: l, angle_deg, sum (4 pi/(2l+1) times sum_m Y_lm(a) Y_lm(b)), legendre (P_l of the cosine).
    """
    cosine = np.clip((a * b).sum(axis=-1), -1, 1)
    tables = []
    for l in ls:
        dot = (harmonics(l, a) * harmonics(l, b)).sum(axis=-1) * 4 * np.pi / (2 * l + 1)
        columns = {"l": l, "angle_deg": np.degrees(np.arccos(cosine)), "sum": dot, "legendre": legendre(l, cosine)}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def legendre(l: int, t: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Legendre polynomial P_l."""
    return np.polynomial.legendre.Legendre.basis(l)(t)


def legendre_nodes(count: int) -> Float[np.ndarray, " nodes"]:
    """Cosines at which `legendre_series` wants its function: the Gauss-Legendre nodes."""
    return np.polynomial.legendre.leggauss(count)[0]


def legendre_series(values: Float[np.ndarray, " nodes"], lmax: int) -> Float[np.ndarray, " orders"]:
    """Coefficients c_l, l = 0..lmax, of f = sum_l c_l P_l from f at `legendre_nodes(len(values))`.

    Exact for polynomials of degree below 2 len(values) - lmax.

    >>> legendre_series(legendre_nodes(8) ** 2, 3).round(12) + 0.0   # t^2 = 1/3 + 2/3 P_2
    array([0.33333333, 0.        , 0.66666667, 0.        ])
    """
    nodes, weights = np.polynomial.legendre.leggauss(len(values))
    return np.array([(2 * l + 1) / 2 * (weights * values * legendre(l, nodes)).sum() for l in range(lmax + 1)])


IDEAL_SITES = {
    "linear": np.array([[1.0, 0, 0], [-1, 0, 0]]),
    "trigonal": np.array([[1.0, 0, 0], [-0.5, 0.75**0.5, 0], [-0.5, -(0.75**0.5), 0]]),
    "tetrahedral": np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5,
}
"""Bond directions (x, y, z) of ideal sites with two, three and four bonds."""


def neighbours(bonds: Integer[np.ndarray, "bonds 2"], atom: int) -> Int[np.ndarray, " neighbours"]:
    """The atoms bonded to one atom.

    >>> neighbours(np.array([[0, 1], [0, 2], [1, 3]]), 1)
    array([0, 3])
    """
    own = np.asarray(bonds, dtype=np.int64)[(bonds == atom).any(axis=1)]
    return own[own != atom]


def bond_vectors(
    pos: Float[np.ndarray, "atoms 3"], bonds: Integer[np.ndarray, "bonds 2"], atom: int
) -> Float[np.ndarray, "neighbours 3"]:
    """From one atom to each of its neighbours [Angstrom], float64."""
    pos = np.asarray(pos, dtype=np.float64)
    return pos[neighbours(bonds, atom)] - pos[atom]


def site_coefficients(bonds: Float[np.ndarray, "bonds 3"], lmax: int) -> dict[int, Float[np.ndarray, " m"]]:
    """Mean of the harmonics over the bonds of one atom, for l = 0..lmax: what a site looks like in each order."""
    return {l: harmonics(l, bonds).mean(axis=0) for l in range(lmax + 1)}


def order_parameters(bonds: Float[np.ndarray, "bonds 3"], lmax: int) -> Float[np.ndarray, " orders"]:
    """Length q_l of the mean harmonics of a site, scaled to 1 for a single bond, from the angles alone.

    q_l^2 = mean over pairs of bonds of P_l(cos angle): Steinhardt, Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983).

    >>> order_parameters(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -2.0]]), 3)
    array([1., 0., 1., 0.])
    """
    unit = bonds / np.linalg.norm(bonds, axis=-1, keepdims=True)
    cosine = np.clip(unit @ unit.T, -1, 1)
    return np.sqrt([max(legendre(l, cosine).mean(), 0.0) for l in range(lmax + 1)])


def evaluate(
    coefficients: dict[int, Float[np.ndarray, " m"]], points: Float[np.ndarray, "*batch 3"]
) -> Float[np.ndarray, "*batch"]:
    """The function on the sphere with these coefficients a_l: sum over l and m of a_lm Y_lm."""
    return sum(harmonics(l, points) @ a for l, a in coefficients.items())


def selection_rules(ls: tuple[int, ...]) -> pd.DataFrame:
    """All triples of orders in `ls` and why a product l1 x l2 -> l3 exists or not, in natural parity (-1)^l.

    Columns: l1 (input), l2 (harmonics), l3 (output), triangle, parity, allowed.

    >>> rules = selection_rules((0, 1, 2))
    >>> len(rules), int(rules.allowed.sum())
    (27, 11)
    """
    rows = [
        {"l1": l1, "l2": l2, "l3": l3, "triangle": abs(l1 - l2) <= l3 <= l1 + l2, "parity": (l1 + l2 + l3) % 2 == 0}
        for l3 in ls
        for l1 in ls
        for l2 in ls
    ]
    table = pd.DataFrame(rows)
    return table.assign(allowed=table.triangle & table.parity)


def coupling(l1: int, l2: int, l3: int) -> Float[np.ndarray, "m1 m2 m3"]:
    """Clebsch-Gordan coefficients in e3nn's real basis (`wigner_3j`, squares sum to 1), float64.

    Raises ValueError where the triangle rule forbids the product.
    """
    if not abs(l1 - l2) <= l3 <= l1 + l2:
        raise UserError(f"no product of orders {l1} and {l2} has order {l3}: it must lie between {abs(l1 - l2)} and {l1 + l2}")
    import torch
    from e3nn import o3

    return o3.wigner_3j(l1, l2, l3, dtype=torch.float64).numpy()


def product_irreps(ir1: str, ir2: str) -> list[str]:
    """The irreps in the product of two.

    >>> product_irreps("1o", "1o"), product_irreps("1o", "2e")
    (['0e', '1e', '2e'], ['1o', '2o', '3o'])
    """
    from e3nn import o3

    return [str(ir) for ir in o3.Irrep(ir1) * o3.Irrep(ir2)]
