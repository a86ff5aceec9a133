"""Draw the pictures of the theory pages again: `.venv/bin/python book/drawings.py [folder]`."""

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from e3nn import o3
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from equinotes.analysis.harmonics import IDEAL_SITES, coupling, order_parameters
from equinotes.figures.style import ELEMENT_COLOURS, GREY, NEGATIVE, POSITIVE, SIGNED, order_colour, use_style

DRAWINGS = Path(__file__).parent / "_static" / "drawings"
WIDTH, WIDE = 5.2, 6.4
"""Of pictures, and of those made of boxes [inches]; letters of 12 points are then 10 to 12 pixels high on a phone."""


def turning() -> Figure:
    """Water before and after a quarter turn, with its dipole and the numbers that stay or change."""
    fig, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.4), layout="constrained")
    hydrogens = 0.96 * np.array([[np.cos(a), np.sin(a)] for a in np.radians([-52.25, 52.25])])
    dipole = r"$\boldsymbol{\mu}$"
    words = ["energy $E$", dipole + r"$\,= (\mu,\,0)$"], ["same energy $E$", dipole + r"$\,= (0,\,\mu)$"]
    for ax, R, (kept, changed) in zip(axes, ([[1, 0], [0, 1]], [[0, -1], [1, 0]]), words, strict=True):
        ends = hydrogens @ np.transpose(R)
        for end in ends:
            ax.plot(*np.stack([[0, 0], end]).T, color=GREY, linewidth=5, zorder=1)
        ax.scatter(*ends.T, s=500, color=ELEMENT_COLOURS["H"], zorder=2)
        ax.scatter(0, 0, s=1000, color=ELEMENT_COLOURS["O"], zorder=2)
        ax.annotate("", 1.45 * np.array(R)[:, 0], (0, 0), arrowprops={"arrowstyle": "-|>", "color": NEGATIVE, "lw": 3}, zorder=3)
        ax.text(*(1.62 * np.array(R)[:, 0]), dipole, color=NEGATIVE, fontsize=16, ha="center", va="center")
        ax.text(0, -1.35, f"{kept}\n{changed}", ha="center", va="top", fontsize=13, linespacing=1.5)
        ax.set(xlim=(-1.5, 1.8), ylim=(-2.2, 1.8), aspect="equal")
        ax.set_axis_off()
    return fig


def blocks() -> Figure:
    """R x R in the basis of products and in that of irreps."""
    R = o3.angles_to_matrix(*torch.tensor([0.6, 1.0, 0.4])).numpy()
    product = np.kron(R, R)
    basis = np.concatenate([coupling(1, 1, l).reshape(9, -1) * np.sqrt(2 * l + 1) for l in range(3)], axis=1)
    fig, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.5), layout="constrained")
    fig.get_layout_engine().set(wspace=0.08)
    for ax, matrix, title in zip(axes, (product, basis.T @ product @ basis), (r"$R \otimes R$", "in irreps"), strict=True):
        ax.imshow(matrix, cmap=SIGNED, vmin=-1, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=14)
        ax.grid(False)
        ax.spines[:].set_visible(False)
    for l, start in enumerate((0, 1, 4)):
        size, colour = 2 * l + 1, order_colour(l)
        axes[1].add_patch(plt.Rectangle((start - 0.5, start - 0.5), size, size, fill=False, ec=colour, lw=3, clip_on=False))
        axes[1].text(
            *((2.9, 0.1) if l < 1 else (5.3, 2.1) if l < 2 else (1.4, 6.1)), f"$l={l}$", color=colour, fontsize=14, ha="center"
        )
    return fig


def legendre() -> Figure:
    """Legendre polynomials of the bond angle, and the angles of small molecules."""
    fig, ax = plt.subplots(figsize=(WIDTH, 3.9), layout="constrained")
    angles = np.linspace(0, 180, 361)
    for l in range(5):
        curve = np.polynomial.legendre.Legendre.basis(l)(np.cos(np.radians(angles)))
        ax.plot(angles, curve, color=order_colour(l), linewidth=2.4, label=f"$P_{l}$")
    for angle, name in {104.5: "water", 109.5: "tetrahedral", 120: "trigonal"}.items():
        ax.axvline(angle, color=GREY, linestyle="--", linewidth=1.2)
        aside = {"water": "right", "trigonal": "left"}.get(name, "center")
        ax.text(angle, 1.26 if aside == "center" else 1.12, name, fontsize=12, ha=aside, va="bottom")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=14)
    ax.set(xlim=(0, 180), ylim=(-1.05, 1.1), xticks=range(0, 181, 30))
    ax.set_xlabel("bond angle [degrees]", fontsize=13)
    ax.set_ylabel(r"$P_l(\cos\theta)$", fontsize=13)
    return fig


