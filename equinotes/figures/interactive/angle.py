"""Energies of a bond angle and what sets of Legendre polynomials make of them."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float

from equinotes.figures.interactive.base import Array, Picture, as_png, rounded
from equinotes.figures.style import GREY, POSITIVE

FIRST = [0, 1, 2]
"""Orders that are on at first; the still shows their fit."""

ALT = "Energy against the bond angle as dots, and as a line its best fit by the Legendre polynomials of orders 0, 1 and 2."


def angle_fits(
    angles_deg: Float[Array, " angles"], legendre: Float[Array, "orders angles"],
    energies: Mapping[str, Float[Array, " angles"]], *, centre_deg: float,
) -> Picture:  # fmt: skip
    """The best fit of an energy by the P_l of chosen orders, over a chosen range around one angle.

    Parameters
    ----------
    angles_deg
        Rising angles [degrees].
    legendre
        P_l of their cosines, l = 0, 1, ...
    energies
        Name -> energy at each angle [eV]; the first is shown first.
    centre_deg
        The angle around which the range grows.
    """
    name, energy = next(iter(energies.items()))
    weights = np.linalg.lstsq(legendre[FIRST].T, energy, rcond=None)[0]
    fig, ax = plt.subplots(figsize=(6, 3.6))
    ax.plot(angles_deg[::4], energy[::4], "o", color=GREY, markersize=4, label=name)
    ax.plot(angles_deg, weights @ legendre[FIRST], color=POSITIVE, linewidth=2.5, label="best fit, orders 0, 1, 2")
    ax.set(xlabel="bond angle [degrees]", ylabel="energy [eV]")
    ax.legend()
    data = {
        "angles": rounded(angles_deg, 3),
        "legendre": rounded(legendre, 9),
        "targets": [{"name": name, "values": rounded(values, 9)} for name, values in energies.items()],
        "centre": centre_deg,
    }
    return Picture("angle", data, as_png(fig), ALT)
