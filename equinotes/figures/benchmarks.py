"""How long training steps take, beside those of others."""

import json

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from equinotes.figures.style import new_axes, reference_line, series_look
from equinotes.support.text import set_name


def plot_step_ratios(training: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Time of a step as a multiple of equinotes' own, for each set of orders: median within rounds, bars between quartiles.

    Reads `orders`, `mul`, `contestant`, `times_equinotes`, and its quartiles `times_equinotes_q1` and `times_equinotes_q3`.
    """
    ax = new_axes(ax, height=4.6)
    cases = list(dict.fromkeys(zip(training["orders"], training["mul"], strict=True)))
    others = [name for name in dict.fromkeys(training["contestant"]) if name != "equinotes"]
    for number, name in enumerate(others):
        rows = training[training["contestant"] == name]
        places = [
            cases.index(case) + 0.18 * (number - (len(others) - 1) / 2) for case in zip(rows["orders"], rows["mul"], strict=True)
        ]
        middle = rows["times_equinotes"]
        low, high = middle - rows["times_equinotes_q1"], rows["times_equinotes_q3"] - middle
        ax.errorbar(middle, places, xerr=[low, high], label=name,
                    **series_look(number, len(others)) | {"linestyle": ""})  # fmt: skip
    ax.axvline(1, color=ax.xaxis.label.get_color(), linestyle="--", linewidth=1.2)
    ax.set(xscale="log", xlabel="time of a step, as a multiple of equinotes'", yticks=range(len(cases)))
    ax.set(yticklabels=[set_name(json.loads(orders), mul) for orders, mul in cases], ylabel="orders (channels)")
    ax.invert_yaxis()
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=max(1, len(others)), fontsize=10)
    return ax


def plot_cost_by_lmax(training: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Milliseconds per molecule and step against the highest order, a line for each contestant.

    Reads `contestant`, `lmax`, `median_ms` and `batch_size`.
    """
    ax = new_axes(ax)
    names = training["contestant"].nunique()
    for number, (name, rows) in enumerate(training.groupby("contestant", sort=False)):
        rows = rows.sort_values("lmax")
        cost = rows["median_ms"] / rows["batch_size"]
        ax.plot(rows["lmax"], cost, label=name, **series_look(number, names))
    ax.set(yscale="log", xlabel=r"highest order $l_\max$", ylabel="time per molecule and step [ms]")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_cost_by_size(sizes: pd.DataFrame, x: str, ax: Axes | None = None) -> Axes:
    """Time per molecule as a share of the reference's, with quartiles, against `x`, "batch_size" or "dataset_size".

    Reads `orders`, `mul`, `times_reference`, `times_reference_q1`, `times_reference_q3` and the column `x`.
    """
    ax = new_axes(ax, height=3.2)
    groups = sizes.groupby(["orders", "mul"], sort=False)
    for number, (_, rows) in enumerate(groups):
        about = rows.iloc[0]
        middle = rows["times_reference"]
        spread = [middle - rows["times_reference_q1"], rows["times_reference_q3"] - middle]
        name = set_name(json.loads(about["orders"]), int(about["mul"]))
        ax.errorbar(rows[x], middle, yerr=spread, label=name, **series_look(number, groups.ngroups))
    reference_line(ax, 1, "")
    labels = sorted(sizes[x].unique())
    ax.set(xscale="log", xlabel=x.replace("_", " "), ylabel="time per molecule, relative", ylim=(0, None))
    ax.set_xticks(labels, [f"{label:,}" for label in labels], minor=False)
    ax.minorticks_off()
    ax.legend(loc="lower left")
    return ax
