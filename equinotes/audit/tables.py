"""The stored tables of a version of the protocol: their columns, and how they are read and written.

A table is a Parquet file; beside the tables lies `provenance.json`. Pages and verdicts are computed from these alone. A table
outlives the code: one without the column of a newer field reads as that field's default.
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

from equinotes.audit.protocol import DEFAULT, Protocol, named
from equinotes.config import FIRST_FIELDS, RunConfig
from equinotes.runs import provenance
from equinotes.support.errors import UserError, unknown
from equinotes.support.files import read_json, write_atomically, write_json
from equinotes.support.repository import find_root

ENVIRONMENT = "EQUINOTES_RESULTS"
"""Environment variable that names another folder of tables, for tests of pages and verdicts."""
PROVENANCE = "provenance.json"

TYPES: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "float32": pa.float32(),
    "bool": pa.bool_(),
    "str": pa.string(),
    "ints": pa.list_(pa.int64()),
    "floats": pa.list_(pa.float64()),
    "strs": pa.list_(pa.string()),
}
"""Kinds of columns, and the Parquet type that each is written with; `float` may be read in either precision."""
LISTS = ("ints", "floats", "strs")
"""Kinds that are read as tuples."""


def _config_kinds() -> dict[str, str]:
    """Kinds of the fields of `RunConfig`."""
    hints, kinds = get_type_hints(RunConfig), {}
    for field in fields(RunConfig):
        hint = hints[field.name]
        if get_origin(hint) is tuple:
            kinds[field.name] = f"{get_args(hint)[0].__name__}s"
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
             "data_sha256": "str", "numerics": "int"},
    "metrics": {"run_id": "str", "epoch": "int", "train_loss": "float", "train_mae_eV": "float", "val_mae_eV": "float",
                "val_rmse_eV": "float", "molecules_per_s": "float", "seconds": "float"},
    "predictions": PREDICTIONS,
    "baselines": {"baseline": "str", "num_train": "int", **ERRORS},
    "gradients": {**NETWORK, "layer": "str", "irrep": "str", "feature_norm": "float", "gradient_norm": "float", "flow": "float",
                  "share": "float", "zero_fraction": "float"},
    "norms": {**NETWORK, "layer": "str", "irrep": "str", "mean_square": "float", "share": "float"},
    "ranks": {**NETWORK, "layer": "str", "irrep": "str", "effective_rank": "float"},
    "weights": {**NETWORK, "block": "int", "l3": "int", "weights": "int", "dead": "int", "dead_share": "float"},
    "ablations": {**NETWORK, "layer": "int", "irrep": "str", "mode": "str", "mae_eV": "float", "delta_mae_eV": "float",
                  "low_eV": "float", "high_eV": "float", "repeat_sd_eV": "float", "draws": "int"},
    "structure": {**NETWORK, "layer": "str", "irrep": "str", "measure": "str", "value": "float", "null_mean": "float",
                  "null_low": "float", "null_high": "float", "p": "float", "molecules": "int", "movable": "int"},
    "probes": {**NETWORK, "layer": "str", "irrep": "str", "target": "str", "r2": "float", "sd": "float", "folds": "str"},
    "pictures": {**NETWORK, "layer": "str", "irrep": "str", "qm9_index": "int", "score": "float", "phate1": "float32",
                 "phate2": "float32"},
    "similarity": {"ls": "ints", "mul": "int", "irrep": "str", "seed_a": "int", "seed_b": "int", "trained": "bool",
                   "cka": "float"},
}  # fmt: skip
"""Columns of every table and their kinds."""

FURTHER = {"runs": {"version_": "str", "average_": "float"}, "metrics": {"val_average_": "float"}, "predictions": {"": "float32"}}
"""Tables with further columns: how their names begin and their kinds (library versions; errors of averaged weights; one column of
predictions per run)."""

LATER: dict[str, dict[str, Any]] = {
    "runs": {field.name: field.default for field in fields(RunConfig) if field.name not in FIRST_FIELDS} | {"numerics": 1},
    "ablations": {"draws": 1},
    "probes": {"folds": "molecules"},
}
"""Columns that the first stored tables lack, and the value of a row without them."""
TRAINED = ("runs", "metrics", "curves", "predictions", "baselines")
"""Tables that come from runs and their targets; all others come from examining networks."""
DIAGNOSTICS = tuple(name for name in SCHEMAS if name not in TRAINED)
"""Tables that examining the networks makes."""


def names_of(protocol: Protocol | None = None) -> list[str]:
    """The tables of a version, by default those of the first."""
    protocol = protocol or named()
    apart = [f"predictions_{experiment}" for experiment in protocol.apart]
    names = list(protocol.schemas or SCHEMAS)
    place = names.index("predictions") + 1
    return list(dict.fromkeys([*names[:place], *apart, *names[place:]]))


def command_of(name: str, protocol: Protocol | None = None) -> str:
    """The command that makes a table anew.

    >>> command_of("norms"), command_of("predictions_full")
    ('equinotes audit diagnose', 'equinotes audit run full')
    """
    protocol = protocol or named()
    if name.startswith("foundation"):
        return "equinotes audit foundation"
    if _family(name) not in TRAINED:
        return f"equinotes audit diagnose{protocol.words}"
    if name == "baselines":
        return f"equinotes audit store{protocol.words}"
    _, _, experiment = name.partition("predictions_")
    return f"equinotes audit run {experiment or ' '.join(protocol.planned)}{protocol.words}"


def folder_of(folder: Path | str | None = None, protocol: Protocol | None = None) -> Path:
    """Where the tables lie: the folder given, or the protocol's in the repository.

    EQUINOTES_RESULTS names another folder for the tables of the first version.
    """
    protocol = protocol or named()
    elsewhere = os.environ.get(ENVIRONMENT) if protocol.name == DEFAULT else None
    return Path(folder or elsewhere or find_root() / protocol.place)


def schema_of(name: str, protocol: Protocol | None = None) -> Mapping[str, str]:
    """Columns of a table and their kinds; ValueError names the nearest table where it is unknown."""
    schemas = (protocol or named()).schemas or SCHEMAS
    if name not in schemas and not name.startswith("predictions_"):
        raise UserError(unknown("table", name, list(schemas)))
    return schemas[name if name in schemas else _family(name)]


def _family(name: str) -> str:
    return "predictions" if name.startswith("predictions") else name


def load(name: str, folder: Path | str | None = None, protocol: Protocol | None = None) -> pd.DataFrame:
    """A stored table, checked against its schema; one that was not made yet comes without rows.

    Orders (`ls`) and names (`auxiliary`) are tuples; a column that the first tables lack has its default.
    Raises ValueError for an unknown table and for a column that is missing, not known or of another kind, FileNotFoundError
    where the folder is not there.
    """
    kinds, place = schema_of(name, protocol), folder_of(folder, protocol)
    if not place.is_dir():
        raise FileNotFoundError(f"no stored tables at {place}; equinotes audit store makes them")
    path = place / f"{name}.parquet"
    if not path.exists():
        return pa.schema([(column, TYPES[kind]) for column, kind in kinds.items()]).empty_table().to_pandas()
    try:
        stored = pq.read_table(path)
    except pa.ArrowException as error:
        raise UserError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    check(name, stored.schema, kinds)
    table = stored.to_pandas()
    for column, default in LATER.get(name, {}).items():
        if column not in table:
            table[column] = pd.Series([default] * len(table), index=table.index, dtype=object if kinds[column] in LISTS else None)
    if name == "ablations":  # one draw has no spread; the first tables hold 0 there
        table["repeat_sd_eV"] = table["repeat_sd_eV"].where(table["draws"] > 1)
    for column in (column for column, kind in kinds.items() if kind in LISTS):
        if column not in stored.schema.names:
            continue
        table[column] = pd.Series([tuple(value.tolist()) for value in table[column]], index=table.index, dtype=object)
    return table


def load_all(folder: Path | str | None = None, protocol: Protocol | None = None) -> dict[str, pd.DataFrame]:
    """All tables of a version by name, those not made yet without rows."""
    place = folder_of(folder, protocol)
    return {name: load(name, place, protocol) for name in names_of(protocol)}


def check(name: str, schema: pa.Schema, kinds: Mapping[str, str]) -> None:
    """ValueError for the first column that is missing, not known or of another kind than the table's schema says."""
    found = dict(zip(schema.names, schema.types, strict=True))
    for column in kinds:
        if column not in found and column not in LATER.get(name, {}):
            raise UserError(f"table {name} lacks the column {column!r}; it has {', '.join(map(repr, found))}")
    for column, kind in found.items():
        wanted = kinds.get(column) or _further(name, column)
        if wanted is None:
            raise UserError(f"table {name}: {unknown('column', column, list(kinds))}")
        if not _fits(kind, wanted):
            raise UserError(f"table {name}: the column {column!r} must hold {wanted}, it holds {kind}")


