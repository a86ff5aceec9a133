"""One picture as a piece of HTML: a still with alternative text, and the data from which a script draws in its place.

The piece asks for nothing by itself. The book's extension `pictures` adds the scripts to the pages that have a picture; without
them (no JavaScript, JupyterLab) the still stays.
"""

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from equinotes.figures.style import ELEMENT_COLOURS, GREY, NEGATIVE, ORDER_COLOURS, POSITIVE

LOOK = {
    "orders": list(ORDER_COLOURS), "positive": POSITIVE, "negative": NEGATIVE, "grey": GREY, "elements": ELEMENT_COLOURS,
}  # fmt: skip
"""Colours that scripts share with the figures."""

Array = np.ndarray


@dataclass(frozen=True)
class Picture:
    """A picture of one kind; in a notebook it shows itself.

    `name` is that of its script in book/_static/pictures; `data` is what the script reads, free of NaN; `still` is a PNG;
    `alt` says what the still shows.
    """

    name: str
    data: Mapping[str, Any]
    still: bytes
    alt: str

    def opening(self) -> str:
        """All but the closing tag, for a caption to follow."""
        data = json.dumps({"look": LOOK, **self.data}, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        data = data.replace("</", "<\\/")
        source = base64.b64encode(self.still).decode()
        return (
            f'<figure class="picture" data-picture="{html.escape(self.name)}">'
            f'<img class="picture-still" alt="{html.escape(self.alt)}" src="data:image/png;base64,{source}">'
            f'<script type="application/json">{data}</script>'
        )

    def _repr_html_(self) -> str:
        return f"{self.opening()}</figure>"


def as_png(figure: Figure, dpi: int = 90) -> bytes:
    """A figure as PNG; it is closed, so that a notebook does not show it again."""
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=dpi)
    plt.close(figure)
    return memory.getvalue()


def packed(values: Float[Array, "..."], kind: str = "<f4") -> str:
    """Base64 of an array's values, row by row, little-endian.

    >>> packed(np.array([1.0, -2.0]), "<i2")
    'AQD+/w=='
    """
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def rounded(values: Float[Array, "..."] | Sequence[Any], digits: int = 6) -> list[Any]:
    """Nested lists of numbers with so many digits behind the point.

    >>> rounded([0.12345678, -1e-9], 3)
    [0.123, 0.0]
    """
    return (np.round(np.asarray(values, dtype=float), digits) + 0.0).tolist()
