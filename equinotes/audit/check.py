"""Train a stored row again, and say whether its errors and predictions agree with what is stored."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equinotes.audit.protocol import PROTOCOLS, Protocol, named
from equinotes.audit.store import AVERAGE
from equinotes.audit.tables import folder_of, load
from equinotes.config import RunConfig
from equinotes.runs import provenance
from equinotes.support.errors import UserError, unknown

ROUNDING = 4e-6
"""Rounding of stored predictions [eV]: they are float32, and lie between 64 and 128 eV from zero, where half a step is 3.8e-6."""
EXACT = 2 * ROUNDING
"""Largest difference of predictions [eV] between two trainings with the same arithmetic: the rounding, and as much again for sums
whose order differs between processors of one name."""
LOOSE = 0.25
"""Largest relative difference of the errors between trainings whose arithmetic differs: they part within some hundred steps, so
that the second is like another seed."""


@dataclass(frozen=True)
class Check:
    """A row beside its second training. `errors` has index `mae_eV`, ... and columns `stored`, `again`."""

    run_id: str
    made_on: str
    again_on: str
    same: bool
    """Whether both trainings have the same arithmetic: device and its name, threads, versions of torch and e3nn."""
    largest_eV: float
    errors: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """Within `EXACT` for the same arithmetic, else errors within `LOOSE`."""
        change = (self.errors["again"] / self.errors["stored"] - 1).abs()
        judged = change[[name for name in change.index if name.endswith("mae_eV")]]
        return self.largest_eV <= EXACT if self.same else bool((judged <= LOOSE).all())

    def __str__(self) -> str:
        if self.same:
            meant = f"the same arithmetic: predictions within {EXACT:g} eV, twice the rounding of the stored float32 numbers"
        else:
            meant = f"other arithmetic, so that training parts as with another seed: mean absolute errors within {LOOSE:.0%}"
        lines = [
            f"{self.run_id}: {'agrees' if self.agrees else 'DIFFERS'}", f"  stored: {self.made_on}", f"  again:  {self.again_on}",
            f"  tolerance: {meant}", f"  largest difference of a prediction: {self.largest_eV:.2g} eV",
            *(f"  {name}: stored {row.stored:.6g}, again {row.again:.6g}" for name, row in self.errors.iterrows()),
        ]  # fmt: skip
        return "\n".join(lines)


def check(
    run_id: str, results_dir: Path | str | None = None, *, protocol: Protocol | None = None, device: str = "cpu",
    progress: bool = True,
) -> Check:  # fmt: skip
    """Train the configuration of a stored row in a temporary folder, with the row's number of threads, and compare.

    Rows of all versions are looked through unless a version is given. Raises ValueError for an unknown row, for one that today's
    numerics do not make, and where the test molecules are others.
    """
    return _again(*_found(run_id, results_dir, protocol), results_dir, device, progress)


def check_all(run_ids: Sequence[str], results_dir: Path | str | None = None, *, device: str = "cpu") -> list[Check]:
    """`check` of several rows; all of them are looked up before the first one is trained."""
    found = [_found(run_id, results_dir, None) for run_id in run_ids]
    return [_again(*each, results_dir, device, True) for each in found]


def _again(version: Protocol, row: dict[str, Any], results_dir: Path | str | None, device: str, progress: bool) -> Check:
    import torch  # after the row is found: it takes seconds to import

    from equinotes.training.loop import train

    run_id = row["run_id"]
    config = RunConfig.from_dict({field.name: _native(row[field.name]) for field in fields(RunConfig)})
    if config.run_id != run_id:
        raise UserError(f"the stored configuration of {run_id} has the name {config.run_id}")
    if row["numerics"] != provenance.NUMERICS:
        raise UserError(f"{run_id} was made with numerics {row['numerics']}, today's are {provenance.NUMERICS}")
    before = torch.get_num_threads()
    torch.set_num_threads(int(row["threads"]) if row["device"] == "cpu" else before)
    try:
        with tempfile.TemporaryDirectory() as folder:
            run = train(config, device=device, runs_dir=folder, progress=progress)
            again, table, machine = run.errors, run.predictions, run.provenance
    finally:
        torch.set_num_threads(before)
    now = {**machine, **{f"version_{name}": version for name, version in machine["versions"].items()}}
    alike = ("device", "device_name", "threads", "version_torch", "version_e3nn")
    return Check(
        run_id=run_id,
        made_on=_place(row),
        again_on=_place(now),
        same=all(_plain(row[name]) == _plain(now[name]) for name in alike),
        largest_eV=_largest(run_id, table, _predictions(run_id, results_dir, version)),
        errors=pd.DataFrame({"stored": {name: row[name] for name in again}, "again": again}),
    )


def _found(run_id: str, results_dir: Path | str | None, protocol: Protocol | None) -> tuple[Protocol, dict[str, Any]]:
    """The row of a stored run and the version that it belongs to; ValueError names the nearest where it is unknown."""
    known: list[str] = []
    for version in [protocol] if protocol else map(named, PROTOCOLS):
        if not folder_of(results_dir, version).is_dir():
            continue
        runs = load("runs", results_dir, version)
        known += runs["run_id"].tolist()
        if (there := runs["run_id"] == run_id).any():
            return version, {str(name): value for name, value in runs[there].iloc[0].items()}
    raise UserError(unknown("stored run", run_id, known) if known else "no runs are stored")


def _predictions(run_id: str, results_dir: Path | str | None, protocol: Protocol) -> pd.DataFrame:
    for name in ("predictions", *(f"predictions_{experiment}" for experiment in protocol.apart)):
        if run_id in (table := load(name, results_dir, protocol)):
            return table
    raise UserError(f"no predictions of {run_id} are stored")


def _largest(run_id: str, again: pd.DataFrame, stored: pd.DataFrame) -> float:
    if not np.array_equal(again["qm9_index"], stored["qm9_index"]):
        raise UserError(f"{run_id} was tested on other molecules than today")
    pairs = [("prediction_eV", run_id), ("average_prediction_eV", f"{AVERAGE}{run_id}")]
    there = [(one, other) for one, other in pairs if one in again and other in stored]
    return max(float(np.abs(again[one].to_numpy("f8") - stored[other].to_numpy("f8")).max()) for one, other in there)


def _native(value: Any) -> Any:
    """A number of numpy's as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _plain(value: Any) -> Any:
    return str(value).partition("+")[0]


def _place(about: Mapping[str, Any]) -> str:
    threads = f", {about['threads']} thread{'' if about['threads'] == 1 else 's'}" if about["device"] == "cpu" else ""
    return (
        f"{about['device']} ({about['device_name']}){threads}, torch {about['version_torch']}, commit {str(about['commit'])[:10]}"
    )
