"""How networks learn, and how far they get."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from equinotes.figures.style import GREY, SERIES, new_axes, order_colour, reference_line, series_look


def plot_learning_curves(
    metrics: pd.DataFrame, ax: Axes | None = None, *, y: str = "val_mae_eV", ylabel: str = "validation MAE [eV]",
    baselines: Mapping[str, float] | None = None,
) -> Axes:  # fmt: skip
    """Error against epoch, a thin line for each run and a thick one for the mean over seeds of each lmax.

    Reads columns `lmax`, `seed`, `epoch` and `y`; `baselines` are drawn as named lines.
    """
    ax = new_axes(ax)
    for k, (lmax, runs) in enumerate(metrics.groupby("lmax")):
        look = series_look(k, metrics["lmax"].nunique())
        for _, run in runs.groupby("seed"):
            ax.plot(run["epoch"], run[y], color=look["color"], linewidth=0.8, alpha=0.5)
        mean = runs.groupby("epoch")[y].mean()
        ax.plot(mean.index, mean, markersize=6, linewidth=2.2, label=f"lmax {lmax}", **look)
    for name, value in (baselines or {}).items():
        reference_line(ax, value, name)
    ax.set(xlabel="epoch", ylabel=ylabel, yscale="log")
    _plain_log_ticks(ax)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_error_by_lmax(
    runs: pd.DataFrame, ax: Axes | None = None, *, y: str = "test_mae_eV", ylabel: str = "test MAE [eV]",
    baselines: Mapping[str, float] | None = None,
) -> Axes:  # fmt: skip
    """Test error against lmax: a dot for each seed, a bar for the mean, and baselines as named lines. Reads `lmax` and `y`."""
    ax = new_axes(ax)
    values = sorted(runs["lmax"].unique())
    for place, lmax in enumerate(values):
        errors = runs.loc[runs["lmax"] == lmax, y].to_numpy()
        _draw_seeds(ax, place, errors, SERIES(0.5))
    for name, value in (baselines or {}).items():
        reference_line(ax, value, name)
    ax.set(xlabel="highest order lmax", ylabel=ylabel, xticks=range(len(values)), xticklabels=values)
    ax.set(xlim=(-0.6, len(values) - 0.4 + 0.6 * bool(baselines)), ylim=(0, None))
    _legend_of_seeds(ax)
    return ax


def plot_error_by_orders(
    runs: pd.DataFrame, ax: Axes | None = None, *, y: str = "test_mae_eV", ylabel: str = "test MAE [eV]"
) -> Axes:
    """Test error of each set of orders: a dot for each seed, a bar for the mean. Reads `ls` (tuples) and `y`.

    The sets stand in the order in which they first appear; the first one is the reference, whose mean is drawn through.
    """
    ax = new_axes(ax)
    sets = list(dict.fromkeys(map(tuple, runs["ls"])))
    for place, ls in enumerate(sets):
        errors = runs.loc[[tuple(other) == ls for other in runs["ls"]], y].to_numpy()
        _draw_seeds(ax, place, errors, GREY if place == 0 else order_colour(_missing(sets[0], ls)))
        if place == 0:
            ax.axhline(errors.mean(), color=GREY, linestyle="--", linewidth=1.2)
    names = ["{" + ", ".join(map(str, ls)) + "}" for ls in sets]
    ax.set(xlabel="orders in the network", ylabel=ylabel, xticks=range(len(sets)), xticklabels=names)
    ax.set(xlim=(-0.6, len(sets) - 0.4), ylim=(0, None))
    _legend_of_seeds(ax)
    return ax


def _draw_seeds(ax: Axes, place: int, errors: np.ndarray, colour: Any) -> None:
    spread = (np.arange(len(errors)) - (len(errors) - 1) / 2) * 0.12
    ax.scatter(place + spread, errors, color=colour, s=42, zorder=3, alpha=0.9)
    ax.hlines(errors.mean(), place - 0.3, place + 0.3, color=colour, linewidth=2.5)


def _legend_of_seeds(ax: Axes) -> None:
    signs = [
        Line2D([], [], color=GREY, marker="o", linestyle="", label="one seed"),
        Line2D([], [], color=GREY, linewidth=2.5, label="mean over seeds"),
    ]
    ax.legend(handles=signs, loc="lower left")


def _missing(whole: tuple[int, ...], ls: tuple[int, ...]) -> int | str:
    """The order that a set lacks, if it lacks exactly one."""
    lacking = sorted(set(whole) - set(ls))
    return lacking[0] if len(lacking) == 1 else "several"


def _plain_log_ticks(ax: Axes) -> None:
    """Numbers instead of powers of ten: errors rarely span more than one decade."""
    ax.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
