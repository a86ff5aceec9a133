"""The paper's experiment repeated: errors with their seeds, learning curves, relative changes.

A colour stands for a reference of the target here, as the orders of a set have no one colour.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from equinotes.figures.style import GREY, NEGATIVE, POSITIVE, new_axes

LOOKS = {"composition": (NEGATIVE, "o"), "mean": (POSITIVE, "s")}
"""Colour and marker of each reference of the target."""
REFERENCE_TITLES = {"composition": "relative to energies per element", "mean": "relative to one mean, as in the paper"}
"""Their names in figures."""
LINE_STYLES: tuple[Any, ...] = ("-", "--", ":")


def plot_seed_errors(
    runs: pd.DataFrame, intervals: pd.DataFrame, *, baselines: Mapping[str, float], value: str = "mae_eV",
    xlabel: str = "test MAE [eV]", width: float = 8.6,
) -> Figure:  # fmt: skip
    """Errors of named sets: a dot for each seed, a bar for the interval of the mean, baselines as lines; a panel per reference.

    Reads `name`, `reference` and `value` from `runs`; `name`, `reference`, `low`, `high` from `intervals`, whose order is that
    of the rows; a name without runs is said to be not run. `low` and `high` may be missing (NaN) where there is one seed.
    """
    names, references = list(dict.fromkeys(intervals["name"])), list(dict.fromkeys(intervals["reference"]))
    fig, axes = plt.subplots(
        1, len(references), figsize=(width, 0.42 * len(names) + 1.9), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, reference in zip(axes.flat, references, strict=True):
        colour, marker = LOOKS.get(reference, (GREY, "o"))
        for row in rows_of(intervals[intervals["reference"] == reference]):
            place = names.index(row.name)
            found = runs[(runs["name"] == row.name) & (runs["reference"] == reference)][value].to_numpy()
            if not len(found):
                ax.annotate("not run", (0.02, place), xycoords=("axes fraction", "data"), va="center", color=GREY, fontsize=10)
                continue
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=6, alpha=0.35, solid_capstyle="butt")
            ax.scatter(found, np.full(len(found), place), color=colour, marker=marker, s=30, zorder=3)
        for (name, error), style in zip(baselines.items(), LINE_STYLES, strict=False):
            ax.axvline(error, color=GREY, linestyle=style, linewidth=1.4, label=f"linear: {name}")
        ax.set(title=REFERENCE_TITLES.get(reference, reference), xlabel=xlabel, xlim=(0, None))
        ax.grid(False, axis="y")
    axes[0, 0].set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    signs = [Line2D([], [], color=GREY, marker="o", linestyle="", label="one seed"),
             Patch(color=GREY, alpha=0.35, label="95 % interval of the mean")]  # fmt: skip
    fig.legend(handles=[*signs, *axes[0, 0].get_legend_handles_labels()[0]], loc="outside lower center", ncols=3, fontsize=11)
    return fig


def plot_curves(
    metrics: pd.DataFrame, *, baselines: Mapping[str, float], value: str = "val_mae_eV", ylabel: str = "validation MAE [eV]"
) -> Figure:
    """Learning curves: a panel for each reference, a thin line for each run, a thick one for the median over runs.

    Reads `reference`, `name`, `seed`, `epoch`, `value`; baselines are grey lines.
    """
    references = [reference for reference in REFERENCE_TITLES if reference in set(metrics["reference"])]
    if not references:
        return not_run()
    fig, axes = plt.subplots(1, len(references), figsize=(4.0 * len(references) + 0.4, 3.9), squeeze=False, layout="constrained")
    for ax, reference in zip(axes.flat, references, strict=True):
        colour, marker = LOOKS[reference]
        rows = metrics[metrics["reference"] == reference]
        for _, run in rows.groupby(["name", "seed"]):
            ax.plot(run["epoch"], run[value], color=colour, linewidth=0.8, alpha=0.45)
        median = rows.groupby("epoch")[value].median()
        ax.plot(median.index, median, color=colour, marker=marker, linewidth=3)
        for (_, error), style in zip(baselines.items(), LINE_STYLES, strict=False):
            ax.axhline(error, color=GREY, linestyle=style, linewidth=1.4)
        ax.set(title=REFERENCE_TITLES[reference], xlabel="epoch", ylim=(0, None))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0, 0].set_ylabel(ylabel)
    signs = [Line2D([], [], color=GREY, linewidth=0.8, label="one run"),
             Line2D([], [], color=GREY, marker="o", linewidth=3, label="median over runs")]  # fmt: skip
    signs += [Line2D([], [], color=GREY, linestyle=style, label=f"linear: {name}")
              for name, style in zip(baselines, LINE_STYLES, strict=False)]  # fmt: skip
    fig.legend(handles=signs, loc="outside lower center", ncols=3, fontsize=11)
    return fig


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, with its columns as attributes."""
    return iter(table.itertuples(index=False))


