"""The subcommand `equinotes bases`: what is in the comparison, one row again, the table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from equinotes.support.errors import UserError, check_names


@dataclass(kw_only=True)
class Bases:
    """Compare bases on QM9, by ridge regression and in networks: errors, costs, what turns and what is confused.

    Without a word it prints the tables that are stored. `list` names the bases and the rows, `run` measures some rows (all if
    none is named) and stores them, `costs` measures the costs of all stored rows again. A network's row trains the runs that
    are missing; any network is trained by `equinotes train` (--network painn, --radial gaussian, --m-max 1).

    $ equinotes bases run cartesian legendre
    """

    action: Annotated[Literal["table", "list", "run", "costs"], tyro.conf.Positional] = "table"
    """What to do."""
    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME ...")] = ()
    """Which rows `run` measures."""
    results_dir: Path | None = None
    """Folder of the stored tables (default: results/bases of the repository)."""
    runs_dir: Path = Path("runs/bases")
    """Folder of the trained networks."""

    def run(self) -> int:
        if self.names and self.action != "run":
            raise UserError(f"only run takes names, got {self.action} {' '.join(self.names)}")
        {"table": self._table, "list": self._list, "run": self._measure, "costs": self._costs}[self.action]()
        return 0

    def _list(self) -> None:
        from equinotes.bases import BASES
        from equinotes.comparison.store import LABELS

        print("bases")
        print("\n".join(f"  {name:20} {entry.kind:10} {entry.about}" for name, entry in BASES.items()))
        print("rows of the comparison")
        print("\n".join(f"  {name:20} {label}" for name, label in LABELS.items()))

    def _measure(self) -> None:
        from equinotes.comparison.networks import NETWORKS
        from equinotes.comparison.store import LABELS, run

        check_names("basis of the comparison", self.names, LABELS)
        for name in self.names or LABELS:
            errors = run(name, self.results_dir, runs_dir=self.runs_dir)["errors"]
            what = "parameters" if name in NETWORKS else "columns"
            print(f"{name:20} {errors['mae_eV'].mean():.4f} eV, {errors['columns'].iloc[0]} {what}", flush=True)

    def _costs(self) -> None:
        from equinotes.comparison.store import run_costs

        print(run_costs(self.results_dir).groupby("basis", sort=False)["ms"].median().to_string(float_format="{:.3g}".format))

    def _table(self) -> None:
        from equinotes.comparison.networks import NETWORKS
        from equinotes.comparison.rows import ROWS
        from equinotes.comparison.store import load
        from equinotes.comparison.table import table

        stored = load(self.results_dir)
        print(table(stored, ROWS).to_string(index=False, float_format="{:.3g}".format))
        networks = table(stored, NETWORKS).rename(columns={"basis": "network", "columns": "parameters"})
        print("\n" + networks.to_string(index=False, float_format="{:.3g}".format))
