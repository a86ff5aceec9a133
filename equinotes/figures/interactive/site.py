"""What an atom sees of its bonds, order by order."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from equinotes.figures.harmonics import plot_bond_pattern
from equinotes.figures.interactive.base import Array, Picture, as_png, rounded
from equinotes.figures.interactive.harmonics import Order, as_tables


class Shown(NamedTuple):
    """A molecule on offer: its name, positions [Angstrom], symbols, bonds as pairs of atoms, and the atom shown first."""

    name: str
    pos: Float[Array, "atoms 3"]
    symbols: Sequence[str]
    bonds: Sequence[tuple[int, int]] | Array
    atom: int = 0


def site_views(molecules: Sequence[Shown], orders: Sequence[Order], points: Float[Array, "polar around 3"]) -> Picture:
    """Sum of the harmonics of an atom's bonds up to a highest order, as a surface, and its length in each order.

    Parameters
    ----------
    molecules
        Molecules on offer; every atom has at least one bond.
    orders
        Polynomials of l = 0, 1, ... in "integral" normalisation.
    points
        Unit vectors for the still, as `sphere_grid` gives them.
    """
    data = {
        "molecules": [
            {"name": name, "pos": rounded(pos, 4), "symbols": list(symbols), "bonds": np.asarray(bonds).tolist(), "atom": atom}
            for name, pos, symbols, bonds, atom in molecules
        ],
        "orders": as_tables(orders),
    }
    first = molecules[0]
    alt = f"The bonds of atom {first.atom} of {first.name}, and the surface that each order up to 3 makes of them."
    return Picture("site", data, _still(first, orders[:4], points), alt)


def _still(shown: Shown, orders: Sequence[Order], points: Float[Array, "polar around 3"]) -> bytes:
    pairs = np.asarray(shown.bonds)
    own = pairs[(pairs == shown.atom).any(axis=1)]
    bonds = np.asarray(shown.pos, dtype=float)[own[own != shown.atom]] - np.asarray(shown.pos, dtype=float)[shown.atom]
    units = bonds / np.linalg.norm(bonds, axis=1, keepdims=True)
    values = {}
    for l, (exponents, rows) in enumerate(orders):
        mean, there = ((np.prod(at[..., None, :] ** exponents, axis=-1) @ rows.T) for at in (units, points))
        values[l] = there @ mean.mean(axis=0)
    return as_png(plot_bond_pattern(bonds, values, points, columns=len(values) + 1))