def sites() -> Figure:
    """Lengths q_l of the ideal sites."""
    fig, axes = plt.subplots(len(IDEAL_SITES), 1, figsize=(WIDTH, 4.4), sharex=True, layout="constrained")
    for ax, (name, bonds) in zip(axes, IDEAL_SITES.items(), strict=True):
        for l, q in enumerate(order_parameters(bonds, 6)):
            ax.bar(l, q, width=0.7, color=order_colour(l))
            if q < 1e-6:  # a root of rounding
                ax.text(l, 0.05, "0", ha="center", fontsize=13)
        ax.set(ylim=(0, 1.1), yticks=[0, 1])
        ax.set_title(f"{name}, {len(bonds)} bonds", fontsize=13, loc="left")
        ax.grid(False)
    axes[-1].set_xticks(range(7), [f"$l={l}$" for l in range(7)], fontsize=13)
    fig.supylabel(r"$q_l$", fontsize=14)
    return fig


def message() -> Figure:
    """What happens along one bond."""
    fig, ax = _canvas(4.0)
    _box(ax, (1.35, 3.3), "neighbour $j$\nfeatures $x_j$")
    _box(ax, (1.35, 2.0), "direction\n" + r"harmonics $Y_l(\hat r)$")
    _box(ax, (1.35, 0.7), "length\n" + r"$b(|r|)$", width=1.5)
    _box(ax, (3.55, 0.7), "small net\nweights $w$", width=1.6)
    _box(ax, (4.55, 2.65), "product\n" + r"$x_j \otimes Y$", width=1.6, strong=True)
    _box(ax, (6.9, 2.65), "sum at\natom $i$", width=1.4)
    for start, end in [((2.5, 3.3), (3.7, 2.9)), ((2.5, 2.0), (3.7, 2.4)), ((2.12, 0.7), (2.7, 0.7)), ((3.9, 1.2), (4.4, 2.1))]:
        _arrow(ax, start, end)
    _arrow(ax, (5.4, 2.65), (6.15, 2.65))
    return fig


def walk() -> Figure:
    """Two steps along bonds."""
    fig, ax = _canvas(3.0)
    k, j, i = np.array([[1.0, 0.6], [3.9, 2.1], [6.8, 0.6]])
    for atom, end in ((k, j), (i, j)):
        ax.plot(*np.stack([atom, end]).T, color=GREY, linewidth=6, zorder=1)
    for at, name in ((k, "k"), (j, "j"), (i, "i")):
        ax.scatter(*at, s=1300, color=ELEMENT_COLOURS["C"], zorder=2)
        ax.text(*at, f"${name}$", color="white", fontsize=17, ha="center", va="center_baseline", zorder=3)
    angles = np.radians(np.linspace(207.4, 332.6, 60))
    ax.plot(j[0] + 0.95 * np.cos(angles), j[1] + 0.95 * np.sin(angles), color=POSITIVE, linewidth=2.4)
    ax.text(3.9, 0.82, r"$\theta$", fontsize=17, color=POSITIVE, ha="center", va="center")
    ax.text(2.0, 1.85, r"$0 \to l$" + "\n" + r"by $Y_l(\hat r_{kj})$", fontsize=13, ha="center", va="center")
    ax.text(5.85, 1.85, r"$l \to 0$" + "\n" + r"by $Y_l(\hat r_{ji})$", fontsize=13, ha="center", va="center")
    ax.text(3.9, 0.15, r"what is left: $P_l(\cos\theta)$", fontsize=14, ha="center", va="center")
    return fig


