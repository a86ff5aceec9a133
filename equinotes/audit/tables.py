"""The audit's stored tables: what stands in them, and how they are read and written.

A table is a Parquet file; beside the tables lies `provenance.json`. What a page says of the audit is computed from these.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from equinotes.config import RunConfig
from equinotes.runs import provenance
from equinotes.support.errors import UserError, unknown
from equinotes.support.files import read_json, write_atomically, write_json
from equinotes.support.repository import find_root

FOLDER = Path("results", "audit")
ENVIRONMENT = "EQUINOTES_RESULTS"
"""Environment variable that names another folder of tables, for tests of what is made from them."""
PROVENANCE = "provenance.json"

TYPES: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "float32": pa.float32(),
    "bool": pa.bool_(),
    "str": pa.string(),
    "ints": pa.list_(pa.int64()),
    "strs": pa.list_(pa.string()),
}
"""Kinds of columns, and the Parquet type that each is written with; `float` may be read in either precision."""


def _config_kinds() -> dict[str, str]:
    """Kinds of the fields of `RunConfig`."""
    hints, kinds = get_type_hints(RunConfig), {}
    for field in fields(RunConfig):
        hint = hints[field.name]
        if get_origin(hint) is tuple:
            kinds[field.name] = "ints" if get_args(hint)[0] is int else "strs"
        else:
            kinds[field.name] = hint.__name__ if hint in (int, float, bool) else "str"
    return kinds


ERRORS = {"mae_eV": "float", "rmse_eV": "float", "mse_eV2": "float"}
NETWORK = {"run_id": "str", "ls": "ints", "mul": "int", "seed": "int", "trained": "bool"}
"""Which network a row of a diagnostic is about; `trained` is False for the same network before its first step."""
PREDICTIONS = {"qm9_index": "int", "target_eV": "float"}

SCHEMAS: dict[str, dict[str, str]] = {
    "runs": {"experiment": "str", "run_id": "str", **_config_kinds(), **ERRORS, "parameters": "int", "seconds": "float",
             "device": "str", "device_name": "str", "threads": "int", "commit": "str", "started": "str",
             "data_sha256": "str"},
    "metrics": {"run_id": "str", "epoch": "int", "train_loss": "float", "train_mae_eV": "float", "val_mae_eV": "float",
                "val_rmse_eV": "float", "molecules_per_s": "float", "seconds": "float"},
    "predictions": PREDICTIONS,
    "predictions_full": PREDICTIONS,
    "baselines": {"baseline": "str", "num_train": "int", **ERRORS},
    "gradients": {**NETWORK, "layer": "str", "irrep": "str", "feature_norm": "float", "gradient_norm": "float", "flow": "float",
                  "share": "float", "zero_fraction": "float"},
    "norms": {**NETWORK, "layer": "str", "irrep": "str", "mean_square": "float", "share": "float"},
    "ranks": {**NETWORK, "layer": "str", "irrep": "str", "effective_rank": "float"},
    "weights": {**NETWORK, "block": "int", "l3": "int", "weights": "int", "dead": "int", "dead_share": "float"},
    "ablations": {**NETWORK, "layer": "int", "irrep": "str", "mode": "str", "mae_eV": "float", "delta_mae_eV": "float",
                  "low_eV": "float", "high_eV": "float", "repeat_sd_eV": "float"},
    "structure": {**NETWORK, "layer": "str", "irrep": "str", "measure": "str", "value": "float", "null_mean": "float",
                  "null_low": "float", "null_high": "float", "p": "float", "molecules": "int", "movable": "int"},
    "probes": {**NETWORK, "layer": "str", "irrep": "str", "target": "str", "r2": "float", "sd": "float"},
    "pictures": {**NETWORK, "layer": "str", "irrep": "str", "qm9_index": "int", "score": "float", "phate1": "float32",
                 "phate2": "float32"},
    "similarity": {"ls": "ints", "mul": "int", "irrep": "str", "seed_a": "int", "seed_b": "int", "trained": "bool",
                   "cka": "float"},
}  # fmt: skip
"""Columns of every table and their kinds."""

FURTHER = {"runs": ("version_", "str"), "predictions": ("", "float32"), "predictions_full": ("", "float32")}
"""Tables with further columns: how their names begin and their kind (library versions; one column of predictions per run)."""

COMMANDS = {
    **dict.fromkeys(("runs", "metrics", "predictions"), "equinotes audit run table substitutes factors scalars"),
    "predictions_full": "equinotes audit run full",
    "baselines": "equinotes audit store",
} | dict.fromkeys(
    ("gradients", "norms", "ranks", "weights", "ablations", "structure", "probes", "pictures", "similarity"),
    "equinotes audit diagnose",
)
"""The command that makes each table anew."""


def folder_of(folder: Path | str | None = None) -> Path:
    """Where the tables lie: the folder given, or that of EQUINOTES_RESULTS, or `results/audit` of the repository."""
    return Path(folder or os.environ.get(ENVIRONMENT) or find_root() / FOLDER)


def load(name: str, folder: Path | str | None = None) -> pd.DataFrame:
    """A stored table, checked against its schema; one that was not made yet comes without rows.

    Orders (`ls`) and names (`auxiliary`) are tuples.
    Raises ValueError for an unknown table and for a column that is missing, not known or of another kind, FileNotFoundError
    where the folder is not there.
    """
    if name not in SCHEMAS:
        raise UserError(unknown("table", name, list(SCHEMAS)))
    place = folder_of(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"no stored tables at {place}; equinotes audit store makes them")
    path = place / f"{name}.parquet"
    if not path.exists():
        return _schema(name, []).empty_table().to_pandas()
    try:
        stored = pq.read_table(path)
    except pa.ArrowException as error:
        raise UserError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    check(name, stored.schema)
    table = stored.to_pandas()
    for column, kind in SCHEMAS[name].items():
        if kind in ("ints", "strs"):
            table[column] = pd.Series([tuple(value.tolist()) for value in table[column]], index=table.index, dtype=object)
    return table


def load_all(folder: Path | str | None = None) -> dict[str, pd.DataFrame]:
    """All tables by name, those not made yet without rows."""
    return {name: load(name, folder) for name in SCHEMAS}


def check(name: str, schema: pa.Schema) -> None:
    """ValueError for the first column that is missing, not known or of another kind than the table's schema says."""
    kinds, found = SCHEMAS[name], dict(zip(schema.names, schema.types, strict=True))
    for column in kinds:
        if column not in found:
            raise UserError(f"table {name} lacks the column {column!r}; it has {', '.join(map(repr, found))}")
    start, further = FURTHER.get(name, (None, ""))
    for column, kind in found.items():
        if column not in kinds and (start is None or not column.startswith(start)):
            raise UserError(f"table {name}: {unknown('column', column, list(kinds))}")
        wanted = kinds.get(column, further)
        if not _fits(kind, wanted):
            raise UserError(f"table {name}: the column {column!r} must hold {wanted}, it holds {kind}")


