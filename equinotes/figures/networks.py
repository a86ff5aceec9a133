"""Networks beside each other: what their attention looks at, and what their orders are worth."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equinotes.figures.audit import not_run
from equinotes.figures.style import GREY, SERIES, order_colour, order_marker, series_look

PANELS = {"damage": "damage of a shuffle\nbehind the layer that hurts most", "cost": "cost of training without it"}

RATIOS = (0.4, 9.0)
"""Ratios of errors that `plot_costs` shows; further ones only where a mean lies there."""


def plot_attention(trained: pd.DataFrame, untrained: pd.DataFrame) -> Figure:
    """Weight of an edge times its atom's number of neighbours, by layer and the two elements; 1 is a plain mean.

    Reads `side`, `ends`, `weight` and `entropy`, the same for all rows of a layer. Hollow: the untrained network.
    """
    layers, pairs = list(dict.fromkeys(trained["side"])), list(dict.fromkeys(trained["ends"]))
    size = (2 + 2.4 * len(layers), 1.3 + 0.28 * len(pairs))
    figure, axes = plt.subplots(1, len(layers), figsize=size, sharey=True, sharex=True, squeeze=False)
    for ax, layer in zip(axes[0], layers, strict=True):
        entropies = []
        for table, hollow in ((untrained, True), (trained, False)):
            rows = table[table["side"] == layer].set_index("ends")["weight"].reindex(pairs)
            face = "none" if hollow else SERIES(0.3)
            ax.plot(rows, range(len(pairs)), ls="none", marker="o", color=SERIES(0.3), mfc=face, label=_state(hollow))
            entropies.append(table[table["side"] == layer]["entropy"].iloc[0])
        ax.axvline(1, color=GREY, linewidth=1)
        ax.set_title(f"{layer}\nentropy {entropies[0]:.3f} → {entropies[1]:.3f}")
    figure.supxlabel("weight × number of neighbours", color=GREY, fontsize=12)
    axes[0][0].set_yticks(range(len(pairs)), pairs)
    axes[0][0].invert_yaxis()
    axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def plot_worth(answers: pd.DataFrame) -> Figure:
    """Damage and cost of each order, by network, as relative changes of the error with intervals.

    Reads `title`, `l`, and `damage` and `cost` with `_low` and `_high`. A network without a number says that it was not
    run or, where its cost is known, not examined.
    """
    if answers[list(PANELS)].isna().all(axis=None):
        return not_run("not run yet")
    titles, orders = list(dict.fromkeys(answers["title"])), sorted(set(answers["l"]))
    figure, axes = plt.subplots(1, len(PANELS), figsize=(9, 1.2 + 0.6 * len(titles)), sharey=True)
    for ax, (name, words) in zip(axes, PANELS.items(), strict=True):
        for row in answers.to_dict("records"):
            height = len(titles) - titles.index(row["title"]) - 0.25 * orders.index(row["l"])
            _mark(ax, row, name, height)
        for number, title in enumerate(titles):
            of = answers[answers["title"] == title]
            if of[name].isna().all():
                place = (0.03, len(titles) - number - 0.25)
                missing = "not run yet" if of["cost"].isna().all() else "not examined yet"
                ax.text(*place, missing, color=GREY, va="center", transform=ax.get_yaxis_transform())
        ax.axvline(0, color=GREY, linewidth=1)
        ax.set(title=words, xlabel="relative change of the error")
        if answers[name].isna().all():
            ax.set_xlim(-0.1, 0.1)
    for l in orders:
        axes[-1].plot([], [], ls="none", marker=order_marker(l), color=order_colour(l), label=f"$l={l}$")
    axes[-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    axes[0].set_yticks(np.arange(len(titles), 0, -1), titles)
    axes[0].set_ylim(0.3, len(titles) + 0.5)
    return figure


def plot_costs(costs: pd.DataFrame) -> Figure:
    """Error without orders above 0 as a multiple of that with them, by network and place.

    Reads `title`, `place`, and `cost` (a relative change) with `_low` and `_high`. Intervals that are wider than the picture end
    at its edge; a place without a number is left out.
    """
    known = costs[costs["cost"].notna()]
    if not len(known):
        return not_run("not run yet")
    titles, places = list(dict.fromkeys(costs["title"])), list(dict.fromkeys(known["place"]))
    edges = min(RATIOS[0], 0.9 * (1 + known["cost"].min())), max(RATIOS[1], 1.1 * (1 + known["cost"].max()))
    figure, ax = plt.subplots(figsize=(8, 1.8 + 0.75 * len(titles)))
    for number, place in enumerate(places):
        rows = known[known["place"] == place]
        heights = [len(titles) - titles.index(title) - 0.7 * ((number + 0.5) / len(places) - 0.5) for title in rows["title"]]
        ratios, low, high = (1 + rows[name].to_numpy() for name in ("cost", "cost_low", "cost_high"))
        look = series_look(number, len(places)) | {"linestyle": "none"}
        ax.hlines(heights, np.maximum(low, edges[0]), np.minimum(high, edges[1]), color=look["color"])
        ax.plot(ratios, heights, **look, label=place)
    ax.axvline(1, color=GREY, linewidth=1)
    ax.set_xscale("log")
    ax.set(xlim=edges, xlabel="error without orders 1 and 2 / error with them", ylim=(0.4, len(titles) + 0.6))
    ticks = [0.5, 1, 2, 4, 8]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(np.arange(len(titles), 0, -1), titles)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _mark(ax: Axes, row: dict, name: str, height: float) -> None:
    if np.isnan(row[name]):
        return
    colour = order_colour(row["l"])
    ax.plot([row[f"{name}_low"], row[f"{name}_high"]], [height, height], color=colour)
    ax.plot([row[name]], [height], ls="none", marker=order_marker(row["l"]), color=colour)


def _state(hollow: bool) -> str:
    return "untrained" if hollow else "trained"
