"""Is an order used? Everything at a glance, then one diagnostic at a time beside its control."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
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
    "gradient": Measure("gradient\nx activation", Normalize(0, 1), "share of the block's sum"),
    "damage": Measure("damage\nwhen shuffled", LogNorm(0.01, 3, clip=True), "share of the MAE"),
    "structure": Measure("structured", Normalize(0, 0.6, clip=True), "above the null"),
    "probe": Measure("gain by\ntraining", Normalize(0, 0.5, clip=True), "$R^2$ less untrained"),
}
"""What the glance shows of each order, block and seed."""

KINDS = {"spoilt": "spoilt", "retrained": "trained without"}
"""Two ways to remove orders."""


def plot_glance(
    cells: pd.DataFrame, used: pd.DataFrame, *, measures: Sequence[str] | None = None, agreeing: float = 0.8
) -> Figure:
    """Every order of every set, block by block: one cell each, the mean over seeds, and a dot where seeds agree.

    Lines are orders, in a group for each set, with a line for each reference of the target. First, bars: share of the seeds that
    use the order. Then a panel for each measure, with a column for each block.

    `cells` has `set`, `l`, `reference`, `block`, `seed`, `measure`, `value` and `mark`; a dot says that the share `agreeing` of
    the seeds, or more, is marked. `used` has `set`, `l`, `reference`, `used` and `seeds` (counts). Empty cells were not run.
    `measures` are all of the cells unless given; one without a look of its own has its name as title and colours up to its
    largest value.
    """
    measures = list(dict.fromkeys([*MEASURES, *cells["measure"]])) if measures is None else measures
    lines = _lines(used)
    size, ratios = (7.8, 0.19 * (max(lines.values()) + 1) + 1.2), [0.55, *[1.0] * len(measures)]
    fig, axes = plt.subplots(
        2, len(ratios), figsize=size, squeeze=False, height_ratios=[1, 0.018], width_ratios=ratios, layout="constrained"
    )
    _draw_used(axes[0, 0], used, lines)
    axes[1, 0].axis("off")
    for ax, colours, measure in zip(axes[0, 1:], axes[1, 1:], measures, strict=True):
        look, part = look_of(measure, cells), cells[cells["measure"] == measure]
        _draw_cells(ax, part, lines, look, agreeing)
        ax.set_title(look.title, fontsize=10)
        bar = fig.colorbar(plt.cm.ScalarMappable(look.norm, SEQUENTIAL), cax=colours, orientation="horizontal")
        bar.set_label(look.label, fontsize=10)
        bar.ax.tick_params(labelsize=10)
        bar.ax.xaxis.set_minor_locator(NullLocator())
    return fig


def look_of(measure: str, cells: pd.DataFrame) -> Measure:
    """How a measure is drawn: as `MEASURES` says, or plainly from its least value (or 0) to its largest."""
    if measure in MEASURES:
        return MEASURES[measure]
    values = cells[cells["measure"] == measure]["value"]
    return Measure(measure, Normalize(min(0.0, float(values.min())), float(values.max()) or 1.0), measure)


Line = tuple[str, int, str]
"""Set of orders, order, reference."""


def _lines(used: pd.DataFrame) -> dict[Line, int]:
    """Place of each line from above; above each set there is room for its name."""
    places, place = dict[Line, int](), 0
    for name, of_set in used.groupby("set", sort=False):
        place += 1 + bool(places)
        for row in rows_of(of_set.sort_values(["l", "reference"])):
            places[str(name), row.l, row.reference] = place
            place += 1
    return places


def _draw_used(ax: Axes, used: pd.DataFrame, lines: dict[Line, int]) -> None:
    for row in rows_of(used):
        place = lines[row.set, row.l, row.reference]
        ax.barh(place, row.used / row.seeds if row.seeds else 0.0, height=0.8, color=order_colour(row.l), alpha=0.85)
        words = f"{row.used}/{row.seeds}" if row.seeds else "not run"
        ax.annotate(words, (1.04, place), xycoords=("axes fraction", "data"), va="center", color=GREY, fontsize=10)
    for name in dict.fromkeys(used["set"]):
        first = min(place for line, place in lines.items() if line[0] == name)
        ax.annotate(f"orders {name}", (0, first - 1), va="center", color=GREY, fontsize=10, weight="bold", annotation_clip=False)
    ax.set(xlim=(0, 1), xticks=[0, 1])
    ax.set_title("used by\n(seeds)", fontsize=10)
    ax.tick_params(axis="x", labelsize=10)
    _share_lines(ax, lines)
    ax.set_yticks(list(lines.values()), [str(l) for _, l, _ in lines])


def _draw_cells(ax: Axes, part: pd.DataFrame, lines: dict[Line, int], look: Measure, agreeing: float) -> None:
    """Means over seeds of one measure, as colours; dots where enough seeds are marked."""
    blocks = sorted(part["block"].unique())
    grid = np.full((max(lines.values()) + 1, max(1, len(blocks))), np.nan)
    dots = []
    for cell in rows_of(part.groupby(["set", "l", "reference", "block"], as_index=False)[["value", "mark"]].mean()):
        if (line := (cell.set, cell.l, cell.reference)) in lines:
            grid[lines[line], blocks.index(cell.block)] = cell.value
            if cell.mark >= agreeing:
                dots.append((blocks.index(cell.block), lines[line]))
    ax.imshow(grid, cmap=SEQUENTIAL, norm=look.norm, aspect="auto", interpolation="none")
    if dots:
        x, y = np.transpose(dots)
        ax.scatter(x, y, s=12, color="white", edgecolors="black", linewidths=0.6, zorder=3)
    for name in dict.fromkeys(line[0] for line in lines):
        places = [place for line, place in lines.items() if line[0] == name]
        if np.isnan(grid[places]).all():
            middle = ((len(blocks) or 1) / 2 - 0.5, float(np.mean(places)))
            ax.annotate("not run", middle, ha="center", va="center", color=GREY, fontsize=10)
    ax.set_xticks(range(len(blocks)), [str(block) for block in blocks])
    ax.set_xlabel("block", fontsize=10)
    ax.tick_params(axis="x", labelsize=10, length=0)
    _share_lines(ax, lines)


def _share_lines(ax: Axes, lines: dict[Line, int]) -> None:
    """The same lines for the same orders in all panels."""
    ax.set_yticks([])
    ax.set_ylim(max(lines.values()) + 0.6, -0.6)
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
    fig.legend(handles=signs, loc="outside lower center", ncols=3, fontsize=11)
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
        found = table[(table["reference"] == reference) & (table["kind"] == kind)]
        if found["change"].isna().all():
            continue
        for row in rows_of(found):
            place = names.index(row.name) + shift
            ax.plot([100 * row.low, 100 * row.high], [place, place], color=colour, linewidth=2.2)
            ax.plot(100 * row.change, place, marker, color=colour, markerfacecolor=face, markersize=7, markeredgewidth=1.6)
        label = f"{KINDS[kind]}, {REFERENCE_TITLES.get(reference, reference)}"
        ax.plot([], [], marker, color=colour, markerfacecolor=face, markersize=7, linestyle="-", label=label)
    ax.axvline(0, color=GREY, linewidth=1.2)
    ax.set_xscale("symlog", linthresh=linear)
    ax.set_xticks([-30, -10, -5, 0, 5, 10, 30, 100, 300, 1000], minor=False)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda number, _: f"{number:g}".replace("-", "−"))
    ends = table[["low", "high", "change"]].to_numpy(dtype=float)
    if np.isfinite(ends).any():
        ax.set_xlim(min(-12.0, 130 * np.nanmin(ends)), max(12.0, 130 * np.nanmax(ends)))
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.set_xlabel("change of the MAE [%]")
    ax.grid(False, axis="y")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=1, fontsize=11)
    return ax
