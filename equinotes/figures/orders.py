"""Is an order used? Everything at a glance, then one diagnostic at a time beside its control."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from equinotes.figures.audit import LOOKS, REFERENCE_TITLES, label_edges, not_run, rows_of
from equinotes.figures.style import GREY, SEQUENTIAL, new_axes, order_colour, order_marker


class Measure(NamedTuple):
    """One column of panels of the glance: its title, the colours' scale, and what a dot says."""

    title: str
    norm: Normalize
    label: str


MEASURES = {
    "gradient": Measure("gradient flow", Normalize(0, 1), "share of the block's flow"),
    "damage": Measure("damage when shuffled", LogNorm(0.01, 3, clip=True), "share of the MAE"),
    "structure": Measure("structured", Normalize(0, 0.6, clip=True), "above the null"),
    "probe": Measure("gain by training", Normalize(0, 0.5, clip=True), "$R^2$ less untrained"),
}
"""What the glance shows of each order, block and seed."""

KINDS = {"spoilt": "spoilt", "retrained": "trained without"}
"""Two ways to remove orders."""


def plot_glance(cells: pd.DataFrame, used: pd.DataFrame, *, measures: Sequence[str] | None = None) -> Figure:
    """Every order of every set, block by block and seed by seed: one cell each, a dot where a threshold is met.

    A row of panels for each set of orders. First, bars: share of the seeds that use the order. Then a panel for each measure, in
    which an order has a line of cells for each reference of the target, a group of cells for each block, a cell for each seed.

    `cells` has `set`, `l`, `reference`, `block`, `seed`, `measure`, `value` and `mark`; `used` has `set`, `l`, `reference`,
    `used` and `seeds` (counts). Empty cells were not run. `measures` are all of the cells unless given; one without a look of its
    own has its name as title and colours up to its largest value.
    """
    measures = list(dict.fromkeys([*MEASURES, *cells["measure"]])) if measures is None else measures
    looks = {measure: look_of(measure, cells) for measure in measures}
    sets, references = list(dict.fromkeys(used["set"])), list(dict.fromkeys(used["reference"]))
    orders = {name: sorted(used[used["set"] == name]["l"].unique()) for name in sets}
    heights = [len(orders[name]) + 0.4 for name in sets]
    size = (8.0, 0.14 * max(2, len(references)) * sum(heights) + 2.3)
    ratios = [0.5, *[1.0] * len(measures)]
    fig, axes = plt.subplots(
        len(sets), len(ratios), figsize=size, squeeze=False, height_ratios=heights, width_ratios=ratios,
        layout=ConstrainedLayoutEngine(h_pad=0.07),  # a set stands apart from the next
    )  # fmt: skip
    for line, name in zip(axes, sets, strict=True):
        _draw_used(line[0], used[used["set"] == name], orders[name], references)
        line[0].set_ylabel(f"orders\n{name}", fontsize=10)
        for ax, measure in zip(line[1:], measures, strict=True):
            part = cells[(cells["set"] == name) & (cells["measure"] == measure)]
            _draw_cells(ax, part, orders[name], references, looks[measure])
            _share_lines(ax, orders[name], references, labels=False)
        for ax in line if name != sets[-1] else []:
            ax.tick_params(axis="x", labelbottom=False, length=0)
    axes[0, 0].set_title("used by\n(seeds)", fontsize=10)
    axes[-1, 0].set_xlabel("share of seeds", fontsize=9)
    for ax, measure in zip(axes[0, 1:], measures, strict=True):
        ax.set_title(looks[measure].title, fontsize=10)
    for ax, column, measure in zip(axes[-1, 1:], axes.T[1:], measures, strict=True):
        ax.set_xlabel("block", fontsize=9)
        known = looks[measure]
        bar = fig.colorbar(
            plt.cm.ScalarMappable(known.norm, SEQUENTIAL), ax=list(column), location="bottom", aspect=12, shrink=0.8
        )
        bar.set_label(known.label, fontsize=9)
        bar.ax.tick_params(labelsize=8)
    return fig


