"""Layers and orders of published models: trained weights beside random ones."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equinotes.figures.audit import label_edges, not_run
from equinotes.figures.style import GREY, order_colour, order_marker

RANDOM = "random"


def plot_by_layer(table: pd.DataFrame, *, ylabel: str, threshold: float | None = None, label: str = "") -> Figure:
    """One number for each layer and order, a panel for each model.

    Reads `model`, `weights`, `layer`, `l`, `value` and, where there are intervals, `low` and `high`. Filled and joined by lines:
    trained weights; hollow: random weights, a mark for each draw. `threshold` is a level with its `label`.
    """
    models = list(dict.fromkeys(table["model"]))
    if not models:
        return not_run()
    fig, axes = plt.subplots(
        1, len(models), figsize=(3.7 * len(models) + 0.6, 3.4), sharey=True, squeeze=False, layout="constrained"
    )
    orders = sorted(table["l"].unique())
    for ax, model in zip(axes.flat, models, strict=True):
        for place, l in enumerate(orders):
            shift = (place - (len(orders) - 1) / 2) * 0.13
            part = table[(table["model"] == model) & (table["l"] == l)]
            trained, random = part[part["weights"] != RANDOM], part[part["weights"] == RANDOM]
            look = {"color": order_colour(l), "marker": order_marker(l), "markersize": 5.5}
            ax.plot(trained["layer"] + shift, trained["value"], linewidth=1.2, **look)
            if "low" in trained:
                ax.vlines(trained["layer"] + shift, trained["low"], trained["high"], color=order_colour(l), linewidth=2)
            ax.plot(random["layer"] + shift, random["value"], linestyle="", markerfacecolor="none", **look)
        ax.set(title=model, xticks=sorted(table["layer"].unique()))
        ax.grid(False, axis="x")
        if threshold is not None:
            ax.axhline(threshold, color=GREY, linestyle="--", linewidth=1.2)
    label_edges(axes, "layer", ylabel, len(models))
    signs = [Line2D([], [], color=order_colour(l), marker=order_marker(l), label=f"$l={l}$") for l in orders]
    if (table["weights"] == RANDOM).any():
        random = {"linestyle": "", "markerfacecolor": "none", "label": "random weights"}
        signs += [Line2D([], [], color=GREY, marker="o", **look) for look in ({"label": "trained"}, random)]
    if threshold is not None:
        signs.append(Line2D([], [], color=GREY, linestyle="--", label=label))
    fig.legend(handles=signs, loc="outside lower center", ncols=4, fontsize=11)
    return fig
