"""Projections of features, one panel per irrep, and numbers that say what a projection shows."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from equinotes.figures.style import GREY, SEQUENTIAL, new_axes, order_colour, order_labels, order_marker, rising


def plot_phate(
    table: pd.DataFrame, score: Sequence[float] | np.ndarray, *, rows: str | None = None, score_label: str = "nSPS",
    irreps: Sequence[str] | None = None, size: float = 2.1,
) -> Figure:  # fmt: skip
    """PHATE panels, one per irrep (all, and "joint", unless given), each molecule a dot coloured by its score.

    Reads `molecule` (position in `score`), `irrep`, `phate1`, `phate2`, and the column `rows`, if given, whose values make
    further rows of panels. The axes have no unit and no meaning of their own, so they bear no ticks.
    """
    groups = [("", table)] if rows is None else list(table.groupby(rows, sort=False))
    irreps = list(dict.fromkeys(table["irrep"])) if irreps is None else irreps
    fig, axes = plt.subplots(
        len(groups),
        len(irreps),
        figsize=(size * len(irreps) + 0.9, size * len(groups) + 0.3),
        squeeze=False,
        layout="constrained",
    )
    score = np.asarray(score)
    low, high = np.quantile(score, [0.02, 0.98])
    labels = order_labels(irreps)
    for line, (name, group) in zip(axes, groups, strict=True):
        for ax, irrep, label in zip(line, irreps, labels, strict=True):
            part = group[group["irrep"] == irrep]
            ax.scatter(part["phate1"], part["phate2"], c=score[part["molecule"]], cmap=SEQUENTIAL, vmin=low, vmax=high,
                       s=6, linewidths=0, alpha=0.8, rasterized=True)  # fmt: skip
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            if ax in axes[0]:
                ax.set_title(label)
        line[0].set_ylabel(f"{name!s}\nPHATE 2".strip())
    for ax in axes[-1]:
        ax.set_xlabel("PHATE 1")
    everything = ScalarMappable(Normalize(low, high), SEQUENTIAL)
    fig.colorbar(everything, ax=axes, label=score_label, aspect=12 * len(groups) + 6, extend="both")
    return fig


def plot_overlap(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Shared neighbours of two embeddings for each irrep, with the chance level as a line.

    Reads `irrep`, `overlap`, `chance` and, where there are several curves, `name`.
    """
    ax = new_axes(ax)
    irreps = rising(table["irrep"])
    names = list(dict.fromkeys(table["name"])) if "name" in table else [""]
    for k, name in enumerate(names):
        rows = table[table["name"] == name] if name else table
        places = np.array([irreps.index(irrep) for irrep in rows["irrep"]]) + (k - (len(names) - 1) / 2) * 0.16
        colours = [order_colour(irrep) for irrep in rows["irrep"]]
        ax.vlines(places, rows["chance"], rows["overlap"], color=colours, linewidth=1.5)
        ax.scatter(places, rows["overlap"], color=colours, marker=order_marker(k), s=55, zorder=3)
        ax.scatter([], [], color=GREY, marker=order_marker(k), s=55, label=name or None)
    ax.axhline(table["chance"].mean(), color=GREY, linestyle="--", linewidth=1.2, label="chance")
    labels = order_labels(irreps)
    ax.set(xticks=range(len(irreps)), xticklabels=labels, ylabel="shared neighbours (share of k)", ylim=(-0.03, 1.05))
    ax.grid(False, axis="x")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_complexity(table: pd.DataFrame, *, width: float = 2.9, height: float = 3.6) -> Figure:
    """How strongly features follow a score, for each irrep, beside what permutations within one formula give.

    One panel per measure. Reads `measure`, `irrep`, `value`, `null_low`, `null_high` and, for several networks, `name`.
    """
    measures, irreps = list(dict.fromkeys(table["measure"])), rising(table["irrep"])
    names = list(dict.fromkeys(table["name"])) if "name" in table else [""]
    size = (width * len(measures), height)
    fig, axes = plt.subplots(1, len(measures), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for ax, measure in zip(axes.flat, measures, strict=True):
        for k, name in enumerate(names):
            rows = table[(table["measure"] == measure) & ((table["name"] == name) if name else True)]
            places = np.array([irreps.index(irrep) for irrep in rows["irrep"]]) + (k - (len(names) - 1) / 2) * 0.26
            ax.vlines(places, rows["null_low"], rows["null_high"], color=GREY, linewidth=5, alpha=0.5)
            look: dict[str, Any] = {"marker": order_marker(k), "s": 55, "zorder": 3}
            ax.scatter(places, rows["value"], color=[order_colour(irrep) for irrep in rows["irrep"]], **look)
            ax.scatter([], [], color=GREY, label=name or None, **look)
        ax.plot([], [], color=GREY, linewidth=5, alpha=0.5, label="permuted within a formula")
        labels = order_labels(irreps, "")
        ax.set(title=measure, xticks=range(len(irreps)), xticklabels=labels, xlabel="order l")
        ax.grid(False, axis="x")
    axes[0, 0].set(ylabel="correlation with the score", ylim=(min(0.0, table["value"].min()) - 0.03, 1.03))
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(names) + 1)
    return fig
