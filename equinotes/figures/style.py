"""The look of every figure: one colour per order, legible on white and on dark pages alike.

The book has a light and a dark theme and the figures are transparent, so nothing here may be near black or near white.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, to_rgba

GREY = "#7a7a7a"
"""Text, axes and reference lines: contrast 4.3 with white and with #121212."""

ORDER_COLOURS = ("#b78a21", "#544dff", "#cf0006", "#7086fe", "#a2369f", "#ea5cbc", "#18713a")
"""Colours of l = 0..6 and of nothing else, found by maximising the least distance (OKLab) between any two of them and the grey,
as seen with normal vision and with protan-, deutan- and tritanopia (Machado et al. 2009), at contrast 3 or more with a page."""

SERIES = LinearSegmentedColormap.from_list("series", ["#0b6b70", "#35a3a8"])
"""One hue for series that are no orders: networks, components, kinds of features. Marks and lines tell them apart."""

SERIES_LINES = ("-", "--", ":", "-.")
"""Lines of series that are no orders."""

ORDER_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""A second sign beside the colour."""

POSITIVE, NEGATIVE = "#d9732f", "#4a86e8"
"""Signs of a function on the sphere."""

_SIGNS = [(0, NEGATIVE, 1), (0.5, NEGATIVE, 0), (0.5, POSITIVE, 0), (1, POSITIVE, 1)]
SIGNED = LinearSegmentedColormap.from_list("signed", [(at, to_rgba(colour, alpha)) for at, colour, alpha in _SIGNS])
"""Colour map of signed quantities: zero is transparent and takes the colour of the page."""

SEQUENTIAL = ListedColormap(mpl.colormaps["viridis"](np.linspace(0.2, 0.95, 256)), name="equinotes")
"""Colour map of quantities: viridis without the ends that vanish on a dark or a light page."""

ELEMENT_COLOURS = {"H": "#929292", "C": "#6a6a6a", "N": "#4a86e8", "O": "#d9482b", "F": "#3f9b4f"}
"""Atoms, close to the usual colours but visible on both pages."""


def use_style() -> None:
    """Set matplotlib's defaults for this process: transparent, grey text, no frame. Call it once per notebook."""
    greys = ("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor", "xtick.color", "ytick.color", "grid.color")
    clear = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    settings: dict[Any, Any] = {**dict.fromkeys(greys, GREY), **dict.fromkeys(clear, "none")}
    settings |= {
        "figure.dpi": 200,
        "savefig.dpi": 200,
        "figure.constrained_layout.use": True,
        "font.size": 12,
        "axes.titlesize": 12,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.alpha": 0.25,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "axes.prop_cycle": cycler(color=ORDER_COLOURS),
    }
    mpl.rcParams.update(settings)


def order_of(irrep: Hashable) -> int | None:
    """Order of an irrep's name, or None for names such as "joint".

    >>> order_of("2e"), order_of(3), order_of("joint")
    (2, 3, None)
    """
    if isinstance(irrep, int | np.integer):
        return int(irrep)
    digits = str(irrep).rstrip("eo")
    return int(digits) if digits.isdigit() else None


def order_colour(irrep: Hashable) -> str:
    """The colour of an order everywhere in the book; grey for what has no order. Colours repeat after l = 6.

    >>> order_colour("1o") == order_colour(1) == ORDER_COLOURS[1]
    True
    """
    l = order_of(irrep)
    return GREY if l is None else ORDER_COLOURS[l % len(ORDER_COLOURS)]


def order_marker(irrep: Hashable) -> str:
    """The marker of an order; a circle for what has no order."""
    l = order_of(irrep)
    return "o" if l is None else ORDER_MARKERS[l % len(ORDER_MARKERS)]


def order_label(irrep: Hashable, prefix: str = "l = ") -> str:
    """How an irrep is named on an axis; of two parities, the one that harmonics do not have is named in full.

    >>> order_label("2e"), order_label("2e", prefix=""), order_label("2o", prefix=""), order_label("joint")
    ('l = 2', '2', '2o', 'joint')
    """
    l = order_of(irrep)
    if l is None:
        return str(irrep)
    return f"{prefix}{l}" if is_natural(irrep) else f"{prefix}{irrep}"


def order_labels(irreps: Iterable[Hashable], prefix: str = "l = ") -> list[str]:
    """How irreps that are shown together are named: a parity stands only where an order comes with both.

    >>> order_labels(["0e", "1e"]), order_labels(["0e", "1o", "1e"], prefix="")
    (['l = 0', 'l = 1'], ['0', '1', '1e'])
    """
    irreps = list(irreps)
    of = {irrep: order_of(irrep) for irrep in irreps}
    single = {l for l, count in Counter(of.values()).items() if l is not None and count == 1}
    return [f"{prefix}{of[irrep]}" if of[irrep] in single else order_label(irrep, prefix) for irrep in irreps]


def is_natural(irrep: Hashable) -> bool:
    """Whether an irrep has the parity of the harmonics, (-1)^l; names without a parity do.

    >>> is_natural("1o"), is_natural("1e"), is_natural(1)
    (True, False, True)
    """
    l = order_of(irrep)
    return l is None or not str(irrep).endswith("oe"[l % 2])


def series_look(k: int, count: int) -> dict[str, Any]:
    """Colour, mark and line of the k-th of several series that are no orders.

    >>> series_look(0, 3)["marker"], series_look(1, 3)["linestyle"]
    ('o', '--')
    """
    shade = SERIES(k / max(1, count - 1))
    return {"color": shade, "marker": ORDER_MARKERS[k % len(ORDER_MARKERS)], "linestyle": SERIES_LINES[k % len(SERIES_LINES)]}


def order_line(irrep: Hashable) -> str:
    """The line of an irrep: dashed for the parity that harmonics do not have."""
    return "-" if is_natural(irrep) else "--"


def rising(irreps: Iterable[Hashable]) -> list[Any]:
    """Each irrep once, by order, the parity of the harmonics first; what has no order comes last.

    >>> rising(["joint", "2e", "1e", "1o", "2e"])
    ['1o', '1e', '2e', 'joint']
    """

    def place(irrep: Hashable) -> tuple[bool, int, bool]:
        return order_of(irrep) is None, order_of(irrep) or 0, not is_natural(irrep)

    return sorted(dict.fromkeys(irreps), key=place)


def new_axes(ax: Axes | None, *, width: float = 6.4, height: float = 4.0) -> Axes:
    """The axes given, or those of a new figure [inches]."""
    return plt.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def reference_line(ax: Axes, value: float, label: str) -> None:
    """A horizontal dashed line, named at its right end inside the axes."""
    ax.axhline(value, color=GREY, linestyle="--", linewidth=1.2)
    ax.annotate(
        label, (1, value), xycoords=("axes fraction", "data"), xytext=(-2, 3), textcoords="offset points",
        ha="right", va="bottom", color=GREY, fontsize=11,
    )  # fmt: skip


def despine(ax: Axes) -> None:
    """Take off the upper and right spine, whatever the style in use."""
    sns.despine(ax=ax)
