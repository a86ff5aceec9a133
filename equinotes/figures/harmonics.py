"""Functions on the sphere, as surfaces: spherical harmonics, what a pattern of bonds looks like in each order.

A surface stands at distance |f(r)| from the centre in direction r and is coloured by the sign of f. The y axis points up,
as it is the polar axis of e3nn's harmonics: those with m = 0 stand upright.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d import Axes3D

from equinotes.figures.style import ELEMENT_COLOURS, GREY, NEGATIVE, POSITIVE, SIGNED, new_axes, order_colour, order_marker

VIEW: dict[str, Any] = {"elev": 18, "azim": 32, "vertical_axis": "y"}
"""Direction of view."""


def sphere_grid(n_polar: int = 37, n_around: int = 72) -> Float[np.ndarray, "polar around 3"]:
    """Unit vectors (x, y, z) that cover the sphere, from the pole y to the pole -y and once around it.

    >>> points = sphere_grid(5, 9)
    >>> points.shape, bool(np.allclose(np.linalg.norm(points, axis=-1), 1))
    ((5, 9, 3), True)
    """
    polar, around = np.meshgrid(np.linspace(0, np.pi, n_polar), np.linspace(0, 2 * np.pi, n_around), indexing="ij")
    return np.stack([np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)], axis=-1)


def plot_surface(
    value: Float[np.ndarray, "polar around"], points: Float[np.ndarray, "polar around 3"], ax: Axes3D | None = None,
    *, scale: float | None = None, title: str = "",
) -> Axes3D:  # fmt: skip
    """One function on the sphere.

    Parameters
    ----------
    value
        The function at `points`.
    points
        Unit vectors, as `sphere_grid` gives them.
    scale
        |value| that fills the panel; the largest of `value` unless given. Give one number to panels that are to be compared.
    """
    ax = _new_axes3d(ax)
    value = np.asarray(value, dtype=float)
    scale = (np.abs(value).max() or 1.0) if scale is None else scale
    surface = points * (np.abs(value) / scale)[..., None]
    colours = np.where(value[..., None] >= 0, to_rgb(POSITIVE), to_rgb(NEGATIVE))
    ax.plot_surface(*np.moveaxis(surface, -1, 0), facecolors=colours, rcount=len(points), ccount=points.shape[1],
                    linewidth=0, antialiased=False, shade=True)  # fmt: skip
    ax.set_title(title, color=GREY, y=1.0)
    return ax


def plot_surfaces(
    values: Mapping[str, Float[np.ndarray, "polar around"]], points: Float[np.ndarray, "polar around 3"],
    *, shared_scale: bool = True, columns: int = 5, size: float = 2.0,
) -> Figure:  # fmt: skip
    """Several functions on the sphere side by side, titled by their names; `size` is a panel's width [inches]."""
    rows, columns = -(-len(values) // columns), min(columns, len(values))
    fig, axes = _panels3d(rows, columns, size)
    scale = max(float(np.abs(value).max()) for value in values.values()) or 1.0
    for ax, (name, value) in zip(axes.flat, values.items(), strict=False):
        plot_surface(value, points, ax, scale=scale if shared_scale else None, title=name)
    return fig


def plot_harmonics(
    values: Mapping[tuple[int, int], Float[np.ndarray, "polar around"]], points: Float[np.ndarray, "polar around 3"],
    *, size: float = 1.25,
) -> Figure:  # fmt: skip
    """The harmonics as a triangle: a row for each l, a column for each m.

    Parameters
    ----------
    values
        (l, m) -> the harmonic at `points`, m from -l to l. Each surface is drawn to its own scale.
    points
        Unit vectors (x, y, z), as `sphere_grid` gives them.
    size
        Width of a panel [inches].
    """
    orders = sorted({l for l, _ in values})
    highest = max(orders)
    fig, ax = plt.subplots(figsize=(size * (2 * highest + 1.6), size * (len(orders) + 0.6)), layout="constrained")
    for (l, m), value in values.items():
        _draw_lobes(ax, value, points, centre=(2.2 * m, -2.2 * orders.index(l)))
    ax.set(xlim=(-2.2 * highest - 1.2, 2.2 * highest + 1.2), ylim=(-2.2 * len(orders) + 1, 1.2), aspect="equal")
    letters = max(10.0, 1.8 * fig.get_figwidth())  # as high on a narrow page, whatever the highest order
    ax.set_xticks(
        [2.2 * m for m in range(-highest, highest + 1)], [f"{m}".replace("-", "−") for m in range(-highest, highest + 1)]
    )
    ax.set_yticks([-2.2 * k for k in range(len(orders))], [f"l = {l}" for l in orders])
    ax.set_xlabel("m", fontsize=letters)
    ax.tick_params(length=0, labelsize=letters)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    return fig


def _draw_lobes(
    ax: Axes, value: Float[np.ndarray, "polar around"], points: Float[np.ndarray, "polar around 3"], centre: tuple[float, float]
) -> None:
    """A function on the sphere in a flat panel, seen from `VIEW` without perspective, its largest radius 1."""
    value = np.asarray(value, dtype=float)
    surface = points * (np.abs(value) / (np.abs(value).max() or 1.0))[..., None]
    corners = np.stack([surface[:-1, :-1], surface[1:, :-1], surface[1:, 1:], surface[:-1, 1:]], axis=2).reshape(-1, 4, 3)
    signs = (value[:-1, :-1] + value[1:, 1:]).ravel() >= 0
    elevation, azimuth = np.radians([VIEW["elev"], VIEW["azim"]])
    towards = np.array([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)])
    right = np.cross([0.0, 1.0, 0.0], towards) / np.cos(elevation)
    flat = corners @ np.stack([right, np.cross(towards, right)], axis=1) + centre
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    bright = 0.7 + 0.3 * np.abs(normals @ towards)
    colours = np.where(signs[:, None], to_rgb(POSITIVE), to_rgb(NEGATIVE)) * bright[:, None]
    nearest_last = np.argsort(corners.mean(axis=1) @ towards)
    faces = PolyCollection(flat[nearest_last], facecolors=colours[nearest_last], edgecolors=colours[nearest_last], linewidths=0.3)
    faces.set_rasterized(True)
    ax.add_collection(faces)


