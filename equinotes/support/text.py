"""How pages and the command line write values: sets of orders, percentages, intervals, lists, Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

NOT_RUN = "not run"
PENDING = "–"


def orders_name(ls: Iterable[int]) -> str:
    """A set of orders: from three neighbours on a range.

    >>> orders_name((0, 1, 2)), orders_name((0, 3, 4, 5, 6)), orders_name((0, 1, 2, 10)), orders_name((0, 3, 4))
    ('0–2', '0, 3–6', '0–2, 10', '0, 3, 4')
    """
    groups: list[list[int]] = []
    for l in ls:
        if groups and l == groups[-1][-1] + 1:
            groups[-1].append(l)
        else:
            groups.append([l])
    return ", ".join(f"{group[0]}–{group[-1]}" if len(group) > 2 else ", ".join(map(str, group)) for group in groups)


def set_name(ls: Iterable[int], mul: int | None = None) -> str:
    """A set of orders with its channels.

    >>> set_name((0, 1, 2), 32)
    '0–2 (32)'
    """
    return orders_name(ls) + (f" ({mul})" if mul is not None else "")


def percent(value: float, digits: int = 0, *, sign: bool = True) -> str:
    """A fraction in per cent, with its sign; a dash for what is not known.

    >>> percent(0.053), percent(-0.2), percent(-0.001), percent(float("nan"))
    ('+5 %', '−20 %', '+0 %', '–')
    """
    if np.isnan(value):
        return PENDING
    return f"{100 * value:{'+' if sign else ''}z.{digits}f} %".replace("-", "−")


def change_text(change: float, low: float, high: float, digits: int = 1) -> str:
    """A relative change with its interval.

    >>> change_text(0.05, 0.01, 0.09)
    '+5.0 % [+1.0, +9.0]'
    """
    if np.isnan(change):
        return NOT_RUN
    if np.isnan(low) or np.isnan(high):
        return f"{percent(change, digits)} (one seed)"
    return f"{percent(change, digits)} [{100 * low:+z.{digits}f}, {100 * high:+z.{digits}f}]".replace("-", "−")


def change_of(row: Any, digits: int = 1) -> str:
    """`change_text` of a mapping or a named tuple with `change` (or `mean`), `low` and `high`.

    >>> change_of({"change": 0.05, "low": 0.01, "high": 0.09})
    '+5.0 % [+1.0, +9.0]'
    """
    values = row if isinstance(row, Mapping) else row._asdict()
    return change_text(values["change"] if "change" in values else values["mean"], values["low"], values["high"], digits)


def spread_text(mean: float, half: float, digits: int = 3) -> str:
    """Mean and half the width of its interval; the mean alone where there is one value, "not run" where there is none.

    >>> spread_text(0.26, 0.127), spread_text(0.25, float("nan")), spread_text(float("nan"), float("nan"))
    ('0.260 ± 0.127', '0.250', 'not run')
    """
    if np.isnan(mean):
        return NOT_RUN
    return f"{mean:.{digits}f}" if np.isnan(half) else f"{mean:.{digits}f} ± {half:.{digits}f}"


def listed(words: Sequence[object], nothing: str = "none") -> str:
    """Words in a row.

    >>> listed(["a", "b", "c"]), listed([])
    ('a, b and c', 'none')
    """
    said = [str(word) for word in words]
    if not said:
        return nothing
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], align: str = "") -> str:
    """A table in Markdown; `align` has a letter, l or r, for each column (numbers on the right unless given).

    Cells on the right are not broken into lines.

    >>> print(markdown_table(["a", "b"], [[1, 2]], "lr"))
    | a | b |
    |:--|--:|
    | 1 | 2 |
    """
    align = align or "l" + "r" * (len(columns) - 1)
    lines = ["| " + " | ".join(columns) + " |", "|" + "|".join(":--" if side == "l" else "--:" for side in align) + "|"]
    for row in rows:
        cells = [str(cell).replace("|", "\\|") for cell in row]
        cells = [cell.replace(" ", "\u00a0") if side == "r" else cell for cell, side in zip(cells, align, strict=True)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
