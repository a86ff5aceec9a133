"""The protocol of training strategies: its size, its controls, and verdicts on tables whose answer is planted."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from equinotes.audit.protocol import named
from equinotes.audit.protocols.strategies import rules, runs
from equinotes.audit.protocols.strategies.claims import (
    CLAIMS,
    HARMS,
    HELPS,
    NOT_RUN,
    NOTHING,
    NULL,
    OPEN,
    RAISES,
    SHRINKS,
    VERDICTS,
)  # fmt: skip
from equinotes.irreps import natural

CHOSEN = {name: coefficients[1] for name, coefficients in runs.COEFFICIENTS.items()}


@cache
def runs_of(claim):
    """Side, configuration and name of every run of a strategy; making them takes most of the time."""
    return [
        ("plain" if config == net else side, one, one.run_id)
        for net in runs.nets_of(claim).values()
        for side, config in zip(("strategy", "control", "plain"), (*runs.sides(claim, net, CHOSEN), net), strict=True)
        for seed in range(runs.SEEDS[net.ls])
        for one in [config.but(seed=seed)]
    ]


@cache
def trials():
    """Whether a coefficient that was tried is the chosen one, and the run's name."""
    return [
        (c == CHOSEN[name], runs.with_term(net, name, c).run_id)
        for name, coefficients in runs.COEFFICIENTS.items()
        for c in coefficients
        for net in runs.choosing(name)
    ]


def planted(error=lambda config, side: 1.0, use=lambda l, side: 0.5, scatter=0.005, skipped=(), noise=0):
    """Stored tables in which `side` ("plain", "strategy", "control") of every strategy has these errors and uses."""
    rng, rows, uses, metrics = np.random.default_rng(noise), {}, [], []
    for side, one, run_id in (run for claim in CLAIMS if claim.name not in skipped for run in runs_of(claim.name)):
        mae = 0.2 * error(one, side) * np.exp(scatter * rng.normal())
        rows.setdefault(run_id, {"experiment": "x", "run_id": run_id, "average_mae_eV": mae})
        uses += [
            {"run_id": run_id, "trained": True, "layer": 1, "irrep": natural(l), "draw": draw,
             "damage": use(l, side) + scatter * rng.normal()} for l in one.ls for draw in (0, 1)
        ]  # fmt: skip
    for is_chosen, run_id in trials():
        rows.setdefault(run_id, {"experiment": "choose", "run_id": run_id, "average_mae_eV": 0.2})
        metrics += [{"run_id": run_id, "epoch": 4, "val_average_mae_eV": 0.2 if is_chosen else 0.3}]
    return {"runs": pd.DataFrame(list(rows.values())), "metrics": pd.DataFrame(metrics), "uses": pd.DataFrame(uses)}


def verdicts(tables):
    found = rules.judge(tables)
    assert set(found["verdict"]) <= set(VERDICTS)
    return {row.claim: row.verdict for row in found.itertuples()}


@pytest.mark.parametrize(
    ("factors", "shifts", "says"),
    [
        ({"strategy": 0.85}, {}, HELPS),
        ({"strategy": 1.2}, {}, HARMS),
        ({}, {"strategy": -0.3}, SHRINKS),
        ({}, {"strategy": 0.3}, RAISES),
        ({}, {}, NOTHING),
    ],
    ids=str,
)
def test_what_was_planted_is_found_for_every_strategy_that_is_no_law(factors, shifts, says):
    def use(l, side):
        return 0.5 + (shifts.get(side, 0.0) if l == 2 else 0.0)

    found = verdicts(planted(lambda config, side: factors.get(side, 1.0), use))
    assert found.pop("feature_l2") == NULL
    assert set(found.values()) == {says}


