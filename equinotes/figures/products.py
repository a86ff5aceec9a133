"""Products of irreps: which exist, what couples them, what turns and what stays, which angles are seen."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinotes.figures.style import GREY, SIGNED, new_axes, order_colour, order_marker


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
    """Clebsch-Gordan coefficients of two irreps: a row for each output order l3, a matrix [m1, m2] for each of its components."""
    width = max(block.shape[-1] for block in couplings.values())
    fig, axes = plt.subplots(
        len(couplings), width, figsize=(size * width + 0.9, size * len(couplings) + 0.5), squeeze=False, layout="constrained"
    )
    span = max(float(np.abs(block).max()) for block in couplings.values())
    for row, (l3, block) in zip(axes, couplings.items(), strict=True):
        start = (width - block.shape[-1]) // 2
        for k, ax in enumerate(row):
            m3 = k - start - l3
            if abs(m3) > l3:
                ax.set_axis_off()
                continue
            image = ax.imshow(block[..., l3 + m3], vmin=-span, vmax=span, cmap=SIGNED)
            ax.set(xticks=[], yticks=[], title=f"$l_3$={l3}, m={m3}")
            ax.title.set_fontsize(9)
            ax.grid(False)
            for spine in ax.spines.values():
                spine.set(visible=True, color=order_colour(l3), linewidth=1.5)
    fig.colorbar(image, ax=axes, label="coefficient", shrink=0.7, pad=0.02)
    return fig


def plot_turning(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Components of a feature while the molecule turns (lines), as D(R) predicts them (dots), and their length.

    Reads columns `angle_deg`, `name`, `value`, `predicted`; the row named "length" is drawn in grey.
    """
    ax = new_axes(ax)
    for k, (name, rows) in enumerate(table.groupby("name", sort=False)):
        length = name == "length"
        colour = GREY if length else order_colour(k)
        ax.plot(rows.angle_deg, rows.value, color=colour, linewidth=2.5 if length else 1.8, label=name)
        ax.plot(rows.angle_deg[::6], rows.predicted[::6], "" if length else order_marker(k), color=colour, markersize=4)
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
        ax.plot(rows.l, rows["size"].clip(lower=floor), order_marker(k), color=order_colour(k + 1), linestyle=":",
                linewidth=0.8, markersize=7, label=network)  # fmt: skip
    ax.axhspan(floor / 3, 1e-13, color=GREY, alpha=0.15, linewidth=0)
    ax.annotate("rounding", (0.99, 0.02), xycoords="axes fraction", ha="right", va="bottom", color=GREY, fontsize=9)
    ax.set(yscale="log", ylim=(floor / 3, 5), xticks=sorted(table.l.unique()))
    ax.set(xlabel="order $l$ of the Legendre polynomial of the bond angle", ylabel="size of its coefficient (relative)")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax
