"""The subcommand `equinotes audit`: its runs, its diagnostics, its tables, its verdicts."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from equinotes.support.errors import UserError


@dataclass(kw_only=True)
class Audit:
    """Repeat the audit of the paper's claims, or a part of it.

    Without an argument it counts planned and stored runs. `run` trains the missing runs of the named experiments (table,
    substitutes, factors, scalars, full; by default all but full) and stores them, `store` only stores complete runs, `diagnose`
    measures the trained networks, `verdicts` prints a verdict for every claim. Each can be interrupted and continued.

    $ equinotes audit run table
    $ equinotes audit diagnose
    $ equinotes audit verdicts
    """

    action: Annotated[Literal["status", "run", "store", "diagnose", "verdicts"], tyro.conf.Positional] = "status"
    """What to do."""
    experiments: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT ...")] = ()
    """Experiments that `run` trains."""
    runs_dir: Path = Path("runs")
    """Folder of the run store."""
    results_dir: Path | None = None
    """Folder of the stored tables (default: results/audit of the repository)."""
    device: str = "auto"
    """Where `run` trains: auto (a GPU when there is one), cpu, cuda or cuda:1."""
    workers: int | None = None
    """Local processes of `run` or `diagnose`; by default as many as cores and memory allow, or for `run` one per GPU."""
    scheduler: str | None = None
    """Address of the scheduler of a Dask cluster for `run` to train on instead, such as tcp://node1:8786."""

    def run(self) -> int:
        from equinotes.audit.store import selected, state, store

        self._check()
        if self.action == "status":
            print(state(self.results_dir).to_string(index=False))
        elif self.action == "run":
            return self._train(selected(self.experiments or ("table", "substitutes", "factors", "scalars")))
        elif self.action == "store":
            print(store(self.runs_dir, self.results_dir).to_string(index=False))
        elif self.action == "diagnose":
            self._diagnose()
        else:
            self._judge()
        return 0

    def _check(self) -> None:
        if self.experiments and self.action != "run":
            raise UserError(f"only run takes experiments, got {self.action} {' '.join(self.experiments)}")
        if self.device != "auto" and self.action != "run":
            raise UserError(f"only run takes --device, got {self.action} --device {self.device}")
        if self.scheduler is not None and self.action != "run":
            raise UserError(f"only run takes --scheduler, got {self.action} --scheduler {self.scheduler}")
        if self.workers is not None and self.action not in ("run", "diagnose"):
            raise UserError(f"only run and diagnose take --workers, got {self.action} --workers {self.workers}")
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers must be at least 1, got {self.workers}")

    def _train(self, configs: list) -> int:
        from equinotes.audit.store import store
        from equinotes.sweeps.sweep import sweep

        table = sweep(configs, runs_dir=self.runs_dir, workers=self.workers, scheduler=self.scheduler, device=self.device)
        print(store(self.runs_dir, self.results_dir).to_string(index=False))
        bad = int((table["status"] != "done").sum())
        if bad:
            print(f"{bad} of {len(table)} runs did not finish; the same command tries them again", file=sys.stderr)
        return int(bad > 0)

    def _diagnose(self) -> None:
        from equinotes.audit.diagnostics import diagnose

        rows = diagnose(self.runs_dir, self.results_dir, work=self.runs_dir / "diagnostics", workers=self.workers)
        print("\n".join(f"{name:12} {count:6} rows" for name, count in rows.items()))

    def _judge(self) -> None:
        from textwrap import fill

        from equinotes.audit.tables import load_all
        from equinotes.audit.verdicts import headline, verdicts

        tables = load_all(self.results_dir)
        for claim, verdict, sureness, text in verdicts(tables).itertuples(index=False, name=None):
            print(f"{claim}  {verdict}  ({sureness})")
            print(fill(text, width=110, initial_indent="    ", subsequent_indent="    "), end="\n\n")
        print(fill(headline(tables), width=114))
