"""Verdicts of protocol 2 from planted tables: each that a rule can give is reached, and from nothing follows nothing."""

import numpy as np
import pandas as pd
import pytest

from equinotes.audit.protocols.second import rules
from equinotes.audit.protocols.second.claims import (
    MARGIN,
    NEEDED,
    NOT_SUPPORTED,
    OPEN,
    PARTLY,
    REPLACEABLE,
    SHARE,
    STRUCTURE,
    SUPPORTED,
    UNDECIDED,
    UNUSED,
    USED,
)
from equinotes.audit.protocols.second.evidence import Evidence, Network, answers
from equinotes.audit.protocols.second.runs import FOUR, LOW, MAIN, SIX, SUBSTITUTES, TOP, UPPER, WITHOUT

FINE = 0.005
"""Scatter of errors that leaves no doubt."""


@pytest.fixture
def row_of(protocol2):
    """Row of one claim from planted tables."""

    def row(claim, **plants):
        plants.setdefault("scatter", FINE)
        if claim == "C1":
            plants.setdefault("examined", ())
        (row,) = rules.judge(protocol2.planted(**plants), [claim]).to_dict("records")
        return row

    return row


@pytest.fixture
def verdict_of(row_of):
    return lambda claim, **plants: row_of(claim, **plants)["verdict"]


def errors(changes, good=0.08):
    """Errors of some networks, by orders or by orders and channels, are changed by a factor."""
    return lambda ls, mul, scale: good * changes.get((ls, mul), changes.get(ls, 1.0))


def test_one_row_per_claim_and_one_per_part(protocol2):
    tables = protocol2.planted(models=("m",))
    table, parts = rules.judge(tables), rules.parts_table(tables)
    assert table["claim"].tolist() == ["C1", "C2", "C3", "C4", "C5", "C6"]
    assert parts.groupby("claim").size().to_dict() == {"C1": 7, "C2": 4, "C3": 2, "C4": 4, "C5": 3, "C6": 5}
    assert table["parts"].tolist() == parts.groupby("claim").size().tolist()


def test_c1_added_orders(row_of, verdict_of):
    assert verdict_of("C1") == SUPPORTED
    row = row_of("C1", error=errors({SIX: 0.9}))
    assert row["verdict"] == NOT_SUPPORTED and row["part"].startswith("0–6 (16)")
    assert row["estimate"] == pytest.approx(-0.1, abs=0.01) and row["low"] < row["estimate"] < row["high"] < -MARGIN
    assert verdict_of("C1", error=errors({SIX: 1.3})) == SUPPORTED
    assert verdict_of("C1", scatter=0.2) == OPEN


def test_c1_does_not_credit_orders_with_what_parameters_do(verdict_of, protocol2):
    both = {"error": errors({SIX: 0.9, (LOW, 33): 0.9})}
    assert verdict_of("C1", **both) == OPEN
    parts = rules.parts_table(protocol2.planted(scatter=FINE, examined=(), **both)).set_index("part")
    part = parts.loc["0–6 (16) is not lower than 0–2 (16)"]
    assert part["estimate"] == pytest.approx(-0.1, abs=0.02) and part["matched"] == pytest.approx(0, abs=0.02)


def test_margins_are_those_in_force(verdict_of):
    tiny = {"scatter": 1e-4}
    assert verdict_of("C1", error=errors({SIX: 1 / 1.049}), **tiny) == SUPPORTED
    assert verdict_of("C1", error=errors({SIX: 1 / 1.051}), **tiny) == NOT_SUPPORTED
    assert verdict_of("C3", error=errors({WITHOUT: 1 / 1.049}), **tiny) == NOT_SUPPORTED
    assert verdict_of("C3", error=errors({WITHOUT: 1 / 1.051}), **tiny) == PARTLY
    assert verdict_of("C5", error=errors({(0, 3, 4): 1.049}), common=0, **tiny) == SUPPORTED
    assert verdict_of("C5", error=errors({(0, 3, 4): 1.051, (0, 5, 6): 1.2}), **tiny) == NOT_SUPPORTED


