"""The claims board: each measured interval of a claim beside the threshold that decides."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd

from equinotes.figures.interactive.base import Picture, as_png
from equinotes.figures.style import GREY, ORDER_COLOURS

NUMBERS = ("value", "low", "high", "threshold")


def claims_board(table: pd.DataFrame, statements: Mapping[str, str], verdicts: Mapping[tuple[str, str], str]) -> Picture:
    """Intervals against thresholds, by claim and scale.

    Parameters
    ----------
    table
        One row for each measured number. Columns `claim`, `scale`, `measure` (name and unit of the axis), `label` (what was
        compared), `value`, `low`, `high` (interval), `threshold`, and `meaning` (of the threshold); any number may be NaN.
    statements
        Claim -> its sentence; claims without rows are shown as not measured.
    verdicts
        (claim, scale) -> the verdict in words.
    """
    scales = list(dict.fromkeys(table["scale"]))
    rows = [
        {name: _plain(row[name]) for name in ("claim", "scale", "measure", "label", "meaning", *NUMBERS)}
        for row in table.to_dict("records")
    ]
    claims = []
    for name, text in statements.items():
        judged = {scale: verdicts[name, scale] for scale in scales if (name, scale) in verdicts}
        claims.append({"name": name, "statement": text, "verdicts": judged})
    alt = f"Verdicts on {len(claims)} claims at the scales {', '.join(scales)}."
    return Picture("board", {"rows": rows, "claims": claims, "scales": scales}, _still(statements, verdicts, scales), alt)


def _plain(value: object) -> object:
    """A value that JSON knows; None for what is missing."""
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    return value.item() if hasattr(value, "item") else value


def _still(statements: Mapping[str, str], verdicts: Mapping[tuple[str, str], str], scales: list[str]) -> bytes:
    fig, ax = plt.subplots(figsize=(6.4, 0.8 + 0.5 * len(statements)))
    ax.set(xlim=(0, 1 + len(scales)), ylim=(len(statements), -1))
    ax.axis("off")
    for column, scale in enumerate(scales, 1):
        ax.text(column, -0.5, scale, color=GREY, weight="bold", va="center")
    for line, name in enumerate(statements):
        ax.text(0, line + 0.25, name, color=ORDER_COLOURS[1], weight="bold", va="center")
        for column, scale in enumerate(scales, 1):
            ax.text(column, line + 0.25, verdicts.get((name, scale), "not measured"), color=GREY, va="center")
    return as_png(fig)
