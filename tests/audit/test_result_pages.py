"""The pages of results say what the stored tables hold: they change with them, and build from whatever is there."""

import re
from pathlib import Path
from types import MappingProxyType

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from equinotes.audit import history
from equinotes.audit.protocol import NOT_REPRODUCED, REPRODUCED
from equinotes.audit.protocols.first import PROTOCOL
from equinotes.audit.protocols.first.claims import CLAIMS
from equinotes.audit.report import errors, ledger, orders
from equinotes.audit.reported import REPORTED
from equinotes.audit.tables import ENVIRONMENT, load, load_all
from equinotes.book.notebooks import run_notebook
from equinotes.book.parameters import read_notebook
from equinotes.figures.orders import plot_beside_control, plot_glance
from equinotes.figures.style import ORDER_COLOURS
from equinotes.support.templates import sentences

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "notebooks" / f"{name}.ipynb" for name in ("07_paper_against_rerun", "08_is_order_l_used", "09_ledger")]


STATES = {
    "whole": (("table", "substitutes", "factors", "scalars"), 5),
    "two seeds": (("table", "substitutes", "factors"), 2),
    "one seed of the table": (("table",), 1),
    "nothing": ((), 0),
}


@pytest.fixture(scope="module", params=STATES)
def any_state(request, made_up, tmp_path_factory) -> Path:
    if request.param == "whole":
        return request.getfixturevalue("stored")
    names, seeds = STATES[request.param]
    return made_up.write_tables(tmp_path_factory.mktemp("state"), names, seeds=seeds)


@pytest.fixture(scope="module")
def read(stored):
    """The tables, read once: nobody may change them."""
    return MappingProxyType(load_all(stored))