def test_c2_is_judged_in_parts(verdict_of):
    def damage(ls, l, block, trained):
        return 0.3 * (l not in (1, 2)) if trained else 0.1

    def score(ls, l, trained):
        return 0.3 + 0.2 * trained

    assert verdict_of("C2", damage=damage) == SUPPORTED
    assert verdict_of("C2", score=score) == NOT_SUPPORTED
    assert verdict_of("C2") == PARTLY  # used, and no structure gained
    assert verdict_of("C2", damage=damage, score=score) == PARTLY
    assert verdict_of("C2", damage_scatter=1.0, score_scatter=0.5) == OPEN
    only = verdict_of("C2", damage=lambda ls, l, *rest: damage(ls, l, *rest) if l == 2 else 0.3 * rest[1], score=score)
    assert only == PARTLY


def test_c2_asks_every_block_that_counts_and_none_that_training_left_alone(verdict_of):
    at_one = {"damage": lambda ls, l, block, trained: 0.1 + 0.2 * (trained and block == 3)}
    assert verdict_of("C2", **at_one, score=lambda ls, l, trained: 0.3 + 0.2 * trained) == NOT_SUPPORTED
    as_before = {"damage": lambda ls, l, block, trained: 0.9}  # large, but no more than without training
    assert verdict_of("C2", **as_before, damage_scatter=0.01) == SUPPORTED


def test_c3_error_and_structure(verdict_of, row_of):
    def score(ls, l, trained):
        return 0.3 + 0.2 * (trained and ls == WITHOUT and l in (3, 4))

    lower = errors({WITHOUT: 0.9})
    assert verdict_of("C3", error=lower, score=score) == SUPPORTED
    assert verdict_of("C3") == NOT_SUPPORTED
    assert verdict_of("C3", score=score) == PARTLY == verdict_of("C3", error=lower)
    assert verdict_of("C3", score=score, scatter=0.2) == OPEN
    row = row_of("C3", examined=())
    assert row["verdict"] == OPEN and row["why"] == "too few of its networks have been examined"
    assert verdict_of("C3", score=lambda *_: 0.3, error=errors({WITHOUT: 1.2})) == NOT_SUPPORTED


def test_c4_dominance_at_every_block(verdict_of):
    def damage(blocks):
        return lambda ls, l, block, trained: 0.9 if (l == 0) == (block in blocks) else 0.3

    assert verdict_of("C4", damage=damage((1, 2, 3, 4))) == SUPPORTED
    assert verdict_of("C4", damage=damage(())) == NOT_SUPPORTED
    assert verdict_of("C4", damage=damage((4,))) == PARTLY
    assert verdict_of("C4", damage=lambda *_: 0.3) == NOT_SUPPORTED  # all cost the same: none dominates
    assert verdict_of("C4", damage=lambda ls, l, *_: 0.5 if l == 0 else 0.3, damage_scatter=1.0) == OPEN


def test_c5_same_errors_from_different_orders(verdict_of):
    assert verdict_of("C5") == SUPPORTED
    assert verdict_of("C5", error=errors({(0, 3, 4): 0.8, (0, 5, 6): 0.6})) == NOT_SUPPORTED
    assert verdict_of("C5", error=errors({(0, 5, 6): 0.6})) == PARTLY
    assert verdict_of("C5", scatter=0.2) == OPEN
    assert verdict_of("C5", scatter=0.2, common=1.0) == SUPPORTED  # what seeds share is no doubt: they are paired
    assert verdict_of("C5", damage=lambda *_: 0.1) == OPEN  # the same errors, and no order above 0 is used
    assert verdict_of("C5", examined=()) == OPEN
    assert verdict_of("C5", examined=(), error=errors({(0, 3, 4): 0.8, (0, 5, 6): 0.6})) == NOT_SUPPORTED


