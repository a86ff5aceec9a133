"""The subcommands: a dataclass each, whose fields are its flags and whose docstring is its help."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from equinotes.cli.audit import Audit
from equinotes.cli.bases import Bases
from equinotes.cli.book import Book, Run
from equinotes.cli.estimates import training_time
from equinotes.cli.flags import config_flags, config_of, configs_of, preset_of, sides_of
from equinotes.cli.grade import Grade
from equinotes.config import TARGETS, RunConfig
from equinotes.support.devices import check_device
from equinotes.support.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from equinotes.data.qm9 import Molecule

Preset = Literal["smoke", "quick", "nequip", "se3_transformer", "segnn", "painn", "paper"] | None
OneConfig = config_flags(RunConfig(), many=False)
ManyConfigs = config_flags(RunConfig(), many=True)


@dataclass(kw_only=True)
class Data:
    """Pack QM9 on first use, and show what is in it.

    $ equinotes data --molecule 69
    """

    molecule: int | None = None
    """QM9 number (1 to 133885) of a molecule to show."""

    def run(self) -> int:
        from equinotes.data.cache import default_folder
        from equinotes.data.qm9 import load_qm9

        qm9 = load_qm9()
        if self.molecule is not None:
            print(_molecule_text(qm9.molecule(qm9.row(self.molecule))))
            return 0
        bonds = len(qm9.bonds)
        print(f"QM9: {len(qm9):,} molecules, {len(qm9.z):,} atoms, {bonds:,} bonds; packed in {default_folder()}")
        print(f"\n{'target':18}{'unit':>14}{'mean':>13}{'std. dev.':>13}{'least':>13}{'greatest':>13}")
        for name, unit in TARGETS.items():
            values = qm9.targets[name]
            spread = (values.mean(), values.std(), values.min(), values.max())
            print(f"{name:18}{unit:>14}" + "".join(f"{value:13.4f}" for value in spread))
        return 0


@dataclass(kw_only=True)
class Train:
    """Train one network, or continue an interrupted run.

    $ equinotes train --preset quick --ls 0,1,2 --seed 1
    $ equinotes train --preset paper --device cuda
    """

    preset: Preset = None
    """Values that the other flags start from: smoke (seconds), quick or nequip (minutes on a laptop), or paper (the paper's)."""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:1."""
    runs_dir: Path = Path("runs")
    """Folder of the run store."""
    config: Annotated[OneConfig, tyro.conf.arg(name="")] = field(default_factory=OneConfig)  # type: ignore[valid-type]

    def run(self) -> int:
        from equinotes.runs import store as runs

        config = config_of(self.config)
        check_device(self.device)
        run = runs.Run(self.runs_dir / config.run_id)
        if not run.complete:  # torch takes seconds to import
            from equinotes.training.loop import train

            run = train(config, device=self.device, runs_dir=self.runs_dir)
        errors = ", ".join(f"{name} {value:.4g}" for name, value in run.errors.items())
        print(f"{run.path}\ntest set: {errors}; trained for {run.provenance['seconds']:.0f} s")
        return 0


@dataclass(kw_only=True)
class Sweep:
    """Train every combination of the values given, on local processes or a Dask cluster.

    Complete runs are not trained again; the same command continues an interrupted sweep.

    $ equinotes sweep --preset quick --ls 0,1 0,1,2 0,1,2,3 --seed 0 1 2
    """

    preset: Preset = None
    """Values that the other flags start from: smoke (seconds), quick or nequip (minutes on a laptop), or paper (the paper's)."""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda or cuda:1."""
    runs_dir: Path = Path("runs")
    """Folder of the run store."""
    workers: int | None = None
    """Local processes; by default one per GPU, or as many as cores and memory allow."""
    scheduler: str | None = None
    """Address of the scheduler of a Dask cluster to use instead, such as tcp://node1:8786."""
    dry_run: bool = False
    """Only say what would be trained, and how long that takes where complete runs tell."""
    config: Annotated[ManyConfigs, tyro.conf.arg(name="")] = field(default_factory=ManyConfigs)  # type: ignore[valid-type]

    def run(self) -> int:
        from equinotes.runs.results import overview
        from equinotes.runs.store import Run, list_runs
        from equinotes.sweeps.sweep import check_means, sweep

        configs = configs_of(self.config)
        check_means(self.workers, self.scheduler, self.device)
        left = [config for config in configs if not Run(self.runs_dir / config.run_id).complete]
        print(f"runs: {len(configs)}, complete: {len(configs) - len(left)}", file=sys.stderr)
        if self.dry_run:
            if left:
                print(f"left: {len(left)}, {training_time(left, self.runs_dir)}", file=sys.stderr)
            print("\n".join(config.run_id for config in configs))
            return 0
        table = sweep(configs, runs_dir=self.runs_dir, workers=self.workers, scheduler=self.scheduler, device=self.device)
        runs = list_runs(self.runs_dir)
        if len(runs):
            _print_frame(overview(runs[runs["run_id"].isin(table["run_id"])]))
        bad = int((table["status"] != "done").sum())
        if bad:
            print(f"{bad} of {len(table)} runs did not finish; the same command tries them again", file=sys.stderr)
        return int(bad > 0)


@dataclass(kw_only=True)
class Results:
    """List the stored runs, compare two sets of orders, or write the table to a file.

    $ equinotes results --compare 0,1,2 0,1,2,3
    $ equinotes results --compare 0:12 0,1:8
    $ equinotes results --export runs.csv
    $ equinotes results --stored --protocol second
    """

    runs_dir: Path = Path("runs")
    """Folder of the run store."""
    stored: bool = False
    """Use the runs stored with the book, those of a protocol of the audit, instead of those in a run store."""
    protocol: str | None = None
    """Protocol whose runs --stored takes: first (the default), second, networks or strategies."""
    compare: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ORDERS[:CHANNELS] ORDERS[:CHANNELS]")] = ()
    """Two sets of orders: compare their test errors, paired over runs that agree in all other fields, with the interval of the
    difference at 95 %. With channels (0:12 0,1:8) the two may differ in these as well."""
    export: Path | None = None
    """File for the whole table, with all settings: .csv or .parquet."""

    def run(self) -> int:
        from equinotes.runs import results
        from equinotes.runs.store import list_runs

        sides = sides_of(self.compare) if self.compare else None
        if self.protocol is not None and not self.stored:
            raise UserError(f"only --stored takes --protocol, got --protocol {self.protocol}")
        if self.stored:
            from equinotes.audit.protocol import DEFAULT, named
            from equinotes.audit.tables import load

            runs = results.as_listed(load("runs", protocol=named(self.protocol or DEFAULT)))
        else:
            runs = list_runs(self.runs_dir)
        if runs.empty and not self.stored:
            hint = "run equinotes train or equinotes sweep, or use --stored for those of the book"
            raise FileNotFoundError(f"no runs in {self.runs_dir.resolve()}; {hint}")
        if sides is not None:
            _print_frame(results.compare(runs, *sides))
            print(f"\n{results.COMPARED}")
        elif self.export is not None:
            results.export(runs, self.export)
            print(f"wrote {len(runs)} runs to {self.export}")
        else:
            _print_frame(results.overview(runs))
        return 0


Command = Data | Train | Sweep | Run | Book | Results | Audit | Bases | Grade


def start_of(command: type[Command], words: Sequence[str]) -> Command | None:
    """The defaults of a command whose defaults depend on the preset, read from the arguments."""
    if command not in (Train, Sweep):
        return None
    preset, config = preset_of(words)
    values = {name: getattr(config, name) for name in asdict(config)}
    if command is Train:
        return Train(preset=preset, config=OneConfig(**values))
    return Sweep(preset=preset, config=ManyConfigs(**{name: (value,) for name, value in values.items()}))


def _print_frame(table: "pd.DataFrame") -> None:
    print(table.to_string(index=False, na_rep="", float_format="{:.4g}".format))


def _molecule_text(molecule: "Molecule") -> str:
    lines = [f"QM9 molecule {molecule.number}: {molecule.formula}, {molecule.smiles}", ""]
    lines += [f"  {name:18} {value:14.6g} {TARGETS[name]}" for name, value in molecule.targets.items()]
    lines += ["", "  atom          x          y          z  [Angstrom]     charge [e]"]
    rows = zip(molecule.symbols, molecule.pos, molecule.charge, strict=True)
    lines += [f"  {i:3} {s:2} {x:10.5f} {y:10.5f} {z:10.5f} {q:22.4f}" for i, (s, (x, y, z), q) in enumerate(rows)]
    bonds = ", ".join(f"{i}-{j}" for i, j in molecule.bonds.tolist())
    return "\n".join([*lines, "", f"  bonds: {bonds}"])
