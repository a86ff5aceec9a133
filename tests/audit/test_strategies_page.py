"""The chapter on training strategies: what it says with nothing stored, and with planted answers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from equinotes.audit.protocol import named
from equinotes.audit.protocols.strategies.claims import CLAIMS, NULL, OPEN
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


def extremes(tables, strategy):
    """The least and the largest change of an error among the networks, by the figure's numbers."""
    rows = strategies.effects_table(tables).query("strategy == @strategy and quantity == 'error' and against == 'plain'")
    return rows["estimate"].min(), rows["estimate"].max()


def test_page_says_what_is_stored_and_what_is_not(shown, tables, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "plot_strategies", lambda effects, names, orders: drawn.append((set(names), orders)))
    said = shown(PAGE, tables=tables, molecules=32, mul=4, runs_dir=str(tmp_path), network="SE(3)-Transformer")
    assert f"Of {len(CLAIMS)} rows below (strategies and their variants), 2 cannot be judged yet" in said
    assert "Preliminary" not in said
    assert "**Not run yet:** dipole; bottleneck." in said and "**Try first**, since errors are lower" in said
    assert "\n| anisotropy (0.3) | helps | −" in said and "\n| skips dense | helps | −" in said
    low, high = (f"{100 * number:+.1f}\u00a0%".replace("-", "−") for number in extremes(tables, "anisotropy"))
    assert f" | {low} to {high} | " in said, "of single networks"
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


def test_what_controls_do_alone_follows_from_the_stored_errors():
    """Geometric means over the seeds of each network, then over the networks, from the stored runs by their settings."""
    tables = load_all(None, named("strategies"))
    runs = tables["runs"].drop_duplicates("run_id")
    runs = runs[runs["experiment"].isin(["plain", "skips", "pretraining", "curriculum"]) & (runs["network"] == "paper")]
    runs = runs.assign(orders=runs["ls"].map(max), terms=runs["terms"].map(",".join), log=np.log(runs["average_mae_eV"]))
    logs = runs.groupby(["orders", "gate", "terms", "reinitialise", "skips", "curriculum"])["log"].mean()
    found = {row["name"]: row for row in strategies.control_rows(tables)}
    nets, plain = [(2, False), (2, True), (4, False), (4, True)], ("", "none", "all", "none")
    for name, settings in {"denoise_control": ("denoise_control", "none", "all", "none"),
                           'skips="scaled"': ("", "none", "scaled", "none"),
                           'curriculum="falling"': ("", "none", "all", "falling")}.items():  # fmt: skip
        change = np.expm1(np.mean([logs[(*net, *settings)] - logs[(*net, *plain)] for net in nets]))
        assert found[name]["change"] == pytest.approx(change) and found[name]["low"] < change < found[name]["high"]
    said = sentences("strategies")("practice", found=strategies.practice(tables))
    scaled = found['skips="scaled"']
    assert ('`skips="scaled"`' in said) == (abs(scaled["change"]) >= 0.05 and scaled["low"] * scaled["high"] > 0)
    assert 'curriculum="falling"' not in said, "its interval holds zero"


def test_plain_networks_and_the_cost_of_an_epoch_follow_from_the_stored_runs():
    tables = load_all(None, named("strategies"))
    runs = tables["runs"].query("experiment == 'plain' and network == 'paper'")
    errors = runs.groupby([runs["ls"].map(max), "gate"])["average_mae_eV"].mean()
    found = strategies.plain(tables)
    assert list(found["errors"].values()) == pytest.approx(
        [errors[key] for key in ((2, False), (2, True), (4, False), (4, True))]
    )
    curves = tables["metrics"][tables["metrics"]["run_id"].isin(runs["run_id"])]
    last, before = (np.log(curves[curves["epoch"] == epoch]["val_average_mae_eV"]).mean() for epoch in (4, 3))
    assert found["earlier"] == pytest.approx(np.exp(before - last) - 1)
    assert strategies.plain(tables | {"runs": tables["runs"].iloc[:0]}) == {}


@pytest.mark.parametrize(("plain", "control", "expected"), [
    ((-0.3, -0.2), (0.1, 0.2), True), ((0.1, 0.2), (-0.3, -0.2), True), ((-0.3, -0.2), (-0.2, -0.1), False),
    ((-0.3, -0.2), (-0.1, 0.2), False), ((-0.3, 0.1), (0.1, 0.2), False),
])  # fmt: skip
def test_between_asks_for_two_shown_differences_of_unlike_signs(monkeypatch, tables, plain, control, expected):
    row = {"name": "skips none", "verdict": OPEN, "early": False, "error": dict(zip(("low", "high"), plain, strict=True)),
           "against_control": dict(zip(("low", "high"), control, strict=True))}  # fmt: skip
    monkeypatch.setattr(strategies, "verdict_rows", lambda tables: [row])
    found = strategies.practice(tables)
    assert (found["between"], found["open"]) == ((["skips none"], []) if expected else ([], ["skips none"]))


def test_each_advice_is_a_paragraph_of_its_own():
    kinds = ("helps", "harms", "moves", "nothing", "control", "null", "between", "open", "missing")
    names = ("a_control", 'skips="scaled"')
    alone = [{"name": name, "change": -0.2, "low": -0.3, "high": -0.1} for name in names]
    more = {"alone": alone, "margin": 0.05}
    said = sentences("strategies")("practice", found={kind: [f"one that {kind}"] for kind in kinds} | more)
    assert sum(part.strip().startswith("**") for part in said.split("\n\n")) == 10
    assert said.count("**") == 20, "each of them has one lead"


def test_nothing_is_said_to_help_where_all_is_open():
    kinds = ("helps", "harms", "moves", "nothing", "control", "null", "between", "missing", "alone")
    found = {kind: [] for kind in kinds} | {"open": ["dipole"], "margin": 0.05}
    said = sentences("strategies")("practice", found=found)
    assert said.startswith("**Nothing is shown to lower the error more than its control does**")