def write(
    name: str, table: pd.DataFrame, folder: Path | str | None = None, protocol: Protocol | None = None, **versions: str
) -> None:
    """Write a table, whole or not at all, and its entry in the provenance: command, commit, versions, machine, date, checksum.

    `versions` are those of further libraries that made the table.
    Raises ValueError as `load` does.
    """
    place = folder_of(folder, protocol)
    place.mkdir(parents=True, exist_ok=True)
    kinds = schema_of(name, protocol)
    further = {str(column): _further(name, str(column)) or "str" for column in table if column not in kinds}
    schema = pa.schema([(column, TYPES[kind]) for column, kind in {**kinds, **further}.items()])
    try:
        stored = pa.Table.from_pandas(table, schema=schema, preserve_index=False).replace_schema_metadata()
    except (KeyError, pa.ArrowException) as error:
        raise UserError(f"table {name} does not have the columns {', '.join(kinds)}: {error}") from error
    path = place / f"{name}.parquet"
    write_atomically(path, lambda beside: _write_parquet(stored, beside))
    known = read_json(place / PROVENANCE) if (place / PROVENANCE).exists() else {}
    now = {
        "commit": provenance.commit(),
        "versions": provenance.versions() | versions,
        "machine": _machine(),
        "date": provenance.now(),
    }
    entry = {"command": command_of(name, protocol), **now, "rows": len(table), "sha256": checksum(path)}
    write_json(place / PROVENANCE, {**known, name: entry})