def test_c6_on_foundation_models(verdict_of, row_of):
    row = row_of("C6")
    assert (row["verdict"], row["why"]) == (OPEN, "no model has been examined")
    same = {"share": lambda l, layer: 0.3 if l == 0 else 0.01}
    models = {"models": ("one", "other")}
    assert verdict_of("C6", **models, **same) == SUPPORTED
    assert verdict_of("C6", **models, share=lambda l, layer: 0.3 + 0.2 * l, trained_score=0.6) == NOT_SUPPORTED
    assert verdict_of("C6", **models, share=lambda l, layer: 0.3 + 0.2 * l) == PARTLY
    assert verdict_of("C6", **models, share=lambda l, layer: 0.3 + 0.2 * l * (layer == 4), trained_score=0.6) == NOT_SUPPORTED
    assert verdict_of("C6", **models, share=lambda l, layer: SHARE, random_score=0.3, trained_score=0.3 + STRUCTURE) == OPEN


def test_three_answers_to_whether_an_order_is_used(protocol2):
    def damage(ls, l, block, trained):
        return 0.3 if trained and l != 4 else 0.1

    tables = protocol2.planted(error=errors({(0, 2, 3, 4): 1.2}), damage=damage, damage_scatter=0.01, scatter=FINE)
    table = answers(Evidence(tables), Network(FOUR, 16)).set_index("l")
    assert table["answer"].to_dict() == {1: NEEDED, 2: REPLACEABLE, 3: REPLACEABLE, 4: UNUSED}
    assert table.loc[1, "cost"] == pytest.approx(0.2, abs=0.02) and table.loc[1, "damage"] == pytest.approx(0.22, abs=0.03)
    unsure = protocol2.planted(damage=damage, damage_scatter=0.01, scatter=0.2)
    assert answers(Evidence(unsure), Network(FOUR, 16))["answer"].tolist() == [USED, USED, USED, UNUSED]
    unknown = protocol2.planted(damage=lambda *_: 0.1, damage_scatter=1.0)
    assert set(answers(Evidence(unknown), Network(SIX, 16))["answer"]) == {UNDECIDED}
    assert answers(Evidence(protocol2.planted(examined=())), Network(FOUR, 16)).empty


@pytest.mark.parametrize("claim", ["C1", "C2", "C3", "C4", "C5", "C6"])
def test_what_was_not_run_leaves_claims_open_with_the_reason(claim, row_of):
    row = row_of(claim, run=lambda config, scale: False)
    assert row["verdict"] == OPEN and row["why"]
    row = row_of(claim, run=lambda config, scale: scale == MAIN and config.seed < 2)
    assert row["verdict"] == OPEN and row["why"]
    if claim in ("C1", "C3", "C5"):
        assert "2 of 3 seeds" in row["why"]


def test_three_seeds_are_enough_and_missing_ones_are_named(row_of):
    few = {"run": lambda config, scale: scale == MAIN and config.seed < 3}
    assert row_of("C1", **few)["verdict"] == SUPPORTED and row_of("C1", **few)["seeds"] == "3 and 3"
    row = row_of("C1", run=lambda config, scale: scale == MAIN and config.ls != (0, 1, 2, 8))
    assert row["verdict"] == OPEN and row["why"] == "4,000 steps: 0–2, 8 (32) has 0 of 3 seeds"
    gone = {"run": lambda config, scale: scale == MAIN and config.ls != (0, 1, 2, 8), "error": errors({SIX: 0.9})}
    assert row_of("C1", **gone)["verdict"] == NOT_SUPPORTED  # one that counts refutes


def test_networks_that_a_linear_baseline_equals_say_nothing(row_of, protocol2):
    row = row_of("C1", error=errors({}, good=0.6))
    assert row["verdict"] == OPEN and "is not below the linear baseline (0.450 eV)" in row["why"]
    tables = protocol2.planted(examined=())
    tables["baselines"] = tables["baselines"].iloc[:0]
    (row,) = rules.judge(tables, ["C1"]).to_dict("records")
    assert row["verdict"] == OPEN and "no linear baseline is stored" in row["why"]