@pytest.fixture
def altered(made_up, stored, read, tmp_path):
    """A function that copies the tables, lets one of them be changed, and reads it from the copy."""

    def alter(name, change):
        for path in stored.glob("*"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        made_up.write(name, change(load(name, tmp_path)), tmp_path)
        return {**read, name: load(name, tmp_path)}

    return alter


def lowered(ls, factor):
    """Errors of a set of orders times a factor."""

    def change(runs):
        there = runs["ls"].map(lambda found: found == ls)
        return runs.assign(mae_eV=runs["mae_eV"].where(~there, factor * runs["mae_eV"]))

    return change


def verdict_of(tables, claim):
    return PROTOCOL.judge(tables).set_index("claim").loc[claim, "verdict"]


def changed_rows(before, after):
    """Rows of the second table that differ from the first's."""
    rows = zip(before.to_dict("records"), after.to_dict("records"), strict=True)
    return [new for old, new in rows if str(old) != str(new)]


def test_one_changed_error_changes_its_row_of_the_table_and_no_other(read, altered):
    def change(runs):
        first = runs.index[(runs["experiment"] == "table") & (runs["mul"] == 32) & (runs["seed"] == 0)][0]
        runs.loc[first, "mae_eV"] += 3
        return runs

    before, after = read, altered("runs", change)
    (row,) = changed_rows(*(errors.errors_by_set(tables, "composition") for tables in (before, after)))
    mean = after["runs"].query("experiment == 'table' and reference == 'composition'")
    mean = mean[mean["ls"].map(lambda ls: ls == (0, 1, 2))]["mae_eV"].mean()
    assert row["name"] == "0–2 (32)" and row["mae_eV"] == pytest.approx(mean)
    assert changed_rows(*(errors.errors_by_set(tables, "mean") for tables in (before, after))) == []


def test_lower_errors_without_1_and_2_turn_the_verdict_of_c3_on_the_page(read, altered):
    before, after = read, altered("runs", lowered((0, 3, 4, 5, 6), 0.7))
    assert (verdict_of(before, "C3"), verdict_of(after, "C3")) == (NOT_REPRODUCED, REPRODUCED)
    assert errors.compared(after, "C3")["change"][lambda change: change < -0.25].size == 2


def test_an_order_that_costs_nothing_is_no_longer_used(read, altered):
    def harmless(table):
        there = (table["irrep"] == "1o") & table["ls"].map(lambda ls: ls == (0, 1, 2))
        return table.assign(**{name: table[name].where(~there, 0.0) for name in ("delta_mae_eV", "low_eV", "high_eV")})

    before, after = read, altered("ablations", harmless)
    (row,) = changed_rows(*(orders.used_above_scalars(tables) for tables in (before, after)))
    assert row["set"] == "0–2" and all(one["used"] == [2] for one in row["by_reference"])
    counts = orders.used(after).set_index(["set", "l", "reference"])
    assert counts.loc[("0–2", 1, "mean")].tolist() == [0, 5, False]
    assert counts.loc[("0–2", 2, "mean")].tolist() == [5, 5, True]


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("structure", "p", lambda tables: orders.structured_share(tables, "composition")),
        ("probes", "r2", lambda tables: orders.gains(tables, "composition", block=4)),
        ("weights", "dead", orders.last_block),
        ("metrics", "val_mae_eV", lambda tables: errors.last_epoch(errors.curves(tables))),
        ("baselines", "mae_eV", errors.beaten),
        ("baselines", "mse_eV2", errors.rows_above_baseline),
    ],
)
def test_every_table_speaks_on_the_pages(read, altered, name, column, said):
    def shuffled(table):
        values = table[column] * np.random.default_rng(0).uniform(0, 1, len(table))
        return table.assign(**{column: values.astype(table[column].dtype)})

    assert str(said(read)) != str(said(altered(name, shuffled)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_build_from_whatever_is_stored(page, any_state, shown):
    text = shown(page, results_dir=str(any_state))
    assert "nan" not in text.lower().replace("nanometre", "")
    runs = load_all(any_state)["runs"]
    assert page.stem.startswith("08") or len(runs) == 196 or "not run" in text.replace("\u00a0", " ")


def test_a_page_is_executed_with_other_tables(altered, tmp_path, monkeypatch):
    """In a kernel, as in the book: the tables named by the environment decide what the ledger says."""
    altered("runs", lowered((0, 3, 4, 5, 6), 0.7))
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    notebook = read_notebook(run_notebook(PAGES[2], out=tmp_path / "out" / "ledger.ipynb", progress=False))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "\n".join(output.data.get("text/markdown", "") for output in outputs)  # one is a picture
    assert len(re.findall(r"\| \*\*\[C\d\]", text)) == len(CLAIMS)
    assert '"verdict verdict-reproduced">reproduced<' in text.split("**[C3]")[1].split("**[C4]")[0]
    assert sentences("first")("headline", **ledger.headline(load_all(tmp_path))) in text


def test_runs_began_after_the_rules_were_written_down(altered):
    late = altered("runs", lambda runs: runs.assign(started="2027-01-01T00:00:00+00:00"))
    assert all(row["seconds"] < 0 for row in history.events(late)["stated"])
    assert ", after that." in sentences("ledger")("events", **history.events(late))
    early = altered("runs", lambda runs: runs.assign(started="2026-11-22T23:17:13+00:00"))
    assert "**before** that." in sentences("ledger")("events", **history.events(early))


def test_reading_that_fits_is_found(altered):
    """Runs at the paper's scale whose squared errors are the reported numbers."""

    def as_reported(runs):
        known = {(row.ls, row.mul): row.error for row in REPORTED[:9]}
        full = runs[(runs["experiment"] == "table") & (runs["reference"] == "mean")].copy()
        mse = np.array([known[ls, mul] for ls, mul in zip(full["ls"], full["mul"], strict=True)])
        full = full.assign(experiment="full", mse_eV2=mse, rmse_eV=mse**0.5, mae_eV=0.7 * mse**0.5)
        return full.assign(epochs=np.where(full["mul"] == 16, 30, 100))

    best = errors.nearest_reading(altered("runs", as_reported))
    assert (best["reading"], best["low"], best["high"]) == ("MSE", pytest.approx(1), pytest.approx(1))


def test_the_glance_has_a_dot_wherever_four_of_five_seeds_meet_the_threshold(read):
    tables = read
    cells = orders.glance(tables)
    figure = plot_glance(cells, orders.used(tables))
    dots = sum(len(found.get_offsets()) for ax in figure.axes for found in ax.collections if len(ax.images))
    agreed = cells.groupby(["set", "l", "reference", "block", "measure"])["mark"].mean() >= 0.8
    assert dots == agreed.sum() > 0
    assert len(figure.axes) == 2 * 5  # panels, and below them the scales of colour
    plt.close(figure)


def test_controls_stand_hollow_beside_the_orders_colours(read):
    table = orders.beside_control(read, "ranks", "effective_rank", block=4, reference="mean")
    figure = plot_beside_control(table, value="value", ylabel="rank")
    marks = [found for found in figure.axes[0].collections if len(found.get_offsets()) == 5]
    faces = [tuple(found.get_facecolor()[0]) if len(found.get_facecolor()) else None for found in marks]
    assert faces[::2] == [to_rgba(colour) for colour in ORDER_COLOURS] and faces[1::2] == [None] * 7
    plt.close(figure)


def test_pictures_show_the_same_molecules_untrained_and_trained(read):
    tables = read
    table = orders.pictures(tables, "composition", 1)
    assert list(dict.fromkeys(table["network"])) == ["untrained", "trained"]
    assert table.groupby(["network", "irrep"])["molecule"].apply(list).map(sorted).map(tuple).nunique() == 1
    assert table.groupby("molecule")["qm9_index"].nunique().eq(1).all()
    with pytest.raises(ValueError, match="no pictures of seed 7, only of 0 and 1"):
        orders.pictures(tables, "composition", 7)
