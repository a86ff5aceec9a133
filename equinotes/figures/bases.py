"""Bases side by side: one bond pattern in each, averages over a group, pairs that are confused, errors and costs."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from equinotes.figures.style import GREY, SEQUENTIAL, SERIES, SIGNED, order_colour

TINY = 1e-16
"""Differences below this are drawn as this."""


def plot_pattern(
    bars: Mapping[str, Mapping[str, float]], matrices: Mapping[str, Float[np.ndarray, "3 3"]] | None = None
) -> Figure:
    """One bond pattern in several bases: a panel of bars for each, by the names of its numbers, and matrices as images.

    Bars that are named after an order (`l=2`) have its colour.
    """
    matrices = matrices or {}
    panels = len(bars) + len(matrices)
    across = min(panels, 3)
    down = -(-panels // across)
    fig, grid = plt.subplots(down, across, figsize=(2.8 * across, 2.6 * down), squeeze=False, layout="constrained")
    for spare in grid.flat[panels:]:
        spare.remove()
    axes = iter(grid.flat[:panels])
    for (title, values), ax in zip(bars.items(), axes, strict=False):
        ax.bar(list(values), list(values.values()), color=[_colour_of(name) for name in values])
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_title(title, fontsize=12)
    for (title, matrix), ax in zip(matrices.items(), axes, strict=True):
        size = np.abs(matrix).max()
        ax.imshow(matrix, cmap=SIGNED, vmin=-size, vmax=size)
        ax.set_title(title, fontsize=12)
        ax.set_xticks(range(3), "xyz")
        ax.set_yticks(range(3), "xyz")
        ax.grid(visible=False)
    return fig


def _colour_of(name: str) -> str:
    return order_colour(int(name[2:])) if name.startswith("l=") else GREY


def plot_means(maps: Mapping[str, tuple[Float[np.ndarray, "heights angles"], Float[np.ndarray, "heights angles"]]]) -> Figure:
    """Functions on the sphere (left) and their means over a group (right), a row for each, as maps of height and longitude."""
    fig, axes = plt.subplots(
        len(maps), 2, figsize=(7.2, 2.1 * len(maps)), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for row, (name, pair) in zip(axes, maps.items(), strict=True):
        size = np.abs(pair[0]).max()
        for ax, values, title in zip(row, pair, (name, f"{name}, averaged"), strict=True):
            ax.imshow(values, cmap=SIGNED, vmin=-size, vmax=size, extent=(0, 360, -1, 1), aspect="auto", origin="lower")
            ax.set_title(f"{title}: largest {np.abs(values).max():.1g}", fontsize=10)
            ax.grid(visible=False)
        row[0].set_ylabel("height y")
    for ax in axes[-1]:
        ax.set_xlabel("longitude / degrees")
    return fig


def plot_pair(
    one: Float[np.ndarray, "points 3"], other: Float[np.ndarray, "points 3"], differences: Mapping[str, float]
) -> Figure:
    """Two point sets in the plane x, z with all their distances, and by how much each description differs (logarithmic)."""
    fig, axes = plt.subplots(1, 3, figsize=(9.2, 3.0), width_ratios=[1, 1, 1.3], layout="constrained")
    for ax, points in zip(axes, (one, other), strict=False):
        for i in range(len(points)):
            for j in range(i):
                ax.plot(*points[[i, j]][:, [0, 2]].T, color=GREY, linewidth=1)
        ax.plot(points[:, 0], points[:, 2], "o", color=SERIES(0.0), markersize=9)
        reach = 1.2 * np.abs(np.concatenate([one, other])).max()
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        ax.set(xlabel="x / Å", ylabel="z / Å")
    axes[2].barh(list(differences), [max(value, TINY) for value in differences.values()], color=SERIES(0.6))
    axes[2].set_xscale("log")
    axes[2].invert_yaxis()
    axes[2].set_xlabel("relative difference")
    return fig


def plot_seen(confusions: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Which basis tells which pair apart: colours by the relative difference. Reads `basis`, `pair`, `difference`."""
    names = [name for name in labels if name in set(confusions["basis"])]
    pairs = list(dict.fromkeys(confusions["pair"]))
    values = confusions.pivot_table(index="basis", columns="pair", values="difference").reindex(index=names, columns=pairs)
    fig, ax = plt.subplots(figsize=(7.6, 0.27 * len(names) + 1.6), layout="constrained")
    image = ax.imshow(np.log10(values.clip(lower=TINY)), cmap=SEQUENTIAL, vmin=-12, vmax=0, aspect="auto")
    ax.set_xticks(range(len(pairs)), pairs, rotation=30, ha="right")
    ax.set_yticks(range(len(names)), [labels[name] for name in names], fontsize=9)
    ax.grid(visible=False)
    fig.colorbar(image, ax=ax, label="log10 of the relative difference")
    return fig


def plot_errors(table: pd.DataFrame) -> Figure:
    """Test error (bars: standard deviation) and cost of every basis, a line for each. Reads `label`, `cost`, `mae_eV`,
    `spread_eV`.
    """
    fig, axes = plt.subplots(1, 2, figsize=(8.4, 0.25 * len(table) + 1.4), sharey=True, layout="constrained")
    places = np.arange(len(table))
    axes[0].errorbar(table["mae_eV"], places, xerr=table["spread_eV"], fmt="o", color=SERIES(0.0), elinewidth=1)
    axes[1].plot(table["cost"], places, "s", color=SERIES(0.5))
    axes[0].set_yticks(places, table["label"], fontsize=9)
    axes[0].invert_yaxis()
    axes[0].set_xlabel("test MAE / eV")
    axes[1].set(xscale="log", xlabel="cost / harmonics with l ≤ 4")
    axes[1].xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes[1].xaxis.set_major_formatter("{x:g}")
    axes[1].xaxis.set_minor_formatter(NullFormatter())
    return fig
