"""Training strategies beside their controls: changes of the error and of the use of every order."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinotes.figures.audit import not_run
from equinotes.figures.style import GREY, SERIES, order_colour, order_marker


def plot_strategies(effects: pd.DataFrame, names: list[str], orders: list[int]) -> Figure:
    """One row per strategy, one panel for the error and one for the use of each order.

    Filled marks: against the plain network; hollow ones below them: against the control; lines are intervals. Reads `strategy`,
    `quantity` ("error", "use of 1"), `against`, `estimate`, `low`, `high`. A strategy without rows says that it was not run, and
    one with rows in other panels alone that this was not measured.
    """
    if not len(effects):
        return not_run("not run yet")
    panels = ["error", *(f"use of {l}" for l in orders)]
    size = (2.4 + 1.6 * len(panels), 0.8 + 0.36 * len(names))
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    places = {name: len(names) - place for place, name in enumerate(names)}
    run = set(effects["strategy"])
    for ax, panel in zip(axes[0], panels, strict=True):
        l = None if panel == "error" else int(panel.removeprefix("use of "))
        colour, marker = (SERIES(0.3), "o") if l is None else (order_colour(l), order_marker(l))
        rows = effects[effects["quantity"] == panel]
        for row in rows.to_dict("records"):
            hollow = row["against"] == "control"
            _mark(ax, row, places[row["strategy"]] - 0.25 * hollow, colour, marker, hollow)
        there = set(rows["strategy"])
        at = np.array([places[name] for name in names if name in there])
        ax.vlines(np.zeros(len(at)), at - 0.5, at + 0.5, color=GREY, linewidth=1)
        words = {"color": GREY, "va": "center", "ha": "center", "fontsize": 10, "transform": ax.get_yaxis_transform()}
        for name in set(names) - there:
            ax.text(0.5, places[name], "not measured" if name in run else "not run yet", **words)
        ax.set(title="error" if l is None else f"use of $l={l}$", xlabel="relative change" if l is None else "change of damage")
        if not len(rows):
            ax.set_xlim(-0.1, 0.1)
    axes[0][0].set_yticks(list(places.values()), names)
    axes[0][0].set_ylim(0.3, len(names) + 0.7)
    return figure


def plot_free_scales(sizes: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Mean squares of every order behind every block, before and after a change that no prediction shows.

    Reads `block`, `l`, `before`, `after`.
    """
    ax = ax or plt.subplots(figsize=(6, 3.2))[1]
    for l in sorted(set(sizes["l"].tolist())):
        rows, colour, marker = sizes[sizes["l"] == l], order_colour(l), order_marker(l)
        ax.plot(rows["block"], rows["before"], color=colour, marker=marker, label=f"$l={l}$")
        ax.plot(rows["block"], rows["after"], color=colour, marker=marker, ls="--", mfc="none")
    ax.set(yscale="log", xlabel="block", ylabel="mean square of the features", xticks=np.unique(sizes["block"]))
    ax.legend(title="before (after: dashed)", loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _mark(ax: Axes, row: dict, place: float, colour: object, marker: str, hollow: bool) -> None:
    if np.isnan(row["estimate"]):
        return
    ax.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1 if hollow else 2)
    ax.plot([row["estimate"]], [place], marker=marker, color=colour, mfc="none" if hollow else colour, markersize=6, ls="none")
