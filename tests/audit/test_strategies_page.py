"""The chapter on training strategies: what it says with nothing stored, and with planted answers."""

import importlib.util
from pathlib import Path

import pytest

from equinotes.audit.protocol import named
from equinotes.audit.protocols.strategies.claims import CLAIMS, NULL
from equinotes.audit.protocols.strategies.runs import COEFFICIENTS, NULLS
from equinotes.audit.report import strategies
from equinotes.audit.tables import load_all
from equinotes.book.parameters import find_notebook
from equinotes.figures import strategies as figures
from equinotes.support.templates import sentences

PAGE = find_notebook("13_training_strategies")
WITHOUT = ("dipole", "bottleneck")


@pytest.fixture(scope="module")
def tables():
    """Every strategy but two lowers the error by a tenth; its control does not."""
    spec = importlib.util.spec_from_file_location("strategies_tables", Path(__file__).with_name("test_strategies.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.planted(error=lambda config, side: 0.9 if side == "strategy" else 1.0, skipped=WITHOUT)


@pytest.fixture
def nothing(tmp_path):
    return load_all(tmp_path, named("strategies"))


def test_page_says_what_is_stored_and_what_is_not(shown, tables, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "plot_strategies", lambda effects, names, orders: drawn.append((set(names), orders)))
    said = shown(PAGE, tables=tables, molecules=32, mul=4, runs_dir=str(tmp_path), network="SE(3)-Transformer")
    assert f"Of {len(CLAIMS)} rows below (strategies and their variants), 2 cannot be judged yet" in said
    assert "Preliminary" not in said
    assert "**Not run yet:** dipole; bottleneck." in said and "**Try first**, since errors are lower" in said
    assert "\n| anisotropy (0.3) | helps | −" in said and "\n| skips dense | helps | −" in said
    assert drawn == [({"attention_entropy"}, [0, 1, 2])], "the orders of that network"


def test_without_runs_every_strategy_waits_but_those_that_are_null(nothing):
    say, found = sentences("strategies"), strategies.practice(nothing)
    missing = len(found["missing"])
    assert missing == len(CLAIMS) - len(NULLS)
    assert f"None of the {missing} rows below" in say("state", missing=missing, planned=missing, hours=6.0)
    verdicts = say("verdicts", rows=strategies.verdict_rows(nothing))
    assert verdicts.startswith(f"**{NULL.capitalize()}, and not run:** feature_l1; feature_l2.") and "|" not in verdicts
    assert say("choosing", rows=strategies.choosing_rows(nothing), tie=0.02).startswith("No term has been tried")
    assert "**No advice yet**" in say("practice", found=found)


def test_the_page_shows_errors_by_coefficient_and_the_choice(tables):
    """Runs that choose are planted for every term."""
    rows = strategies.choosing_rows(tables)
    assert {row["name"] for row in rows} == set(COEFFICIENTS)
    for row in rows:
        assert [c for c, _ in row["errors"]] == list(COEFFICIENTS[row["name"]])
    said = sentences("strategies")("choosing", rows=rows, tie=0.02)
    assert said.count("\n| ") >= len(rows)
    for row in rows:
        assert f"| {row['name']} |" in said and f"| {row['chosen']:g} |" in said


def test_only_terms_have_a_coefficient(tables):
    rows = {row["name"]: row["coefficient"] for row in strategies.verdict_rows(tables)}
    assert {name for name, value in rows.items() if value == value} == set(COEFFICIENTS) - set(WITHOUT)


def test_verdicts_on_fewer_seeds_than_planned_are_preliminary(tables):
    few = tables | {"runs": tables["runs"][~tables["runs"]["run_id"].str.contains("-seed4-")]}
    found = strategies.practice(few)
    assert "skips none" in found["early"] and not strategies.practice(tables)["early"]
    said = sentences("strategies")("state", missing=0, planned=9, hours=6.0, early=found["early"])
    assert "**Preliminary**, since seeds are missing:" in said and "skips none" in said


def test_each_advice_is_a_paragraph_of_its_own():
    kinds = ("helps", "harms", "moves", "nothing", "control", "null", "open", "missing")
    said = sentences("strategies")("practice", found={kind: [f"one that {kind}"] for kind in kinds})
    assert sum(part.strip().startswith("**") for part in said.split("\n\n")) == 7
    assert said.count("**") == 14, "each of them has one lead"


def test_nothing_is_said_to_help_where_all_is_open():
    found = {kind: [] for kind in ("helps", "harms", "moves", "nothing", "control", "null", "missing")} | {"open": ["dipole"]}
    said = sentences("strategies")("practice", found=found)
    assert said.startswith("**Nothing is shown to lower the error more than its control does**")
