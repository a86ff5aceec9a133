"""Maps of molecules (PHATE or others) among which the reader switches."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.colors import to_hex

from equinotes.figures.interactive.base import Array, Picture, as_png, packed, rounded
from equinotes.figures.manifold import plot_phate
from equinotes.figures.style import SEQUENTIAL

SHADES = 32
FULL = 32767
"""Coordinates are stored as 16-bit integers, this one at the edge of the map."""


def molecule_maps(
    table: pd.DataFrame, names: Sequence[str], score: Sequence[float] | Array, *, choices: Sequence[str],
    score_label: str = "nSPS",
) -> Picture:  # fmt: skip
    """One map for each combination of the choices; hovering names a molecule, which is followed from map to map.

    Parameters
    ----------
    table
        Columns `molecule` (position in `names`), `phate1`, `phate2`, and those named in `choices`, whose values are shown as
        they are. Each combination that occurs holds every molecule once.
    names, score
        What is shown of each molecule, and the number that colours it.
    choices
        Columns that the reader switches, in order; one of them is usually `irrep`.
    """
    score = np.asarray(score, dtype=float)
    views = [
        {"choice": [str(value) for value in key], "points": packed(_scaled(group, len(score)), "<i2")}
        for key, group in table.groupby(list(choices), sort=False)
    ]
    data = {
        "names": list(names),
        "scores": rounded(score, 3),
        "range": rounded(np.quantile(score, [0.02, 0.98]), 3),
        "label": score_label,
        "colours": [to_hex(SEQUENTIAL(k / (SHADES - 1))) for k in range(SHADES)],
        "choices": [name.replace("_", " ").capitalize() for name in choices],
        "views": views,
    }
    first = next(iter(table.groupby(list(choices), sort=False)))
    still = plot_phate(first[1].assign(irrep=", ".join(map(str, first[0]))), score, score_label=score_label, size=4)
    return Picture("maps", data, as_png(still), f"A map of {len(score)} molecules, each a dot coloured by its {score_label}.")


def _scaled(group: pd.DataFrame, count: int) -> Float[Array, "molecules 2"]:
    """Coordinates from -1 to 1 times FULL, each axis to its own scale: axes of such maps have no unit."""
    points = group.set_index("molecule")[["phate1", "phate2"]].loc[list(range(count))].to_numpy(dtype=float)
    middle, half = (points.max(axis=0) + points.min(axis=0)) / 2, np.ptp(points, axis=0) / 2
    return np.round((points - middle) / np.where(half > 0, half, 1) * FULL)