def network() -> Figure:
    """The paper's network from elements to energy."""
    fig, ax = _canvas(5.0)
    _box(ax, (0.9, 4.4), "elements\n$z_i$", width=1.5)
    _box(ax, (3.0, 4.4), "embedding\n64 scalars", width=1.8)
    _box(ax, (1.5, 0.9), "bonds: length\nand direction", width=2.2)
    for place, name in zip((1.15, 2.75, 4.35, 5.95), ("block 1", "block 2", "…", "block 5"), strict=True):
        _box(ax, (place, 2.45), name, width=0.9 if name == "…" else 1.25, strong=True)
        _arrow(ax, (1.5 if place < 1.3 else 2.0 if place < 3 else place - 0.6, 1.4), (place, 1.95))
    ax.plot([1.5, 5.4], [1.4, 1.4], color=GREY, linewidth=1.6)
    _arrow(ax, (1.65, 4.4), (2.1, 4.4))
    _arrow(ax, (2.3, 3.95), (1.25, 2.95))
    for start, end in ((1.78, 2.12), (3.38, 3.9), (4.8, 5.32)):
        _arrow(ax, (start, 2.45), (end, 2.45))
    for place in (2.75, 5.95):
        ax.add_patch(FancyArrowPatch((place - 0.72, 2.62), (place + 0.68, 2.62), connectionstyle="arc3,rad=-0.75", color=NEGATIVE,
                                     arrowstyle="-|>", mutation_scale=14, linewidth=1.8))  # fmt: skip
    ax.text(4.5, 3.05, "residual stream: each input\nis added to the output", color=NEGATIVE, fontsize=11, ha="center",
            va="bottom")  # fmt: skip
    _box(ax, (6.9, 4.4), "energy: sum of\nscalars, $l=0$", width=2.0)
    _arrow(ax, (6.3, 2.95), (6.8, 3.95))
    ax.text(6.15, 0.95, "all orders $l$,\n32 channels each", fontsize=12, ha="center", va="center")
    return fig


def decide() -> Figure:
    """What to do with an order: three questions, four answers."""
    fig, ax = _canvas(5.6)
    questions = ["Does any output\ndepend on it?", "Does shuffling it\nexceed the noise?", "Does training\nwithout it cost?"]
    answers = [
        "out of reach:\nremove it",
        "hardly used:\ntrain without it",
        "replaceable:\nremove and retrain",
        "needed:\nkeep it",
    ]
    for k, (question, answer) in enumerate(zip(questions, answers, strict=False)):
        height = 5.0 - 1.45 * k
        _box(ax, (2.0, height), question, width=2.9, strong=True)
        _box(ax, (6.2, height), answer, width=2.9)
        _arrow(ax, (3.5, height), (4.7, height))
        _arrow(ax, (2.0, height - 0.5), (2.0, height - 0.97))
        ax.text(4.1, height + 0.1, "no", fontsize=12, ha="center", va="bottom")
        ax.text(2.2, height - 0.72, "yes", fontsize=12, ha="left", va="center")
    _box(ax, (2.0, 0.65), answers[-1], width=2.9)
    return fig


def _canvas(height: float) -> tuple[Figure, Axes]:
    fig, ax = plt.subplots(figsize=(WIDE, WIDE * height / 8), layout="none")
    fig.subplots_adjust(left=0, right=1, bottom=0, top=1)
    ax.set(xlim=(0, 8), ylim=(0, height))
    ax.set_axis_off()
    return fig, ax


def _box(ax: Axes, centre: tuple[float, float], words: str, *, width: float = 2.2, strong: bool = False) -> None:
    colour, (x, y) = POSITIVE if strong else GREY, centre
    ax.add_patch(FancyBboxPatch((x - width / 2, y - 0.45), width, 0.9, boxstyle="round,pad=0.02,rounding_size=0.15",
                                fill=False, edgecolor=colour, linewidth=2))  # fmt: skip
    ax.text(x, y, words, ha="center", va="center", fontsize=12, color=GREY, linespacing=1.25)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.add_patch(FancyArrowPatch(start, end, color=GREY, arrowstyle="-|>", mutation_scale=14, linewidth=1.6))


DRAWN: tuple[Callable[[], Figure], ...] = (turning, blocks, legendre, sites, message, walk, network, decide)


def draw(folder: Path = DRAWINGS) -> None:
    """Every picture as SVG, the same bytes each time."""
    use_style()
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "equinotes", "svg.fonttype": "path"}):
        for picture in DRAWN:
            figure = picture()
            figure.savefig(folder / f"{picture.__name__}.svg", transparent=True, metadata={"Date": None})
            plt.close(figure)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else DRAWINGS)