def test_the_highest_rung_with_enough_seeds_decides_and_contradictions_are_said(row_of):
    def run(*scales, seeds=5):
        return lambda config, scale: scale in (MAIN, *scales) and (scale == MAIN or config.seed < seeds)

    def error(ls, mul, scale):
        return 0.08 * (0.9 if ls == WITHOUT and scale in (UPPER, TOP) else 1)

    row = row_of("C3", error=error, run=run())
    assert (row["verdict"], row["scale"], row["changes"]) == (NOT_SUPPORTED, MAIN, False)
    row = row_of("C3", error=error, run=run(UPPER))
    assert row["verdict"] == PARTLY and row["changes"]
    assert row["ladder"] == "opposite shown after 4,000 steps; shown after 16,000 steps"
    assert row["along"] == "0, 3–6 (16) against 0–4 (16)"
    row = row_of("C3", error=error, run=run(TOP, seeds=2))
    assert (row["verdict"], row["scale"], row["changes"]) == (NOT_SUPPORTED, MAIN, False)
    row = row_of("C3", error=error, run=run(TOP, seeds=3))
    assert row["verdict"] == PARTLY and row["changes"] and "shown under the paper's settings" in row["ladder"]


def test_ladder_shows_every_rung_with_its_reason(protocol2):
    table = rules.ladder_table(protocol2.planted(run=lambda config, scale: bool(scale) and config.seed < 2, examined=()))
    assert set(table["scale"]) == {"500 steps", MAIN, UPPER, TOP} and (table["why"] != "").all()
    table = rules.ladder_table(protocol2.planted(scatter=FINE, error=errors({WITHOUT: 0.9}), examined=()))
    assert set(table["outcome"]) == {"lower", "same", "open"}
    assert (table.loc[table["outcome"] == "open", "why"] != "").all()


def test_from_where_on_networks_leave_the_linear_baseline_behind(protocol2):
    tables = protocol2.planted(run=lambda config, scale: config.ls == WITHOUT, scatter=FINE, examined=())
    mean = (tables["runs"]["reference"] == "mean") & (tables["runs"]["num_train"] < 32000)
    tables["runs"].loc[mean, "average_mae_eV"] = 1.6
    table = rules.baseline_table(tables).query("reference == 'mean' and mul == 16")
    assert table["num_train"].tolist() == [2000, 8000, 32000, 104665] and table["below"].tolist() == [False, False, True, True]
    assert table["seeds"].tolist() == [3, 3, 3, 3] and set(table["baseline_eV"]) == {protocol2.BASELINE}


def test_the_average_is_judged_and_the_last_iterate_stands_beside(protocol2):
    tables = protocol2.planted(scatter=FINE, examined=())
    lower = tables["runs"]["mae_eV"].where(tables["runs"]["ls"].map(tuple) != SIX, 0.01)
    tables["runs"] = tables["runs"].assign(mae_eV=lower)
    assert rules.judge(tables, ["C1"])["verdict"].tolist() == [SUPPORTED]
    parts = rules.parts_table(tables).set_index("part")
    assert parts.loc["0–6 (16) is not lower than 0–2 (16)", "last"] < -0.8


def test_other_runs_do_not_enter(protocol2):
    tables = protocol2.planted(scatter=FINE, examined=())
    strangers = tables["runs"].assign(average_mae_eV=0.001 * np.arange(1, len(tables["runs"]) + 1))
    strangers["run_id"] += "x"
    for change in ({"average": 0.0}, {"gate": True}, {"graph": "radius"}, {"schedule": "cosine"}, {"network": "other"}):
        mixed = tables | {"runs": pd.concat([tables["runs"], strangers.assign(**change)], ignore_index=True)}
        assert rules.judge(mixed, ["C1"])["estimate"].tolist() == rules.judge(tables, ["C1"])["estimate"].tolist()


def test_substitutes_are_the_sets_that_c5_compares(protocol2):
    parts = rules.parts_table(protocol2.planted(examined=()))
    named = parts.loc[parts["claim"] == "C5", "part"].tolist()
    assert len(SUBSTITUTES) == 3 and [name.split(" have ")[0] for name in named] == [
        "0–2 (16) and 0, 3, 4 (16)", "0–2 (16) and 0, 5, 6 (16)", "0, 3, 4 (16) and 0, 5, 6 (16)",
    ]  # fmt: skip
