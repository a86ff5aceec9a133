"""What the pages of results share: the stored tables, names of sets of orders, Markdown, where a number comes from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equinotes.audit.tables import COMMANDS, load_all

Tables = Mapping[str, pd.DataFrame]
"""Stored tables by name; one that is not stored is empty, with the columns that it would have."""

NOT_RUN = "not run"
PENDING = "–"


def open_tables(results_dir: str | Path = "") -> dict[str, pd.DataFrame]:
    """All stored tables, of the folder given or else of the repository (or of EQUINOTES_RESULTS)."""
    return load_all(results_dir or None)


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, with its columns as attributes."""
    return iter(table.itertuples(index=False))


def orders_name(ls: Iterable[int]) -> str:
    """A set of orders as the pages write it: from three neighbours on a range.

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


def order_of_irrep(irreps: pd.Series) -> pd.Series:
    """The orders of irreps such as "2e"."""
    return irreps.astype(str).str.extract(r"^(\d+)", expand=False).astype(int)


def block_of_layer(layers: pd.Series) -> pd.Series:
    """Numbers of blocks from names such as "block3" or from numbers; what is no block becomes 0."""
    found = layers.astype(str).str.extract(r"^(?:block)?(\d+)$", expand=False)
    return found.fillna(0).astype(int)


def spread_text(values: Sequence[float] | np.ndarray, half: float, digits: int = 3) -> str:
    """Mean and half the width of its interval; the mean alone where there is one value, "not run" where there is none.

    >>> spread_text([0.25, 0.27], 0.127), spread_text([0.25], float("nan")), spread_text([], float("nan"))
    ('0.260 ± 0.127', '0.250', 'not run')
    """
    if not len(values):
        return NOT_RUN
    mean = f"{np.mean(values):.{digits}f}"
    return mean if np.isnan(half) else f"{mean} ± {half:.{digits}f}"


def percent(value: float, digits: int = 0, *, sign: bool = True) -> str:
    """A fraction in per cent, with its sign; a dash for what is not known.

    >>> percent(0.053), percent(-0.2), percent(float("nan"))
    ('+5 %', '−20 %', '–')
    """
    if np.isnan(value):
        return PENDING
    return f"{100 * value:{'+' if sign else ''}.{digits}f} %".replace("-", "−")


def change_text(change: float, low: float, high: float, digits: int = 1) -> str:
    """A relative change with its interval.

    >>> change_text(0.05, 0.01, 0.09)
    '+5.0 % [+1.0, +9.0]'
    """
    if np.isnan(change):
        return NOT_RUN
    if np.isnan(low) or np.isnan(high):
        return f"{percent(change, digits)} (one seed)"
    return f"{percent(change, digits)} [{100 * low:+.{digits}f}, {100 * high:+.{digits}f}]".replace("-", "−")


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], align: str = "") -> str:
    """A table in Markdown; `align` has a letter, l or r, for each column (numbers on the right unless given).

    What stands on the right is not broken into lines.

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


def source_note(tables: Sequence[str], experiments: Sequence[str] = ()) -> str:
    """Where a figure or a table comes from: the stored files, and the commands that make them again.

    `experiments` are those whose runs are shown, where not all of a file is.

    >>> print(source_note(["runs"], ["table"]))
    *Stored in* `results/audit/runs.parquet`. *Again:* `equinotes audit run table`, then `equinotes audit store`.
    >>> print(source_note(["norms"]))
    *Stored in* `results/audit/norms.parquet`. *Again:* `equinotes audit diagnose`.
    """
    files = listed([f"`results/audit/{name}.parquet`" for name in tables])
    run = f"equinotes audit run {' '.join(experiments)}"
    commands = [run if experiments and " run " in COMMANDS[name] else COMMANDS[name] for name in tables]
    commands.sort(key=lambda command: " run " not in command)
    if any(" run " in command for command in commands):
        commands.append("equinotes audit store")
    return f"*Stored in* {files}. *Again:* {', then '.join(f'`{command}`' for command in dict.fromkeys(commands))}."


def listed(words: Sequence[str], nothing: str = "none") -> str:
    """Words in a row.

    >>> listed(["a", "b", "c"]), listed([])
    ('a, b and c', 'none')
    """
    if not words:
        return nothing
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