def test_what_the_control_does_as_well_is_no_help():
    """A gain over the plain network that shuffled labels have too says nothing for the strategy."""
    found = verdicts(planted(lambda config, side: 1.0 if side == "plain" else 0.85))
    with_control = [name for name in found if not name.startswith("skips") and name != "feature_l2"]
    assert {found[name] for name in with_control} == {OPEN}
    found = verdicts(planted(use=lambda l, side: 0.5 if side == "plain" or l == 0 else 0.2))
    assert not {found[name] for name in with_control} & {SHRINKS, RAISES, HELPS}


def test_scatter_leaves_everything_open_and_errs_seldom():
    found = [verdicts(planted(scatter=0.3, noise=noise)) for noise in range(4)]
    bold = sum(verdict in (HELPS, HARMS, SHRINKS, RAISES) for each in found for verdict in each.values())
    assert bold <= 0.1 * sum(map(len, found))
    assert sum(verdict == OPEN for each in found for verdict in each.values()) > 0.8 * sum(len(each) - 1 for each in found)


def test_what_was_not_run_says_so():
    tables = planted(skipped=("dipole", "skips none"))
    found = verdicts(tables)
    assert found["dipole"] == found["skips none"] == NOT_RUN and found["curriculum"] == NOTHING
    tables["runs"] = tables["runs"][tables["runs"]["experiment"] == "x"]
    assert verdicts(tables)["anisotropy"] == NOT_RUN, "no coefficient was chosen"


def test_help_in_one_network_and_harm_in_another_is_open():
    found = verdicts(planted(lambda config, side: {True: 0.8, False: 1.2}[config.gate] if side == "strategy" else 1.0))
    assert found["dipole"] == found["skips none"] == OPEN


def test_the_figures_table_has_each_strategy_beside_its_control():
    table = rules.effects_table(planted(lambda config, side: {"strategy": 0.9, "control": 0.95}.get(side, 1.0), scatter=1e-6))
    some = table[(table["strategy"] == "dipole") & (table["network"] == "0-2") & (table["quantity"] == "error")]
    assert some.set_index("against")["estimate"].to_dict() == pytest.approx({"plain": -0.1, "control": 0.9 / 0.95 - 1}, abs=1e-4)
    assert (table["low"] <= table["estimate"]).all() and (table["estimate"] <= table["high"]).all()
    assert set(table["quantity"]) == {"error", *(f"use of {l}" for l in range(5))}


def test_the_largest_of_equally_good_coefficients_is_chosen():
    tables = planted()
    assert runs.choice(tables["runs"], tables["metrics"]) == CHOSEN
    equal = tables["metrics"].assign(val_average_mae_eV=0.2)
    assert runs.choice(tables["runs"], equal) == {name: max(some) for name, some in runs.COEFFICIENTS.items()}
    assert runs.choice(tables["runs"].iloc[:0], equal) == {}


def test_both_sides_have_equal_steps_seeds_and_molecules():
    for claim in CLAIMS:
        for net in runs.nets_of(claim.name).values():
            one, other = runs.sides(claim.name, net, CHOSEN)
            same = ("epochs", "batch_size", "num_train", "split_seed", "seed", "ls", "mul", "gate", "average", "lr", "network")
            assert all(getattr(one, name) == getattr(other, name) == getattr(net, name) for name in same)
            assert one != net and one.term_weights == (other.term_weights or one.term_weights)


def test_it_fits_into_eight_hours_of_two_cores():
    assert 2 < runs.hours(2) < 8


def test_runs_are_listed_once_and_terms_wait_for_their_coefficients(monkeypatch):
    protocol = named("strategies")
    monkeypatch.setattr(runs, "stored_choice", lambda: CHOSEN)
    whole = protocol.experiments()
    assert len(whole["terms"]) == 133 and len(whole["controls"]) == 117
    ids = [
        config.run_id for name in ("plain", "terms", "controls", "pretraining", "curriculum", "skips") for config in whole[name]
    ]
    assert len(ids) == len(set(ids))
    monkeypatch.setattr(runs, "stored_choice", dict)
    assert protocol.experiments()["terms"] == protocol.experiments()["controls"] == []
    assert "terms" not in protocol.planned
