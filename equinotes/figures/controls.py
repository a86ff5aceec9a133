"""Picture of a control: what symmetry alone makes small."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from equinotes.figures.style import GREY, NEGATIVE, POSITIVE, new_axes

KIND_COLOURS = (NEGATIVE, POSITIVE, "#3f9b4f", GREY)
"""Kinds of sites: none of them is the colour of an order."""


def plot_site_harmonics(table: pd.DataFrame, ax: Axes | None = None, *, ideal: pd.DataFrame | None = None) -> Axes:
    """How long the mean of Y_l over the bonds of an atom is, for each order, and crosses for ideal sites.

    Boxes hold the middle half of the atoms, whiskers nine tenths, the line is the median.
    Reads `bonds`, `l`, `length` from both tables (1 = as long as for a single bond).
    """
    ax = new_axes(ax)
    kinds = sorted(table["bonds"].unique())
    width = 0.8 / len(kinds)
    for k, kind in enumerate(kinds):
        shift, colour = (k - (len(kinds) - 1) / 2) * width, KIND_COLOURS[k % len(KIND_COLOURS)]
        lengths = {l: rows["length"].to_numpy() for l, rows in table[table["bonds"] == kind].groupby("l")}
        centres = np.array(list(lengths)) + shift
        boxes = ax.boxplot(list(lengths.values()), positions=centres, widths=0.8 * width, showfliers=False, whis=(5, 95),
                           patch_artist=True, manage_ticks=False, medianprops={"color": GREY, "linewidth": 2},
                           whiskerprops={"color": colour}, capprops={"color": colour})  # fmt: skip
        for box in boxes["boxes"]:
            box.set(facecolor=colour, edgecolor="none", alpha=0.55)
        ax.scatter([], [], marker="s", s=60, color=colour, alpha=0.55, label=str(kind))
    if ideal is not None:
        places = ideal["l"] + (ideal["bonds"].map(kinds.index) - (len(kinds) - 1) / 2) * width
        ax.scatter(places, ideal["length"], marker="x", color=GREY, s=45, linewidth=2, zorder=3, label="ideal site")
    ax.set_xticks(sorted(table["l"].unique()))
    ax.grid(False, axis="x")
    ax.set(xlabel="order l", ylabel=r"length of the mean of $Y_l$ (1: one bond)", ylim=(-0.04, 1.05))
    ax.legend(title="bonds of the atom", loc="upper left", bbox_to_anchor=(1, 1))
    return ax
