"""Which orders a network uses: spoilt features, retrained networks, gradients, weights that nothing moves."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinotes.figures.style import GREY, SEQUENTIAL, new_axes, order_colour, order_labels, order_line, order_marker, rising

MODE_TITLES = {"zero": "set to zero", "shuffle": "shuffled among atoms", "direction": "turned at random"}
"""Names of the edits as a reader meets them."""


def plot_inference_ablation(table: pd.DataFrame, *, unit: str = "eV", width: float = 2.9, height: float = 3.8) -> Figure:
    """Change of the error when one order behind one block is spoilt: a panel for each edit, intervals over molecules.

    Reads `layer`, `irrep`, `mode`, `delta_mae_eV`, `low_eV`, `high_eV`.
    """
    modes = [mode for mode in MODE_TITLES if mode in set(table["mode"])]
    irreps = rising(table["irrep"])
    layers = sorted(table["layer"].unique())
    fig, axes = plt.subplots(
        1, len(modes), figsize=(width * len(modes), height), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, mode in zip(axes.flat, modes, strict=True):
        ax.axhline(0, color=GREY, linewidth=1)
        for shift, irrep, label in zip(_spread(len(irreps)), irreps, order_labels(irreps), strict=True):
            rows = table[(table["mode"] == mode) & (table["irrep"] == irrep)].sort_values("layer")
            if rows.empty:
                continue
            change = rows[f"delta_mae_{unit}"]
            reach = np.abs(rows[[f"low_{unit}", f"high_{unit}"]].to_numpy().T - change.to_numpy())
            ax.errorbar(rows["layer"] + shift, change, yerr=reach, color=order_colour(irrep), marker=order_marker(irrep),
                        linestyle=order_line(irrep), linewidth=1, markersize=6, capsize=2, label=label)  # fmt: skip
        ax.set(title=MODE_TITLES[mode], xlabel="after block", xticks=layers)
    axes[0, 0].set_ylabel(f"change of the test MAE [{unit}]")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(irreps))
    return fig


def plot_paired_changes(table: pd.DataFrame, ax: Axes | None = None, *, unit: str = "eV", xlabel: str = "") -> Axes:
    """Differences between pairs of runs with their bootstrap intervals. Reads `name`, `mean_eV`, `low_eV`, `high_eV`."""
    ax = new_axes(ax, height=0.55 * len(table) + 1.4)
    ax.axvline(0, color=GREY, linestyle="--", linewidth=1.2)
    for place, row in enumerate(table.to_dict("records")):
        colour = order_colour(row.get("l", "none"))
        ax.plot([row[f"low_{unit}"], row[f"high_{unit}"]], [place, place], color=colour, linewidth=2.5)
        ax.plot(row[f"mean_{unit}"], place, "o", color=colour, markersize=7)
    ax.set(yticks=range(len(table)), yticklabels=table["name"], ylim=(len(table) - 0.5, -0.5))
    ax.set_xlabel(xlabel or f"change of the test MAE [{unit}], 95 % interval")
    ax.grid(False, axis="y")
    return ax


def plot_gradient_flow(shares: pd.DataFrame, ax: Axes | None = None, *, value: str = "share", label: str = "") -> Axes:
    """Heat map of layer against order with the number in each cell; cells that are exactly zero say so.

    Reads `layer`, `irrep` and the column `value` (`share` of gradient x activation unless given).
    """
    grid = shares.pivot(index="irrep", columns="layer", values=value)
    grid = grid.loc[rising(grid.index), list(dict.fromkeys(shares["layer"]))]
    ax = new_axes(ax, width=1.0 * len(grid.columns) + 2.2, height=0.55 * len(grid) + 1.4)
    words = grid.map(lambda number: "0" if number == 0 else f"{number:.2g}" if number < 0.01 else f"{number:.2f}")
    words = words.where(grid.notna(), "")  # layers may have other irreps
    sns.heatmap(grid, ax=ax, cmap=SEQUENTIAL, vmin=0, vmax=1, annot=words, fmt="", annot_kws={"fontsize": 12},
                cbar_kws={"label": label or "share of gradient x activation"})  # fmt: skip
    ax.set(xlabel="layer", ylabel="order l")
    ax.set_yticklabels(order_labels(grid.index, ""), rotation=0)
    ax.set_xticklabels(grid.columns, rotation=0)
    ax.grid(False)
    return ax


def plot_dead_weights(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Weights of each block's tensor product, in thousands, stacked by output order; hatched where the gradient is exactly zero.

    Reads `block`, `l3`, `weights`, `dead`, as `dead_weights` gives them.
    """
    ax = new_axes(ax)
    foot = dict.fromkeys(table["block"], 0.0)
    for l, rows in table.sort_values("block").groupby("l3"):
        label: str | None = f"output l = {l}"
        for block, weights, dead in zip(rows["block"], rows["weights"] / 1000, rows["dead"] / 1000, strict=True):
            alive = weights - dead
            ax.bar(block, alive, bottom=foot[block], width=0.7, color=order_colour(l), label=label)
            if dead:
                hatched: dict[str, Any] = {"fill": False, "hatch": "////", "edgecolor": order_colour(l), "linewidth": 1.0}
                ax.bar(block, dead, bottom=foot[block] + alive, width=0.7, **hatched)
            foot[block] += weights
            label = None
    ax.bar([0], [0], fill=False, hatch="////", edgecolor=GREY, label="gradient exactly zero")
    ax.set(xlabel="block", ylabel="weights [thousands]", xticks=sorted(foot), xlim=(min(foot) - 0.6, max(foot) + 0.6))
    ax.set_ylim(0, 1.05 * max(foot.values()))
    ax.grid(False, axis="x")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _spread(count: int) -> np.ndarray:
    return (np.arange(count) - (count - 1) / 2) * 0.08