def plot_bond_pattern(
    directions: Float[np.ndarray, "bonds 3"], values: Mapping[int, Float[np.ndarray, "polar around"]],
    points: Float[np.ndarray, "polar around 3"], *, norms: Mapping[int, float] | None = None, columns: int = 4,
    size: float = 2.0,
) -> Figure:  # fmt: skip
    """What the bonds of one atom look like in each order.

    Parameters
    ----------
    directions
        Bond vectors from the atom (x, y, z), any length; drawn as unit sticks in the first panel.
    values
        l -> f_l(r) = sum_m a_lm Y_lm(r) at `points`, a_lm being the mean (or sum) of Y_lm over the bonds. All orders above
        0 share one scale, so that an order which cancels shrinks to its centre; l = 0, always a sphere, has its own.
    norms
        l -> |a_l|, written into the titles.
    """
    rows = -(-(len(values) + 1) // columns)
    fig, axes = _panels3d(rows, min(columns, len(values) + 1), size)
    _draw_sticks(axes.flat[0], directions)
    scale = max((float(np.abs(value).max()) for l, value in values.items() if l > 0), default=0.0) or 1.0
    for ax, (l, value) in zip(axes.flat[1:], values.items(), strict=False):
        title = f"l = {l}" if norms is None else f"l = {l}:  {norms[l]:.3f}"
        ax.scatter(0, 0, 0, color=GREY, s=8)
        plot_surface(value, points, ax, scale=scale if l > 0 else None, title=title)
    return fig


def plot_molecule(
    pos: Float[np.ndarray, "atoms 3"], symbols: Sequence[str], bonds: Sequence[tuple[int, int]] | np.ndarray,
    ax: Axes3D | None = None, *, number_atoms: bool = False,
) -> Axes3D:  # fmt: skip
    """A molecule as balls and sticks; positions in Angstrom, bonds as pairs of atom numbers."""
    ax = _new_axes3d(ax, size=4.0)
    pos = np.asarray(pos) - np.mean(pos, axis=0)
    for i, j in bonds:
        ax.plot(*pos[[i, j]].T, color=GREY, linewidth=3, alpha=0.7)
    sizes = [190 if symbol == "H" else 360 for symbol in symbols]
    ax.scatter(*pos.T, s=sizes, c=[ELEMENT_COLOURS[symbol] for symbol in symbols], depthshade=False)
    if number_atoms:
        for i, at in enumerate(pos):
            ax.text(*at, str(i), color="white", fontsize=10, ha="center", va="center", zorder=10)
    span = max(1.0, np.abs(pos).max() * 0.85)
    ax.set(xlim=(-span, span), ylim=(-span, span), zlim=(-span, span))
    kinds = [symbol for symbol in ELEMENT_COLOURS if symbol in symbols]
    dots = [Line2D([], [], marker="o", linestyle="", color=ELEMENT_COLOURS[symbol], label=symbol) for symbol in kinds]
    ax.legend(handles=dots, loc="upper left", bbox_to_anchor=(0.95, 1), labelcolor=GREY, frameon=False)
    return ax


def plot_addition_theorem(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """sum_m Y_lm(a) Y_lm(b) against the angle between a and b (dots), on the Legendre polynomials (lines).

    Reads columns `l`, `angle_deg`, `sum` (times 4 pi / (2l+1), so that it is 1 at angle 0) and `legendre`.
    """
    ax = new_axes(ax)
    for l, rows in table.groupby("l"):
        rows, colour = rows.sort_values("angle_deg"), order_colour(l)
        ax.plot(rows["angle_deg"], rows["legendre"], color=colour, label=f"l = {l}")
        ax.plot(rows["angle_deg"], rows["sum"], order_marker(l), color=colour, markersize=4, alpha=0.8)
    ax.set(xlabel="angle between the two directions [degrees]", ylabel=r"$4\pi/(2l+1)\ \sum_m Y_{lm}(a)\,Y_{lm}(b)$")
    ax.set(xlim=(0, 180), xticks=range(0, 181, 30))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def plot_order_blocks(
    matrix: Float[np.ndarray, "dim dim"], ls: Sequence[int], ax: Axes | None = None, *, label: str = ""
) -> Axes:
    """A matrix between harmonics (Wigner D, a Gram matrix) with a frame around the block of each l; `label` names its values."""
    ax = new_axes(ax, width=5.4, height=4.6)
    span = float(np.abs(matrix).max()) or 1.0
    sns.heatmap(matrix, ax=ax, vmin=-span, vmax=span, cmap=SIGNED, square=True, cbar_kws={"label": label},
                xticklabels=False, yticklabels=False)  # fmt: skip
    start, middles = 0, []
    for l in ls:
        ax.add_patch(plt.Rectangle((start, start), 2 * l + 1, 2 * l + 1, fill=False, edgecolor=order_colour(l),
                                   linewidth=2, clip_on=False))  # fmt: skip
        middles.append(start + l + 0.5)
        start += 2 * l + 1
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(middles, [str(l) for l in ls], rotation=0)
    ax.set(xlabel="l", ylabel="l")
    ax.grid(False)
    return ax


def _draw_sticks(ax: Axes3D, directions: Float[np.ndarray, "bonds 3"]) -> None:
    units = np.asarray(directions, dtype=float)
    units = units / np.linalg.norm(units, axis=-1, keepdims=True)
    for unit in units:
        ax.plot(*np.stack([np.zeros(3), unit]).T, color=GREY, linewidth=2.5)
    ax.scatter(*units.T, color=ELEMENT_COLOURS["H"], s=45, depthshade=False)
    ax.scatter(0, 0, 0, color=ELEMENT_COLOURS["C"], s=90, depthshade=False)
    ax.set_title("bonds", color=GREY, y=1.0)


def _new_axes3d(ax: Axes3D | None, size: float = 3.0) -> Axes3D:
    return _panels3d(1, 1, size)[1][0, 0] if ax is None else ax


def _panels3d(rows: int, columns: int, size: float) -> tuple[Figure, np.ndarray]:
    """Bare cubes from -1 to 1, seen from one side, without axes."""
    fig, axes = plt.subplots(rows, columns, figsize=(size * columns, size * rows), squeeze=False, layout="none",
                             subplot_kw={"projection": "3d"})  # fmt: skip
    fig.subplots_adjust(left=0, right=1, bottom=0.04, top=0.92, wspace=0, hspace=0.12)
    for ax in axes.flat:
        ax.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
        ax.view_init(**VIEW)
        ax.set_box_aspect((1, 1, 1), zoom=1.35)
        ax.set_axis_off()
        ax.patch.set_alpha(0)
    return fig, axes
