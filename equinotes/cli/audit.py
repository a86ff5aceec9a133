"""The subcommand `equinotes audit`: its runs, its diagnostics, its tables, its verdicts."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from equinotes.support.devices import check_device
from equinotes.support.errors import UserError

if TYPE_CHECKING:
    from equinotes.audit.protocol import Protocol

MARKS = {"result": ("README.md",), "verdicts": ("README.md", "book/index.md")}
"""Names of marks, and the pages that have between two of them: the main result in sentences, and the six rows of protocol 2."""


@dataclass(kw_only=True)
class Audit:
    """Repeat the audit of the paper's claims, or a part of it.

    Without a word it says how far the runs are. `run` trains what is left of some experiments (of the first protocol: table,
    substitutes, factors, scalars, full; all but the last when none is named) and stores it, `store` only stores what is complete,
    `diagnose` examines the trained networks, `measures` counts what each measure marks, `verdicts` prints a verdict for every
    claim, `headline` writes the main result into the README and the front page, `foundation` examines published models (it
    needs the dependency group of that name). `check` trains a stored row of any version again and says whether errors and
    predictions agree with what is stored. Each can be stopped, and the same command continues.

    $ equinotes audit run table
    $ equinotes audit diagnose
    $ equinotes audit verdicts
    $ equinotes audit check U0_atom-l0-mul16-n2000-seed0-1b06014c
    """

    action: Annotated[
        Literal["status", "run", "store", "diagnose", "measures", "verdicts", "headline", "foundation", "check"],
        tyro.conf.Positional,
    ] = "status"
    """What to do."""
    experiments: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT ...")] = ()
    """Which experiments `run` trains, or which stored runs `check` trains again."""
    protocol: str = "first"
    """Version of the protocol: first, second, networks or strategies."""
    runs_dir: Path = Path("runs")
    """Folder of the run store."""
    results_dir: Path | None = None
    """Folder of the stored tables (default: that of the protocol, in the repository)."""
    device: str = "auto"
    """Where `run` trains: auto (a GPU when there is one), cpu, cuda or cuda:1; `check` takes the CPU for auto."""
    workers: int | None = None
    """Local processes of `run` or `diagnose`; by default as many as cores and memory allow, or for `run` one per GPU."""
    scheduler: str | None = None
    """Address of the scheduler of a Dask cluster for `run` to train on instead, such as tcp://node1:8786."""

    @cached_property
    def version(self) -> "Protocol":
        """The version of the protocol."""
        from equinotes.audit.protocol import named

        return named(self.protocol)

    def run(self) -> int:
        self._check()
        actions = {
            "status": self._say_state, "run": self._train, "store": self._store, "diagnose": self._diagnose,
            "measures": self._measure, "verdicts": self._judge, "headline": self._put_headline,
            "foundation": self._foundation,
            "check": self._train_again,
        }  # fmt: skip
        return actions[self.action]() or 0

    def _check(self) -> None:
        if self.action == "check" and not self.experiments:
            raise UserError("check needs the name of a stored run; equinotes audit check RUN_ID")
        if self.experiments and self.action not in ("run", "check"):
            raise UserError(f"only run takes experiments, got {self.action} {' '.join(self.experiments)}")
        if self.device != "auto" and self.action not in ("run", "check"):
            raise UserError(f"only run and check take --device, got {self.action} --device {self.device}")
        if self.scheduler is not None and self.action != "run":
            raise UserError(f"only run takes --scheduler, got {self.action} --scheduler {self.scheduler}")
        if self.workers is not None and self.action not in ("run", "diagnose"):
            raise UserError(f"only run and diagnose take --workers, got {self.action} --workers {self.workers}")
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers must be at least 1, got {self.workers}")
        check_device(self.device)

    def _say_state(self) -> None:
        from equinotes.audit.missing import missing
        from equinotes.audit.store import state, stored_runs

        print(state(self.results_dir, self.version).to_string(index=False))
        for name, (count, lines) in missing(stored_runs(self.results_dir, self.version)["run_id"], self.version).items():
            many = f"{count} runs are" if count > 1 else "1 run is"
            print(f"\n{name}: {many} missing; equinotes audit run {name}{self.version.words} trains them")
            print("\n".join(f"    {line}" for line in lines))

    def _store(self) -> None:
        from equinotes.audit.store import store

        print(store(self.runs_dir, self.results_dir, protocol=self.version).to_string(index=False))

    def _train(self) -> int:
        from equinotes.sweeps.sweep import sweep

        configs = self.version.selected(self.experiments)
        table = sweep(configs, runs_dir=self.runs_dir, workers=self.workers, scheduler=self.scheduler, device=self.device)
        self._store()
        bad = int((table["status"] != "done").sum())
        if bad:
            print(f"{bad} of {len(table)} runs did not finish; the same command tries them again", file=sys.stderr)
        return int(bad > 0)

    def _train_again(self) -> int:
        from equinotes.audit.check import check_all

        found = check_all(self.experiments, self.results_dir, device="cpu" if self.device == "auto" else self.device)
        print("\n".join(map(str, found)))
        return int(not all(one.agrees for one in found))

    def _diagnose(self) -> None:
        from equinotes.audit.diagnostics import diagnose

        work = self.runs_dir / "diagnostics"
        rows = diagnose(self.runs_dir, self.results_dir, protocol=self.version, work=work, workers=self.workers)
        print("\n".join(f"{name:12} {count:6} rows" for name, count in rows.items()))

    def _measure(self) -> None:
        from equinotes.audit.measures import summary
        from equinotes.audit.tables import load_all

        table = summary(load_all(self.results_dir, self.version), self.version.thresholds)
        print(table.to_string(index=False, float_format="{:.3g}".format))

    def _foundation(self) -> None:
        from equinotes.audit.published import examine_all

        rows = examine_all(self.runs_dir / "foundation", self.results_dir)
        print("\n".join(f"{name:20} {count:6} rows" for name, count in rows.items()))

    def _judge(self) -> None:
        from textwrap import fill

        from equinotes.audit.tables import load_all

        tables = load_all(self.results_dir, self.version)
        for row in self.version.judge(tables).to_dict("records"):
            claim, verdict = row.pop("claim"), row.pop("verdict")
            numbers = row.get("numbers", row)
            sureness, evidence = self._in_words(claim, numbers)
            print(f"{claim}  {verdict}{f'  ({sureness})' if sureness else ''}")
            print(fill(evidence, width=110, initial_indent="    ", subsequent_indent="    "), end="\n\n")

    def _in_words(self, claim: str, numbers: Mapping[str, Any]) -> tuple[str, str]:
        """How sure, and the evidence, in the sentences of the protocol's template."""
        from equinotes.support.templates import sentences

        say = sentences(self.protocol)
        return say("sureness", numbers=numbers), say("evidence", claim=claim, numbers=numbers)

    def _put_headline(self) -> None:
        from equinotes.support.repository import find_root
        from equinotes.support.templates import between_marks

        said = headlines()
        for place in dict.fromkeys(place for places in MARKS.values() for place in places):
            page = find_root() / place
            text = page.read_text(encoding="utf-8")
            for name in (name for name, places in MARKS.items() if place in places):
                text = between_marks(text, said[name], name)
            page.write_text(text, encoding="utf-8")
            print(f"wrote {place}")


def headlines(second: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What stands between each pair of marks, by name, from the stored tables (or these of protocol 2)."""
    from equinotes.audit.protocol import named
    from equinotes.audit.report import front
    from equinotes.audit.report.deciding import in_words
    from equinotes.audit.tables import load_all
    from equinotes.support.templates import sentences

    second = load_all(protocol=named("second")) if second is None else second
    say = sentences("front")
    rows = sentences("second")("rows_elsewhere", rows=in_words(second))
    first = say("before", **front.before(load_all(protocol=named("first"))))
    return {"result": f"{say('result', **front.front(second))} {first}", "verdicts": f"\n\n{rows}\n\n"}
