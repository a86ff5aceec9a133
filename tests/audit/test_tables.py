"""The audit's stored tables: what is not in their form is refused by name, and what is stored agrees with itself."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from equinotes.audit.protocol import named
from equinotes.audit.tables import (
    ENVIRONMENT,
    LATER,
    SCHEMAS,
    checksum,
    command_of,
    folder_of,
    load,
    load_all,
    merged,
    names_of,
    provenance_of,
    schema_of,
    write,
)
from equinotes.config import RunConfig
from equinotes.runs.store import error_statistics
from equinotes.support.repository import find_root

VALUES = {
    "int": 3, "float": 0.5, "float32": 0.5, "bool": True, "str": "a", "ints": (0, 1), "floats": (0.5,), "strs": ("dipole",)
}  # fmt: skip
NAMES = names_of()
STORED = find_root() / named().place


def made(name, rows=2):
    """A table in the form that its schema asks for."""
    columns = {column: [VALUES[kind]] * rows for column, kind in schema_of(name).items()}
    return pd.DataFrame(columns)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_written_comes_back(tmp_path, name):
    table = made(name)
    write(name, table, tmp_path)
    again = load(name, tmp_path)
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    entry = provenance_of(tmp_path)[name]
    assert entry["rows"] == 2 and entry["command"] == command_of(name)
    assert entry["sha256"] == checksum(tmp_path / f"{name}.parquet")
    assert entry["versions"]["torch"] and entry["date"] and "cores" in entry["machine"]


@pytest.mark.parametrize("name", NAMES)
def test_each_column_that_is_missing_is_named(tmp_path, name):
    for column in schema_of(name).keys() - LATER.get(name, {}):
        made(name).drop(columns=column).to_parquet(tmp_path / f"{name}.parquet")
        with pytest.raises(ValueError, match=f"table {name} lacks the column '{column}'"):
            load(name, tmp_path)


@pytest.mark.parametrize("name", LATER)
def test_a_column_that_came_later_reads_as_its_default(tmp_path, name):
    for column, default in LATER[name].items():
        made(name).drop(columns=column).to_parquet(tmp_path / f"{name}.parquet")
        assert load(name, tmp_path)[column].tolist() == [default, default]


def test_every_field_of_a_run_that_came_later_has_its_default():
    config = RunConfig()
    assert {name: LATER["runs"][name] for name in ("network", "schedule", "average", "terms", "term_weights")} == {
        "network": config.network, "schedule": config.schedule, "average": config.average,
        "terms": config.terms, "term_weights": config.term_weights,
    }  # fmt: skip


def test_one_draw_has_no_spread(tmp_path):
    table = made("ablations").assign(repeat_sd_eV=0.0)
    table.drop(columns="draws").to_parquet(tmp_path / "ablations.parquet")
    assert load("ablations", tmp_path)["repeat_sd_eV"].isna().all()
    table.assign(draws=[1, 3]).to_parquet(tmp_path / "ablations.parquet")
    assert load("ablations", tmp_path)["repeat_sd_eV"].isna().tolist() == [True, False]


@pytest.mark.parametrize("name", [name for name in SCHEMAS if not name.startswith("predictions")])
def test_each_column_of_another_kind_is_named(tmp_path, name):
    for column, kind in SCHEMAS[name].items():
        other = 0.25 if kind in ("str", "int", "bool") else "a"
        made(name).assign(**{column: [other] * 2}).to_parquet(tmp_path / f"{name}.parquet")
        with pytest.raises(ValueError, match=f"table {name}: the column '{column}' must hold {kind}, it holds "):
            load(name, tmp_path)


def test_an_unknown_column_is_named_with_its_nearest(tmp_path):
    made("norms").assign(mean_squares=1.0).to_parquet(tmp_path / "norms.parquet")
    with pytest.raises(ValueError, match="table norms: unknown column 'mean_squares'; did you mean 'mean_square'"):
        load("norms", tmp_path)
    write("runs", made("runs").assign(version_torch="2"), tmp_path)
    assert load("runs", tmp_path)["version_torch"].tolist() == ["2", "2"]
    write("predictions", made("predictions").assign(run=0.5), tmp_path)
    assert load("predictions", tmp_path)["run"].dtype == np.float32
    made("predictions").assign(run="a").to_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(ValueError, match="the column 'run' must hold float32"):
        load("predictions", tmp_path)


def test_a_table_in_another_form_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"table norms does not have the columns .*mean_square"):
        write("norms", made("norms").drop(columns="mean_square"), tmp_path)
    with pytest.raises(ValueError, match="table norms does not have the columns"):
        write("norms", made("norms").assign(share="a"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_table_that_was_not_made_has_its_columns_and_no_rows(tmp_path):
    for name, table in load_all(tmp_path).items():
        assert list(table.columns) == list(schema_of(name)) and table.empty


def test_places_that_hold_nothing_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no stored tables at .*nowhere; equinotes audit store"):
        load("runs", tmp_path / "nowhere")
    with pytest.raises(ValueError, match="unknown table 'run'; did you mean 'runs'"):
        load("run", tmp_path)
    (tmp_path / "runs.parquet").write_bytes(b"not a table")
    with pytest.raises(ValueError, match=r"runs\.parquet is damaged"):
        load("runs", tmp_path)


def test_another_folder_can_be_named_in_the_environment(tmp_path, monkeypatch):
    write("norms", made("norms", 3), tmp_path)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert len(load("norms")) == 3


def test_new_rows_replace_those_of_the_same_run_and_leave_others(tmp_path):
    write("norms", made("norms", 3).assign(run_id=["a", "b", "gone"]), tmp_path)
    new = made("norms").assign(run_id=["b", "c"], share=0.9)
    table = merged("norms", new, {"a", "b", "c"}, tmp_path)
    assert table["run_id"].tolist() == ["a", "b", "c"] and table["share"].tolist() == [0.5, 0.9, 0.9]


def test_versions_have_folders_of_their_own(tmp_path, monkeypatch):
    other = replace(named(), name="other", folder=None)
    assert folder_of(protocol=other) == find_root() / "results" / "other"
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert folder_of() == tmp_path and folder_of(protocol=other) == find_root() / "results" / "other"
    assert command_of("norms", other) == "equinotes audit diagnose --protocol other"


needs_tables = pytest.mark.skipif(not (STORED / "runs.parquet").exists(), reason="no stored tables")


@needs_tables
@pytest.mark.parametrize("name", NAMES)
def test_stored_table_has_its_form_and_its_provenance(name):
    path = STORED / f"{name}.parquet"
    if not path.exists():
        pytest.skip("not run")
    table, entry = load(name, STORED), provenance_of(STORED)[name]
    assert len(table) == entry["rows"] > 0 and checksum(path) == entry["sha256"]
    assert entry["command"] == command_of(name)
    assert path.stat().st_size < 3 * 2**20
    if "run_id" in table:
        assert set(table["run_id"]) <= set(load("runs", STORED)["run_id"]) <= set(named().run_ids())


@needs_tables
def test_stored_runs_are_the_protocols():
    runs = load("runs", STORED)
    configs = {config.run_id: config for some in named().experiments().values() for config in some}
    names = named().run_ids()
    for row in runs.to_dict("records"):
        assert row["experiment"] in names[row["run_id"]]
        stored = {name: row[name] for name in configs[row["run_id"]].to_dict()}
        assert stored == asdict(configs[row["run_id"]])


@needs_tables
def test_stored_errors_follow_from_the_stored_predictions():
    runs = load("runs", STORED).drop_duplicates("run_id").set_index("run_id")
    for name in ("predictions", "predictions_full"):
        table = load(name, STORED)
        for run_id in [column for column in table if column in runs.index]:
            found = error_statistics(table["target_eV"].to_numpy(), table[run_id].to_numpy(), "eV")
            assert found == pytest.approx(runs.loc[run_id, list(found)].to_dict(), rel=1e-5)
    assert set(runs.index) == {c for name in ("predictions", "predictions_full") for c in load(name, STORED).columns[2:]}


@needs_tables
def test_stored_learning_curves_are_whole():
    runs, metrics = load("runs", STORED).drop_duplicates("run_id"), load("metrics", STORED)
    for run in runs.itertuples():
        assert metrics.loc[metrics["run_id"] == run.run_id, "epoch"].tolist() == list(range(1, run.epochs + 1))
