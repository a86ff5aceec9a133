"""Figures of the page of protocol 2: damage beside the cost of retraining, and learning under the paper's settings."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinotes.figures.audit import not_run
from equinotes.figures.style import GREY, SERIES, SERIES_LINES, order_colour, order_marker


def plot_uses_and_costs(uses: pd.DataFrame, dots: pd.DataFrame, costs: pd.DataFrame, cost_dots: pd.DataFrame) -> Figure:
    """Left: what shuffling one order does to the error. Right: what training without orders does. One row for each.

    Tables as in `equinotes.audit.report.deciding.Chart`. Small marks are seeds, large ones means with their interval.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.4), sharey=True)
    names = costs["name"].tolist()
    places = {name: len(names) - place for place, name in enumerate(names)}
    for row in uses.to_dict("records"):
        place, colour = places[str(row["l"])], order_colour(row["l"])
        seeds = dots[dots["l"] == row["l"]]["damage"] + 1
        _row(left, place, row["damage"] + 1, row["low"] + 1, row["high"] + 1, seeds, colour, order_marker(row["l"]))
    for row in costs.to_dict("records"):
        seeds = cost_dots[cost_dots["name"] == row["name"]]["cost"] + 1
        first = int(row["name"][0])
        colour = GREY if " " in row["name"] else order_colour(first)
        _row(right, places[row["name"]], row["cost"] + 1, row["low"] + 1, row["high"] + 1, seeds, colour, order_marker(first))
    measured = set(map(str, uses["l"])) if len(uses) else set()
    for name, place in places.items():
        if name not in measured:
            _absent(left, place, "not measured" if " " in name else "not run")
        if costs.set_index("name")["cost"].isna()[name]:
            _absent(right, place, "not run")
    for ax, title in ((left, "shuffled, beyond an untrained trunk"), (right, "trained without")):
        ax.axvline(1, color=GREY, linewidth=1)
        ax.set(title=title, xlabel="error, as a multiple")
    if uses.empty:
        left.set_xlim(0.9, 2)
    left.set_yticks(list(places.values()), [f"l = {name}" for name in names])
    left.set_ylim(0.4, len(names) + 0.6)
    return figure


def plot_at_the_papers_scale(curves: pd.DataFrame) -> Figure:
    """Errors on validation molecules by epoch, a panel for each network: MAE, RMSE and MSE beside the paper's number.

    Reads `network`, `seed`, `epoch`, `reading`, `value` and `reported`, as `equinotes.audit.report.top.curves` gives them.
    """
    if curves.empty:
        return not_run()
    networks, readings = curves["network"].unique(), curves["reading"].unique()
    figure, axes = plt.subplots(1, len(networks), figsize=(3.4 * len(networks) + 1.6, 3.8), squeeze=False, sharey=True)
    for ax, network in zip(axes.flat, networks, strict=True):
        of = curves[curves["network"] == network]
        for place, reading in enumerate(readings):
            look = {"color": SERIES(place / (len(readings) - 1)), "linestyle": SERIES_LINES[place]}
            for seed, run in of[of["reading"] == reading].groupby("seed"):
                ax.plot(run["epoch"], run["value"], label=reading if seed == of["seed"].min() else None, **look)
        ax.axhline(of["reported"].iloc[0], color=GREY, linewidth=3, alpha=0.6, label="test error that the paper prints")
        ax.set(title=f"orders {network}", xlabel="epoch", yscale="log")
        ax.yaxis.set_major_formatter("{x:g}")
    axes[0, 0].set_ylabel("validation error [eV, eV²]")
    columns = 4 if len(networks) > 1 else 2
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize=11)
    return figure


def plot_two_networks(table: pd.DataFrame, names: tuple[str, str]) -> Figure:
    """Validation errors of two networks after every epoch, averaged weights, in one panel.

    Reads `epoch`, `first` and `second` [eV], as `equinotes.audit.report.top.by_epoch` gives them.
    """
    if table.empty:
        return not_run()
    figure, ax = plt.subplots(figsize=(5.6, 3.4))
    for place, (column, name) in enumerate(zip(("first", "second"), names, strict=True)):
        ax.plot(table["epoch"], table[column], color=SERIES(float(place)), linestyle=SERIES_LINES[place], label=f"orders {name}")
    ax.set(xlabel="epoch", ylabel="validation MAE [eV]", yscale="log")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend(loc="lower left")
    return figure


def _row(ax: Axes, place: int, value: float, low: float, high: float, seeds: pd.Series, colour: str, marker: str) -> None:
    if value != value:
        return
    ax.plot([low, high], [place, place], color=colour, linewidth=2)
    ax.plot([value], [place], marker=marker, color=colour, markersize=9, linestyle="none")
    ax.plot(seeds, [place - 0.25] * len(seeds), marker=marker, color=colour, markersize=4, linestyle="none", alpha=0.8)


def _absent(ax: Axes, place: int, words: str) -> None:
    ax.text(0.03, place, words, color=GREY, va="center", fontsize=10, transform=ax.get_yaxis_transform())