def look_of(measure: str, cells: pd.DataFrame) -> Measure:
    """How a measure is drawn: as `MEASURES` says, or plainly from its least value (or 0) to its largest."""
    if measure in MEASURES:
        return MEASURES[measure]
    values = cells[cells["measure"] == measure]["value"]
    return Measure(measure, Normalize(min(0.0, float(values.min())), float(values.max()) or 1.0), measure)


def _draw_used(ax: Axes, used: pd.DataFrame, orders: list[int], references: list[str]) -> None:
    for row in rows_of(used):
        place = _line(orders, references, row.l, row.reference)
        share = row.used / row.seeds if row.seeds else 0.0
        ax.barh(place, share, height=0.8, color=order_colour(row.l), alpha=0.85)
        words = f"{row.used}/{row.seeds}" if row.seeds else "not run"
        ax.annotate(words, (1.04, place), xycoords=("axes fraction", "data"), va="center", color=GREY, fontsize=8.5)
    ax.set(xlim=(0, 1), xticks=[0, 1])
    ax.tick_params(axis="x", labelsize=8)
    _share_lines(ax, orders, references, labels=True)


def _draw_cells(ax: Axes, part: pd.DataFrame, orders: list[int], references: list[str], measure: Measure) -> None:
    """Cells of one panel, with a gap after each block and after each order."""
    blocks, seeds = sorted(part["block"].unique()), sorted(part["seed"].unique())
    step = len(seeds) + 1
    grid = np.full((int(_line(orders, references, orders[-1], references[-1])) + 1, max(1, step * len(blocks) - 1)), np.nan)
    dots = []
    for row in rows_of(part):
        x = blocks.index(row.block) * step + seeds.index(row.seed)
        y = int(_line(orders, references, row.l, row.reference))
        grid[y, x] = row.value
        if row.mark:
            dots.append((x, y))
    ax.imshow(grid, cmap=SEQUENTIAL, norm=measure.norm, aspect="auto", interpolation="none")
    if dots:
        x, y = np.transpose(dots)
        ax.scatter(x, y, s=4, color="white", edgecolors="black", linewidths=0.4, zorder=3)
    if part.empty:
        ax.annotate("not run", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=GREY, fontsize=9)
    ax.set_xticks([place * step + (step - 2) / 2 for place in range(len(blocks))], [str(block) for block in blocks])
    ax.tick_params(axis="x", labelsize=8, length=0)


def _line(orders: list[int], references: list[str], l: int, reference: str) -> float:
    """Place of an order's line of one reference; a line is left free below each order where there are several."""
    return orders.index(l) * _lines_per_order(references) + references.index(reference)


def _lines_per_order(references: list[str]) -> int:
    return len(references) + (len(references) > 1)


