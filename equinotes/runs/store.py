"""The run store: one folder per run, named by its configuration, holding tables, weights and where they came from.

A run folder holds `config.json`, `split.json` (QM9 numbers), `metrics.parquet` (per epoch), `predictions.parquet` (test set),
`model.safetensors`, `average.safetensors` where an average of the weights is kept and, written last, `provenance.json`; while a
run is going, `checkpoint.safetensors`. Nothing is unpickled.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from equinotes.config import RunConfig
from equinotes.runs.provenance import NUMERICS
from equinotes.support.errors import UserError, unknown
from equinotes.support.files import read_json

if TYPE_CHECKING:
    from equinotes.data.batches import Split
    from equinotes.networks.base import Network

CONFIG, SPLIT, METRICS = "config.json", "split.json", "metrics.parquet"
PREDICTIONS, MODEL, PROVENANCE = "predictions.parquet", "model.safetensors", "provenance.json"
AVERAGE, CHECKPOINT = "average.safetensors", "checkpoint.safetensors"


def unit_suffix(unit: str) -> str:
    """A unit as it stands at the end of a column name.

    >>> unit_suffix("eV"), unit_suffix("bohr^3"), unit_suffix("cal/(mol K)")
    ('eV', 'bohr3', 'cal_mol_K')
    """
    words = "".join(letter if letter.isalnum() else " " for letter in unit.replace("^", ""))
    return "_".join(words.split())


def error_columns(unit: str) -> dict[str, str]:
    """Column names of MAE, RMSE and MSE in a unit.

    >>> error_columns("eV")
    {'mae': 'mae_eV', 'rmse': 'rmse_eV', 'mse': 'mse_eV2'}
    """
    name = unit_suffix(unit)
    return {"mae": f"mae_{name}", "rmse": f"rmse_{name}", "mse": f"mse_{name}{'2' if name.isalpha() else '_squared'}"}


def error_statistics(target: np.ndarray, prediction: np.ndarray, unit: str) -> dict[str, float]:
    """MAE, RMSE and MSE of predictions [molecules], under their column names, summed in float64."""
    difference = np.asarray(prediction, np.float64) - np.asarray(target, np.float64)
    mse = float(np.mean(difference**2))
    values = {"mae": float(np.mean(np.abs(difference))), "rmse": mse**0.5, "mse": mse}
    return {column: values[name] for name, column in error_columns(unit).items()}


PREFIXES = ("", "average_")
"""Of columns that belong to the last iterate, and to the average of the weights."""


@dataclass(frozen=True)
class Run:
    """One configuration's folder; tables are read when they are asked for."""

    path: Path

    @cached_property
    def config(self) -> RunConfig:
        """The configuration; ValueError where `config.json` is damaged or comes from another version."""
        try:
            return RunConfig.from_dict(read_json(self.path / CONFIG))
        except (TypeError, ValueError) as error:
            raise UserError(f"run {self.path.name} cannot be read: {error}") from error

    @property
    def run_id(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def complete(self) -> bool:
        """Whether training ended, with today's data and numerics, and every file still has the size that it was written with."""
        return self._holds() and self.other_numerics is None

    @property
    def tabled(self) -> bool:
        """Whether metrics and predictions are those of a complete run, be its weights here or left on another machine."""
        return self._holds(METRICS, PREDICTIONS) and self.other_numerics is None

    def has_weights(self, *, average: bool = False) -> bool:
        """Whether the weights of the last iterate, or their `average`, lie here with the tables of a complete run."""
        return self.tabled and self._holds(AVERAGE if average else MODEL)

    def _holds(self, *names: str) -> bool:
        """Whether these files (all of the run's, by default) have the sizes that provenance states."""
        try:
            sizes = self.provenance["files"]
            return all((self.path / name).stat().st_size == sizes[name] for name in names or sizes)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @property
    def other_numerics(self) -> str | None:
        """What differs from today in the run's making: its data, or the version of the numerics; None where nothing does."""
        from equinotes.data.source import SOURCE_CHECKSUM

        try:
            record = self.provenance
        except (OSError, ValueError):
            return None
        if record.get("data_sha256", SOURCE_CHECKSUM) != SOURCE_CHECKSUM:
            return "other data"
        made = record.get("numerics", 1)
        return None if made == NUMERICS else f"numerics {made} (today's are {NUMERICS})"

    @property
    def status(self) -> str:
        """`complete`, `unfinished` (training again continues it), `damaged` or `outdated` (training again starts it over).

        `tables only`: a complete run whose weights were left on another machine.
        """
        if self.complete:
            return "complete"
        if self._holds():
            return "outdated"
        if self.tabled and not all((self.path / name).exists() for name in self.provenance["files"]):
            return "tables only"
        return "damaged" if (self.path / PROVENANCE).exists() else "unfinished"

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, device, threads, checksum of the data, start, seconds, and the sizes of the other files."""
        return read_json(self.path / PROVENANCE)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per epoch: `epoch`, `train_loss`, `train_mae_eV`, `val_mae_eV`, `val_rmse_eV`, `molecules_per_s`, `seconds`."""
        return pd.read_parquet(self._finished(METRICS))

    @property
    def curve(self) -> pd.DataFrame:
        """The epochs that a run has done so far, with the columns of `metrics`; without rows where it has no checkpoint."""
        from safetensors import safe_open

        if self.tabled:
            return self.metrics
        if not (self.path / CHECKPOINT).exists():
            return pd.DataFrame()
        with safe_open(self.path / CHECKPOINT, "numpy") as stored:
            return pd.DataFrame(json.loads(stored.metadata()["position"])["metrics"])

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The test set: `qm9_index`, `target_eV`, `prediction_eV` (or the target's own unit).

        Runs that keep an average of the weights have its predictions as well, `average_prediction_eV`.
        """
        return pd.read_parquet(self._finished(PREDICTIONS))

    @cached_property
    def split(self) -> "Split":
        """Rows of the molecules trained on, watched and tested."""
        from equinotes.data.batches import Split
        from equinotes.data.qm9 import load_qm9

        qm9 = load_qm9()
        return Split(**{part: qm9.rows(numbers) for part, numbers in read_json(self.path / SPLIT).items()})

    @property
    def errors(self) -> dict[str, float]:
        """MAE, RMSE and MSE on the test set, e.g. `{"mae_eV": ..., "rmse_eV": ..., "mse_eV2": ...}`.

        Those of averaged weights, where they are kept, stand beside them: `average_mae_eV`, ...
        """
        name, table = unit_suffix(self.config.unit), self.predictions
        target = table[f"target_{name}"].to_numpy()
        found: dict[str, float] = {}
        for prefix in PREFIXES:
            if (column := f"{prefix}prediction_{name}") in table:
                errors = error_statistics(target, table[column].to_numpy(), self.config.unit)
                found |= {f"{prefix}{key}": value for key, value in errors.items()}
        return found

    def network(self, device: str = "cpu", implementation: str = "fast", *, average: bool = False) -> "Network":
        """The trained network, ready to predict: the last iterate, or the `average` of its weights.

        Raises ValueError where no average was kept.
        """
        from safetensors.torch import load_file

        from equinotes.networks import build_network

        if average and not self.config.average:
            raise UserError(f"run {self.run_id} keeps no average of its weights; RunConfig(average=0.999) does")
        net = build_network(self.config, implementation)
        net.load_state_dict(load_file(self._finished(AVERAGE if average else MODEL)))
        return net.to(device).eval()

    def _finished(self, name: str) -> Path:
        usable = self.status == "tables only" and self._holds(name)
        if not (self.complete or usable):
            raise UserError(f"run {self.run_id} is {self.status}; train(config) with its configuration completes it")
        return self.path / name


def load_run(run: str | Path, runs_dir: str | Path = "runs") -> Run:
    """The run with this folder or this id; FileNotFoundError names the nearest ids."""
    for path in (Path(run), Path(runs_dir) / run):
        if (path / CONFIG).exists():
            return Run(path)
    known = [path.parent.name for path in Path(runs_dir).glob(f"*/{CONFIG}")]
    raise FileNotFoundError(unknown("run", str(run), known) if known else f"no runs in {Path(runs_dir).resolve()}")


def gather_metrics(found: Iterable[Run]) -> pd.DataFrame:
    """The metrics of many runs below each other, with columns `run_id`, `ls`, `lmax` and `seed` beside them."""
    tables = []
    for run in found:
        table = run.metrics.copy()
        table["run_id"], table["lmax"], table["seed"] = run.run_id, run.config.lmax, run.config.seed
        table["ls"] = pd.Series([run.config.ls] * len(table), dtype=object)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def absolute_errors(found: Sequence[Run]) -> Float[np.ndarray, "runs molecules"]:
    """Absolute errors on the test set that the runs share, in the target's unit.

    Raises ValueError where the runs differ in their target or in the molecules that they were tested on.
    """
    name = unit_suffix(found[0].config.unit)
    columns = ["qm9_index", f"target_{name}"]
    first = found[0].predictions[columns]
    for run in found[1:]:
        if run.config.target != found[0].config.target or not run.predictions[columns].equals(first):
            raise UserError(f"{run.run_id} and {found[0].run_id} were not tested on the same numbers")
    return np.stack([np.abs(run.predictions[f"prediction_{name}"] - first[f"target_{name}"]) for run in found])


def list_runs(runs_dir: str | Path = "runs") -> pd.DataFrame:
    """One row per run: `run_id`, `status`, `complete`, every field of its configuration, `lmax`, test errors, `seconds`, `path`.

    Folders that cannot be read are listed with status `damaged` and otherwise empty.
    """
    return pd.DataFrame([_row(Run(path.parent)) for path in sorted(Path(runs_dir).glob(f"*/{CONFIG}"))])


def _row(run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {"run_id": run.run_id, "status": run.status, "complete": run.complete, "path": str(run.path)}
    try:
        row |= asdict(run.config) | {"lmax": run.config.lmax}
        if run.complete:
            row |= {f"test_{name}": value for name, value in run.errors.items()}
            row["seconds"] = run.provenance["seconds"]
    except (OSError, ValueError):  # pyarrow's errors are ValueErrors
        row |= {"status": "damaged", "complete": False}
    return row