def provenance_of(folder: Path | str | None = None) -> dict[str, dict[str, Any]]:
    """Where each stored table comes from, by table: `command`, `commit`, `versions`, `machine`, `date`, `rows`, `sha256`."""
    path = folder_of(folder) / PROVENANCE
    return read_json(path) if path.exists() else {}


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def merged(
    name: str, new: pd.DataFrame, keep: set[str], folder: Path | str | None = None, protocol: Protocol | None = None
) -> pd.DataFrame:
    """New rows, and beside them the stored rows of those runs in `keep` that the new ones do not cover."""
    place = folder_of(folder, protocol)
    if not (place / f"{name}.parquet").exists():
        return new
    old = load(name, place, protocol)
    old = old[old["run_id"].isin(keep - set(new["run_id"] if len(new) else []))]
    return pd.concat([old, new], ignore_index=True) if len(old) and len(new) else (new if len(new) else old)


def _further(name: str, column: str) -> str | None:
    """The kind of a column beyond the schema; None where the table takes no such column."""
    return next((kind for start, kind in FURTHER.get(_family(name), {}).items() if column.startswith(start)), None)


def _write_parquet(table: pa.Table, path: Path) -> None:
    """Compressed; numbers byte by byte and without a dictionary, which halves a table of predictions."""
    numbers = [column.name for column in table.schema if pa.types.is_floating(column.type)]
    others = [name for name in table.column_names if name not in numbers]
    pq.write_table(table, path, compression="zstd", use_dictionary=others, use_byte_stream_split=numbers)


def _fits(kind: pa.DataType, wanted: str) -> bool:
    """Whether a Parquet type is of a kind; what holds no value at all fits texts and lists."""
    types = pa.types
    if wanted in LISTS:
        inner = wanted[:-1]
        return types.is_null(kind) or (types.is_list(kind) and (types.is_null(kind.value_type) or _fits(kind.value_type, inner)))
    checks = {
        "int": types.is_integer, "float": types.is_floating, "float32": types.is_floating, "bool": types.is_boolean,
        "str": lambda found: types.is_string(found) or types.is_large_string(found) or types.is_null(found),
    }  # fmt: skip
    return bool(checks[wanted](kind))


def _machine() -> dict[str, Any]:
    return {name: value for name, value in provenance.machine("cpu").items() if name != "threads"}