def write(name: str, table: pd.DataFrame, folder: Path | str | None = None) -> None:
    """Write a table, whole or not at all, and its entry in the provenance: command, commit, versions, machine, date, checksum.

    Raises ValueError as `load` does.
    """
    place = folder_of(folder)
    place.mkdir(parents=True, exist_ok=True)
    schema = _schema(name, [str(column) for column in table if column not in SCHEMAS[name]])
    try:
        stored = pa.Table.from_pandas(table, schema=schema, preserve_index=False).replace_schema_metadata()
    except (KeyError, pa.ArrowException) as error:
        raise UserError(f"table {name} does not have the columns {', '.join(SCHEMAS[name])}: {error}") from error
    path = place / f"{name}.parquet"
    write_atomically(path, lambda beside: pq.write_table(stored, beside, compression="zstd"))
    known = read_json(place / PROVENANCE) if (place / PROVENANCE).exists() else {}
    now = {"commit": provenance.commit(), "versions": provenance.versions(), "machine": _machine(), "date": provenance.now()}
    entry = {"command": COMMANDS[name], **now, "rows": len(table), "sha256": checksum(path)}
    write_json(place / PROVENANCE, {**known, name: entry})


def provenance_of(folder: Path | str | None = None) -> dict[str, dict[str, Any]]:
    """Where each stored table comes from, by table: `command`, `commit`, `versions`, `machine`, `date`, `rows`, `sha256`."""
    path = folder_of(folder) / PROVENANCE
    return read_json(path) if path.exists() else {}


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def merged(name: str, new: pd.DataFrame, keep: set[str], folder: Path | str | None = None) -> pd.DataFrame:
    """New rows, and beside them the stored rows of those runs in `keep` that the new ones do not cover."""
    place = folder_of(folder)
    if not (place / f"{name}.parquet").exists():
        return new
    old = load(name, place)
    old = old[old["run_id"].isin(keep - set(new["run_id"] if len(new) else []))]
    return pd.concat([old, new], ignore_index=True) if len(old) and len(new) else (new if len(new) else old)


def _schema(name: str, further: list[str]) -> pa.Schema:
    kinds: Mapping[str, str] = SCHEMAS[name] | dict.fromkeys(further, FURTHER.get(name, ("", "str"))[1])
    return pa.schema([(column, TYPES[kind]) for column, kind in kinds.items()])


def _fits(kind: pa.DataType, wanted: str) -> bool:
    """Whether a Parquet type is of a kind; what holds no value at all fits texts and lists."""
    types = pa.types
    if wanted in ("ints", "strs"):
        inner = "int" if wanted == "ints" else "str"
        return types.is_null(kind) or (types.is_list(kind) and (types.is_null(kind.value_type) or _fits(kind.value_type, inner)))
    checks = {
        "int": types.is_integer, "float": types.is_floating, "float32": types.is_floating, "bool": types.is_boolean,
        "str": lambda found: types.is_string(found) or types.is_large_string(found) or types.is_null(found),
    }  # fmt: skip
    return bool(checks[wanted](kind))


def _machine() -> dict[str, Any]:
    return {name: value for name, value in provenance.machine("cpu").items() if name != "threads"}
