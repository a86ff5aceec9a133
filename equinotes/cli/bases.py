"""The subcommand `equinotes bases`: what is in the comparison, one row again, the table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from equinotes.support.errors import UserError


@dataclass(kw_only=True)
class Bases:
    """Compare bases by ridge regression on QM9: errors, costs, what turns and what is confused.

    Without a word it prints the table that is stored. `list` names the rows, `run` measures some of them (all if none is named)
    and stores them; networks with other bases are trained by `equinotes train` (--network painn, --radial gaussian).

    $ equinotes bases run cartesian legendre
    """

    action: Annotated[Literal["table", "list", "run"], tyro.conf.Positional] = "table"
    """What to do."""
    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME ...")] = ()
    """Which rows `run` measures."""
    results_dir: Path | None = None
    """Folder of the stored tables (default: results/bases of the repository)."""

    def run(self) -> int:
        if self.names and self.action != "run":
            raise UserError(f"only run takes names, got {self.action} {' '.join(self.names)}")
        {"table": self._table, "list": self._list, "run": self._measure}[self.action]()
        return 0

    def _list(self) -> None:
        from equinotes.comparison.rows import ROWS

        print("\n".join(f"{name:14} {row.label}" for name, row in ROWS.items()))

    def _measure(self) -> None:
        from equinotes.comparison.rows import ROWS, row_named
        from equinotes.comparison.store import run

        for name in self.names:
            row_named(name)
        for name in self.names or ROWS:
            errors = run(name, self.results_dir)["errors"]
            print(f"{name:14} {errors['mae_eV'].mean():.4f} eV, {errors['columns'].iloc[0]} columns", flush=True)

    def _table(self) -> None:
        from equinotes.comparison.store import load
        from equinotes.comparison.table import table

        print(table(load(self.results_dir)).to_string(index=False, float_format="{:.3g}".format))
