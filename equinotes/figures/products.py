"""Products of irreps: which exist, what couples them, what turns and what stays, which angles are seen."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinotes.figures.style import GREY, SIGNED, new_axes, order_colour, series_look


def plot_selection_rules(rules: pd.DataFrame, *, size: float = 2.3) -> Figure:
    """One panel for each output order: filled squares are paths, crosses fail the parity rule, dots the triangle rule.

    Reads columns `l1`, `l2`, `l3`, `triangle`, `parity`, `allowed`; `size` is a panel's width [inches].
    """
    ls = sorted(rules.l3.unique())
    columns = min(len(ls), 4)
    rows = -(-len(ls) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(size * columns, (size + 0.35) * rows), squeeze=False, layout="constrained")
    place = {l: k for k, l in enumerate(ls)}
    marker_area = 0.3 * (72 * size * 0.75 / len(ls)) ** 2
    for ax, l3 in zip(axes.flat, ls, strict=False):
        part = rules[rules.l3 == l3]
        kinds = [
            (part.allowed, {"marker": "s", "s": marker_area, "color": order_colour(l3)}),
            (part.triangle & ~part.parity, {"marker": "x", "s": marker_area / 3, "color": GREY}),
            (~part.triangle, {"marker": ".", "s": marker_area / 12, "color": GREY, "alpha": 0.6}),
        ]
        for which, look in kinds:
            ax.scatter(part.l1[which].map(place), part.l2[which].map(place), **look)
        ax.set(xticks=range(len(ls)), xticklabels=ls, yticks=range(len(ls)), yticklabels=ls, aspect="equal")
        ax.set(xlim=(-0.6, len(ls) - 0.4), ylim=(-0.6, len(ls) - 0.4), xlabel="input $l_1$", ylabel="harmonics $l_2$")
        ax.set_title(f"output $l_3$ = {l3}: {int(part.allowed.sum())} paths")
        ax.grid(False)
    for ax in axes.flat[len(ls) :]:
        ax.set_axis_off()
    return fig


def plot_couplings(couplings: Mapping[int, Float[np.ndarray, "m1 m2 m3"]], *, size: float = 1.25) -> Figure:
    """Clebsch-Gordan coefficients of two irreps, in one panel: a row for each output order l3, a column for each component.

    Each is a matrix with m1 downwards and m2 to the right, framed in the colour of its order.
    """
    highest = max(couplings)
    width, step = 2 * highest + 1, 1.15
    fig, ax = plt.subplots(figsize=(size * width + 1.2, size * len(couplings) + 0.6), layout="constrained")
    span = max(float(np.abs(block).max()) for block in couplings.values())
    for row, (l3, block) in enumerate(couplings.items()):
        for m3 in range(-l3, l3 + 1):
            left, top = step * (m3 + highest), -step * row
            image = ax.imshow(block[..., l3 + m3], vmin=-span, vmax=span, cmap=SIGNED, extent=(left, left + 1, top - 1, top))
            ax.add_patch(plt.Rectangle((left, top - 1), 1, 1, fill=False, edgecolor=order_colour(l3), linewidth=1.8))
    ax.set(xlim=(-0.05, step * width), ylim=(-step * len(couplings), 0.05), xlabel="component of the result")
    ax.set_xticks([step * k + 0.5 for k in range(width)], [f"m = {k - highest}" for k in range(width)])
    ax.set_yticks([-step * k - 0.5 for k in range(len(couplings))], [f"$l_3$ = {l3}" for l3 in couplings])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    fig.colorbar(image, ax=ax, label="coefficient", shrink=0.7, pad=0.02)
    return fig


def plot_turning(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Components of a feature while the molecule turns (lines), as D(R) predicts them (dots), and their length.

    Reads columns `angle_deg`, `name`, `value`, `predicted`; the row named "length" is drawn in grey.
    """
    ax = new_axes(ax)
    for k, (name, rows) in enumerate(table.groupby("name", sort=False)):
        look = series_look(k, table["name"].nunique())
        if name == "length":
            look |= {"color": GREY, "marker": "", "linestyle": "-"}
        ax.plot(rows.angle_deg, rows.value, color=look["color"], linestyle=look["linestyle"], linewidth=2, label=name)
        ax.plot(rows.angle_deg[::6], rows.predicted[::6], look["marker"], color=look["color"], markersize=5)
    ax.set(
        xlabel="angle by which the molecule is turned [degrees]",
        ylabel="feature [network units]",
        xlim=(0, 360),
        xticks=range(0, 361, 60),
    )
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_legendre_sizes(table: pd.DataFrame, ax: Axes | None = None, *, floor: float = 1e-17) -> Axes:
    """Size of each Legendre coefficient of an energy that depends on one bond angle, one line of markers per network.

    Reads columns `network`, `l`, `size` (relative to the largest of the network); sizes below `floor` are drawn at it.
    """
    ax = new_axes(ax, width=7.2)
    for k, (network, rows) in enumerate(table.groupby("network", sort=False)):
        look = series_look(k, table["network"].nunique())
        ax.plot(rows.l, rows["size"].clip(lower=floor), linewidth=0.8, markersize=7, label=network, **look)
    ax.axhspan(floor / 3, 1e-13, color=GREY, alpha=0.15, linewidth=0)
    ax.annotate("rounding", (0.99, 0.02), xycoords="axes fraction", ha="right", va="bottom", color=GREY, fontsize=11)
    ax.set(yscale="log", ylim=(floor / 3, 5), xticks=sorted(table.l.unique()))
    ax.set(xlabel="order $l$ of the Legendre polynomial of the bond angle", ylabel="size of its coefficient (relative)")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax
