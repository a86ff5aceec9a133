"""Pictures of the released code's behaviour: where it cuts a row of features, what its panels hold, what its score counts."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from equinotes.figures.style import GREY, SEQUENTIAL, new_axes, order_colour, order_label

ATOM_COLOURS = ("#c2571a", "#4a86e8")
"""First and second atom of a molecule."""


def plot_cuts(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """A row of features of each network as a bar, and below it the pieces that the released code cuts from it.

    Colours are the orders that the components belong to, numbers the orders that a piece is named after; what lies in no piece
    stays empty. Reads `network`, `cut`, `named`, `start`, `stop`, `holds` (tuples, the first of which is drawn).
    """
    networks = list(dict.fromkeys(table["network"]))
    ax = new_axes(ax, width=9.5, height=1.15 * len(networks) + 0.9)
    for k, network in enumerate(networks):
        rows = table[table["network"] == network]
        length = rows["stop"].max()
        for row in rows.to_dict("records"):
            top = 3 * k if row["cut"] == "irreps" else 3 * k + 1.05
            start, width = row["start"] / length, (row["stop"] - row["start"]) / length
            ax.add_patch(Rectangle((start, top), width, 0.9, color=order_colour(row["holds"][0]), linewidth=0))
            ax.plot([start, start], [top, top + 0.9], color=GREY, linewidth=0.6)
            ax.annotate(str(row["named"]), (start + width / 2, top + (0.45 if top == 3 * k else 1.2)),
                        ha="center", va="center", color="white" if top == 3 * k else GREY, fontsize=10,
                        weight="bold")  # fmt: skip
        ax.add_patch(Rectangle((0, 3 * k + 1.05), 1, 0.9, fill=False, edgecolor=GREY, linewidth=0.6))
        ax.annotate("in no panel", ((1 + rows.loc[rows["cut"] == "released", "stop"].max() / length) / 2, 3 * k + 1.5),
                    ha="center", va="center", color=GREY, fontsize=10)  # fmt: skip
        ax.annotate(network, (-0.01, 3 * k + 0.95), ha="right", va="center", color=GREY, annotation_clip=False)
    ax.set(
        xlim=(0, 1), ylim=(3 * len(networks) - 0.4, -0.2), yticks=[], xlabel="place in the row of features (share of its length)"
    )
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    return ax


def plot_panels(pictures: pd.DataFrame, score: Sequence[float] | np.ndarray, *, label: str, size: float = 2.0) -> Figure:
    """PHATE pictures, a row of panels for each way to cut or turn; a frame in the colour of the order that a panel really holds.

    Reads `row` (its name), `named` and `holds` (orders), `molecule` (place in `score`), `phate1`, `phate2`; no units.
    """
    rows, panels = list(dict.fromkeys(pictures["row"])), sorted(pictures["named"].unique())
    fig, axes = plt.subplots(len(rows), len(panels), figsize=(size * len(panels) + 1.0, (size + 0.55) * len(rows)),
                             squeeze=False, layout="constrained")  # fmt: skip
    score = np.asarray(score)
    low, high = np.quantile(score, [0.02, 0.98])
    for line, name in zip(axes, rows, strict=True):
        for ax, named in zip(line, panels, strict=True):
            part = pictures[(pictures["row"] == name) & (pictures["named"] == named)]
            holds = int(part["holds"].iloc[0])
            dots = ax.scatter(part["phate1"], part["phate2"], c=score[part["molecule"]], cmap=SEQUENTIAL, vmin=low, vmax=high,
                              s=5, linewidths=0, alpha=0.8, rasterized=True)  # fmt: skip
            ax.set(xticks=[], yticks=[])
            ax.set_title(f"named {named}\nholds {holds}", fontsize=10, color=GREY, weight="normal" if named == holds else "bold")
            ax.grid(False)
            for spine in ax.spines.values():
                spine.set(visible=True, color=order_colour(holds), linewidth=2)
        line[0].set_ylabel(name)
    fig.colorbar(dots, ax=axes, label=label, aspect=12 * len(rows), extend="both")
    return fig


def plot_first_atoms(table: pd.DataFrame, *, size: float = 3.2) -> Figure:
    """Where the first two atoms of the molecules lie, seen along z and x. Reads `frame`, `atom`, `x`, `y`, `z` [Angstrom]."""
    frames = list(dict.fromkeys(table["frame"]))
    fig, axes = plt.subplots(1, 2 * len(frames), figsize=(size * 2 * len(frames) * 0.72, size), layout="constrained",
                             sharex=True, sharey=True)  # fmt: skip
    for k, frame in enumerate(frames):
        for ax, across in zip(axes[2 * k : 2 * k + 2], ("x", "z"), strict=True):
            for colour, (atom, rows) in zip(
                ATOM_COLOURS, table[table["frame"] == frame].groupby("atom", sort=False), strict=True
            ):
                ax.scatter(rows[across], rows["y"], s=5, linewidths=0, alpha=0.4, color=colour, label=atom, rasterized=True)
            ax.set(xlabel=f"{across} [Å]", title=frame, aspect="equal")
    axes[0].set_ylabel("y [Å]")
    axes[0].set(xlim=(-4, 4), ylim=(-4, 4), xticks=[-3, 0, 3], yticks=[-3, 0, 3])
    signs = [Line2D([], [], color=c, marker="o", linestyle="", label=name) for c, name in
             zip(ATOM_COLOURS, dict.fromkeys(table["atom"]), strict=True)]  # fmt: skip
    fig.legend(handles=signs, loc="outside lower center", ncols=2)
    return fig


def plot_scores(table: pd.DataFrame, pairs: Mapping[str, tuple[str, str]], *, size: float = 3.0, seed: int = 0) -> Figure:
    """Scores against each other or against a molecule's size: a panel for each pair of columns (across, up), with its title.

    Whole numbers are spread a little, so that equal molecules do not hide each other.
    """
    rng = np.random.default_rng(seed)
    fig, axes = plt.subplots(1, len(pairs), figsize=(size * len(pairs), size + 0.2), layout="constrained", squeeze=False)
    for ax, (title, columns) in zip(axes.flat, pairs.items(), strict=True):
        across, up = (_spread(table[column].to_numpy(float), rng) for column in columns)
        ax.scatter(across, up, s=5, linewidths=0, alpha=0.35, color=order_colour(1), rasterized=True)
        ax.set(xlabel=columns[0], ylabel=columns[1])
        ax.set_title(title, fontsize=11.5)
    return fig


def plot_readings(reported: pd.DataFrame, baselines: pd.DataFrame, *, width: float = 9.5, height: float = 4.6) -> Figure:
    """Reported errors read as MAE, as RMSE and as MSE, each beside the linear baselines' own.

    Reads `orders`, `epochs` ("30", "100" or "not printed"), `error`; and `baseline`, `mae_eV`, `rmse_eV`, `mse_eV2`.
    """
    fig, axes = plt.subplots(1, 3, figsize=(width, height), sharey=True, layout="constrained")
    places = {orders: k for k, orders in enumerate(dict.fromkeys(reported["orders"]))}
    readings = (("mae_eV", "read as MAE [eV]"), ("rmse_eV", "read as RMSE [eV]"), ("mse_eV2", "read as MSE [eV²]"))
    markers = dict(zip(dict.fromkeys(reported["epochs"]), ("s", "o", "^"), strict=False))
    for ax, (column, title) in zip(axes, readings, strict=True):
        for k, (epochs, rows) in enumerate(reported.groupby("epochs", sort=False)):
            ax.scatter(rows["orders"].map(places), rows["error"], marker=markers[epochs], s=50, color=order_colour(k + 1),
                       zorder=3, label=epochs)  # fmt: skip
        for name, value in zip(baselines["baseline"], baselines[column], strict=True):
            ax.axhline(value, color=GREY, linestyle="--", linewidth=1.2)
            below = value < baselines[column].max()  # the two highest lie too close for both names between them
            ax.annotate(name, (-0.5, value), xytext=(0, -2 if below else 2), textcoords="offset points",
                        va="top" if below else "bottom", color=GREY, fontsize=11)  # fmt: skip
        ax.set(title=title, yscale="log", xticks=range(len(places)), xlim=(-0.6, len(places) - 0.4), ylim=(0.007, 2))
        ax.set_xticklabels(list(places), rotation=90)
    axes[0].set_ylabel("reported error, linear models' error")
    axes[0].set(yticks=[0.01, 0.03, 0.1, 0.3, 1], yticklabels=["0.01", "0.03", "0.1", "0.3", "1"])
    axes[0].legend(title="epochs", loc="lower left")
    return fig


def plot_ratios(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Length of the molecule sums of each order as a share of what would be there without cancellation.

    Reads `network`, `l`, `share`.
    """
    ax = new_axes(ax, height=3.4)
    networks = list(dict.fromkeys(table["network"]))
    for k, (network, filled) in enumerate(zip(networks, (True, False, True), strict=False)):
        rows = table[table["network"] == network]
        colours = [order_colour(l) for l in rows["l"]]
        ax.scatter(rows["l"] + (k - (len(networks) - 1) / 2) * 0.18, rows["share"], s=60, edgecolors=colours,
                   facecolors=colours if filled else "none", linewidths=1.8, zorder=3)  # fmt: skip
        ax.scatter([], [], s=60, edgecolors=GREY, facecolors=GREY if filled else "none", linewidths=1.8, label=network)
    ls = sorted(table["l"].unique())
    ax.set(xticks=ls, xticklabels=[order_label(l) for l in ls], ylabel="length of the sum / sum of lengths", ylim=(-0.03, 1.03))
    ax.grid(False, axis="x")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _spread(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    whole = np.allclose(values, np.round(values))
    return values + rng.uniform(-0.3, 0.3, len(values)) if whole else values