def _share_lines(ax: Axes, orders: list[int], references: list[str], *, labels: bool) -> None:
    """The same lines for the same orders in all panels of a set."""
    middle = (len(references) - 1) / 2
    places = [_line(orders, references, l, references[0]) + middle for l in orders]
    ax.set_yticks(places, [str(l) for l in orders] if labels else [""] * len(orders))
    ax.set_ylim(places[-1] + middle + 0.6, -0.6)
    ax.tick_params(axis="y", length=0, labelsize=10)
    ax.grid(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def plot_beside_control(
    table: pd.DataFrame, *, ylabel: str, value: str = "value", columns: int = 3, line: float | None = None, height: float = 2.3
) -> Figure:
    """One number for each order and seed, trained (filled, in the order's colour) beside untrained (hollow, grey).

    A panel for each `set`. Reads `set`, `l`, `trained`, `value` and, where there is a null, `null_low` and `null_high`, drawn
    as grey bars; `line` is a level to compare with.
    """
    sets = list(dict.fromkeys(table["set"]))
    if not sets:
        return not_run()
    rows = -(-len(sets) // columns)
    widths = (2.9 * columns, height * rows + 0.8)
    fig, axes = plt.subplots(rows, columns, figsize=widths, sharey=True, squeeze=False, layout="constrained")
    for ax in axes.flat[len(sets) :]:
        ax.axis("off")
    for ax, name in zip(axes.flat, sets, strict=False):
        part = table[table["set"] == name]
        orders = sorted(part["l"].unique())
        for place, l in enumerate(orders):
            for trained, shift in ((True, -0.17), (False, 0.17)):
                found = part[(part["l"] == l) & (part["trained"] == trained)]
                places = place + shift + (np.arange(len(found)) - (len(found) - 1) / 2) * min(0.05, 0.3 / max(1, len(found)))
                if "null_high" in found and len(found):
                    ax.vlines(places, found["null_low"], found["null_high"], color=GREY, linewidth=3, alpha=0.4)
                colour = order_colour(l) if trained else GREY
                look: dict[str, Any] = {"facecolors": colour if trained else "none", "edgecolors": colour, "linewidths": 1.1}
                ax.scatter(places, found[value], marker=order_marker(l), s=24, zorder=3, **look)
        if line is not None:
            ax.axhline(line, color=GREY, linestyle="--", linewidth=1.1)
        ax.set(title=f"orders {name}", xticks=range(len(orders)), xticklabels=orders)
        ax.grid(False, axis="x")
    drawn = table[[name for name in (value, "null_low", "null_high") if name in table]]
    axes[0, 0].set_ylim(min(0.0, 1.05 * float(drawn.min().min())), 1.05 * float(drawn.max().max()) or 1.0)
    label_edges(axes, "order $l$", ylabel, len(sets))
    signs: list[Any] = [Line2D([], [], color=GREY, marker="o", linestyle="", label="trained (colour of the order)"),
             Line2D([], [], color=GREY, marker="o", markerfacecolor="none", linestyle="", label="untrained")]  # fmt: skip
    if "null_high" in table:
        signs.append(Patch(color=GREY, alpha=0.4, label="null"))
    fig.legend(handles=signs, loc="outside lower center", ncols=3, fontsize=10)
    return fig


def plot_spoilt_and_retrained(table: pd.DataFrame, ax: Axes | None = None, *, linear: float = 10.0) -> Axes:
    """What a trained network loses with orders, beside what networks lose that never had them.

    Reads `name`, `reference`, `kind` ("spoilt" or "retrained"), `change`, `low`, `high` as fractions of the MAE. The axis is
    linear up to `linear` per cent and logarithmic beyond. Rows without a change say that they were not run.
    """
    names, references = list(dict.fromkeys(table["name"])), list(dict.fromkeys(table["reference"]))
    ax = new_axes(ax, width=7.6, height=0.3 * 2 * len(names) * max(1, len(references)) / 1.4 + 1.9)
    lines = [(reference, kind) for reference in references for kind in KINDS]
    for k, (reference, kind) in enumerate(lines):
        colour, marker = LOOKS.get(reference, (GREY, "o"))
        shift = (k - (len(lines) - 1) / 2) * 0.8 / max(1, len(lines))
        face = colour if kind == "spoilt" else "none"
        for row in rows_of(table[(table["reference"] == reference) & (table["kind"] == kind)]):
            place = names.index(row.name) + shift
            ax.plot([100 * row.low, 100 * row.high], [place, place], color=colour, linewidth=2.2)
            ax.plot(100 * row.change, place, marker, color=colour, markerfacecolor=face, markersize=7, markeredgewidth=1.6)
        label = f"{KINDS[kind]}, {REFERENCE_TITLES.get(reference, reference)}"
        ax.plot([], [], marker, color=colour, markerfacecolor=face, markersize=7, linestyle="-", label=label)
    ax.axvline(0, color=GREY, linewidth=1.2)
    ax.set_xscale("symlog", linthresh=linear)
    ax.set_xticks([-30, -10, -5, 0, 5, 10, 30, 100, 300, 1000], minor=False)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda number, _: f"{number:g}")
    ends = table[["low", "high", "change"]].to_numpy(dtype=float)
    if np.isfinite(ends).any():
        ax.set_xlim(min(-12.0, 130 * np.nanmin(ends)), max(12.0, 130 * np.nanmax(ends)))
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.set_xlabel("change of the MAE [%]")
    ax.grid(False, axis="y")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=1, fontsize=10)
    return ax
