"""A molecule that the reader turns, with the features of one of its atoms."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float

from equinotes.figures.harmonics import plot_molecule
from equinotes.figures.interactive.base import Array, Picture, as_png, rounded
from equinotes.figures.interactive.harmonics import Order, as_tables, quadrature_table


def turning_molecule(
    pos: Float[Array, "atoms 3"], symbols: Sequence[str], bonds: Sequence[tuple[int, int]] | Array, atom: int,
    features: Mapping[int, Float[Array, "channels m"]], orders: Sequence[Order],
    quadrature: tuple[Float[Array, "points 3"], Float[Array, " points"]],
) -> Picture:  # fmt: skip
    """Components, lengths and power spectra of an atom's features in each order while the molecule is turned.

    Parameters
    ----------
    pos, symbols, bonds
        The molecule [Angstrom]; bonds as pairs of atom numbers.
    atom
        The atom that carries the features.
    features
        l -> features of that atom for the molecule as given, the same number of channels in each order.
    orders, quadrature
        Polynomials of l = 0, 1, ... up to the highest order, and the rule by which D^l is computed from them.
    """
    pos = np.asarray(pos, dtype=float)
    fig = plt.figure(figsize=(4.2, 3.6))
    plot_molecule(pos, symbols, bonds, fig.add_subplot(projection="3d", **{"elev": 18, "azim": 32}))
    tables = as_tables(orders)
    data = {
        "pos": rounded(pos - pos.mean(axis=0), 4),
        "symbols": list(symbols),
        "bonds": np.asarray(bonds).tolist(),
        "atom": atom,
        "orders": [{"l": l, "features": rounded(x, 7), "table": tables[l]} for l, x in sorted(features.items())],
        "quadrature": quadrature_table(*quadrature),
    }
    alt = f"Ball-and-stick picture of a molecule of {len(symbols)} atoms ({', '.join(sorted(set(symbols)))})."
    return Picture("turning", data, as_png(fig), alt)