def not_run(words: str = "not run") -> Figure:
    """Placeholder for a figure without data."""
    fig, ax = plt.subplots(figsize=(6.4, 1.2), layout="constrained")
    ax.annotate(words, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=GREY)
    ax.axis("off")
    return fig


def label_edges(axes: np.ndarray, xlabel: str, ylabel: str, panels: int) -> None:
    """Name the axes of a grid with so many panels once per column, below its last panel, and once per row."""
    columns = axes.shape[1]
    for place, ax in enumerate(axes.flat[:panels]):
        if place + columns >= panels:
            ax.set_xlabel(xlabel)
            ax.tick_params(labelbottom=True)
        if place % columns == 0:
            ax.set_ylabel(ylabel, fontsize=10)


def plot_relative_changes(
    table: pd.DataFrame, ax: Axes | None = None, *, margin: float, equivalent: float, xlabel: str = "relative change of the MAE"
) -> Axes:
    """Relative changes with their intervals, one line per name, a colour per reference.

    The shaded band is what counts as equal (`equivalent`), the dotted lines what matters (`margin`). Reads `name`, `reference`,
    `change`, `low`, `high` as fractions; rows without a change say that they were not run, those without an interval (one seed)
    show the dot alone. Rows marked false in the column `counts`, if there is one, are hollow.
    """
    names, references = list(dict.fromkeys(table["name"])), list(dict.fromkeys(table["reference"]))
    ax = new_axes(ax, width=7.6, height=0.26 * len(names) * max(1, len(references)) + 1.9)
    ax.axvspan(-100 * equivalent, 100 * equivalent, color=GREY, alpha=0.13, linewidth=0, label="whole interval inside: the same")
    ax.axvline(0, color=GREY, linewidth=1.2)
    for edge in (-margin, margin):
        ax.axvline(
            100 * edge, color=GREY, linestyle=":", linewidth=1.4, label="whole interval beyond: it matters" if edge > 0 else None
        )
    for k, reference in enumerate(references):
        colour, marker = LOOKS.get(reference, (GREY, "o"))
        shift = (k - (len(references) - 1) / 2) * 0.34
        for row in table[table["reference"] == reference].to_dict("records"):
            place = names.index(row["name"]) + shift
            if np.isnan(row["change"]):
                ax.annotate("not run", (1, place), xycoords=("axes fraction", "data"), va="center", ha="right", color=GREY,
                            fontsize=10)  # fmt: skip
                continue
            ax.plot([100 * row["low"], 100 * row["high"]], [place, place], color=colour, linewidth=2.5)
            face: dict[str, Any] = {"markerfacecolor": colour if row.get("counts", True) else "none", "markeredgewidth": 1.6}
            ax.plot(100 * row["change"], place, marker, color=colour, markersize=7, **face)
        ax.plot([], [], marker, color=colour, markersize=7, linestyle="-", label=REFERENCE_TITLES.get(reference, reference))
    changes, ends = (np.abs(table[columns].to_numpy(dtype=float)) for columns in (["change"], ["low", "high"]))
    widest = 3 * max(np.nanmax(changes, initial=0.0), equivalent)  # intervals over two seeds may reach far beyond
    reach = 105 * min(widest, max(np.nanmax(ends, initial=0.0), 1.1 * equivalent))
    ax.set(yticks=range(len(names)), yticklabels=names, xlim=(-reach, reach), ylim=(len(names) - 0.5, -0.5))
    ax.set_xlabel(f"{xlabel} [%], 95 % interval")
    ax.grid(False, axis="y")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=11)
    return ax
