"""The protocol of training strategies: its size, its controls, and verdicts on tables whose answer is planted."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from equinotes import RunConfig, train
from equinotes.audit.protocol import named
from equinotes.audit.protocols.strategies import rules, runs
from equinotes.audit.protocols.strategies.claims import (
    CLAIMS,
    HARMS,
    HELPS,
    LIKE_CONTROL,
    MARGIN,
    NOT_RUN,
    NOTHING,
    NULL,
    OPEN,
    RAISES,
    SHRINKS,
    USE,
    VERDICTS,
)  # fmt: skip
from equinotes.audit.protocols.strategies.measures import examine
from equinotes.audit.store import store
from equinotes.audit.tables import load_all
from equinotes.irreps import natural
from equinotes.training.objective import Objective
from equinotes.training.targets import prepare

CHOSEN = {name: coefficients[1] for name, coefficients in runs.COEFFICIENTS.items()}
CONTROLLED = [claim.name for claim in CLAIMS if claim.name not in (*runs.NULLS, "skips dense")]
"""Strategies whose control is not the plain network."""


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
        (c == CHOSEN[name], runs.with_term(net, name, c).but(seed=seed).run_id)
        for name, coefficients in runs.COEFFICIENTS.items()
        for c in coefficients
        for net in runs.choosing(name)
        for seed in runs.CHOOSING_SEEDS
    ]


def planted(error=lambda config, side: 1.0, use=lambda l, side: 0.5, scatter=0.005, skipped=(), noise=0):
    """Stored tables in which `side` ("plain", "strategy", "control") of every strategy has these errors and uses."""
    rng, rows, uses, metrics = np.random.default_rng(noise), {}, [], []
    for side, one, run_id in (run for claim in CLAIMS if claim.name not in skipped for run in runs_of(claim.name)):
        mae = 0.2 * error(one, side) * np.exp(scatter * rng.normal())
        rows.setdefault(run_id, {"experiment": "x", "run_id": run_id, "average_mae_eV": mae})
        uses += [
            {"run_id": run_id, "trained": True, "layer": 1, "irrep": natural(l), "draw": draw,
             "damage": use(l, side) + scatter * rng.normal()} for l in one.ls for draw in (0, 1) if one.skips != "dense"
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
    assert {found.pop(name) for name in runs.NULLS} == {NULL if says == NOTHING else says}, "a law is not above the evidence"
    assert found.pop("skips dense") == (NOTHING if shifts else says), "their use is not measured"
    if shifts:  # of a strategy that is about l = 1 the mean use is not moved, but that of l = 2 in each network is
        assert found["dipole"] == says
    assert set(found.values()) == {says}


def test_an_effect_in_one_network_alone_is_found():
    """Its mean over the networks is too small to matter."""
    found = verdicts(planted(lambda config, side: 0.85 if side == "strategy" and config.gate and 4 in config.ls else 1.0))
    assert {verdict for name, verdict in found.items() if "0-4, gated" in runs.nets_of(name)} == {HELPS}


def test_what_the_control_does_as_well_is_no_help():
    """A gain over the plain network that shuffled labels have too says nothing for the strategy."""
    found = verdicts(planted(lambda config, side: 1.0 if side == "plain" else 0.85))
    assert {found[name] for name in CONTROLLED} == {LIKE_CONTROL}
    found = verdicts(planted(use=lambda l, side: 0.5 if side == "plain" or l == 0 else 0.2))
    assert {found[name] for name in CONTROLLED} == {LIKE_CONTROL}


def test_scatter_leaves_everything_open_and_errs_seldom():
    found = [verdicts(planted(scatter=0.3, noise=noise)) for noise in range(4)]
    bold = sum(verdict in (HELPS, HARMS, SHRINKS, RAISES) for each in found for verdict in each.values())
    assert bold <= 0.1 * sum(map(len, found))
    assert sum(verdict in (OPEN, NULL) for each in found for verdict in each.values()) > 0.9 * sum(map(len, found))


SCATTER = 0.05
"""Standard deviation over seeds of a log error, and of an order's damage: about that of the stored runs of protocol 2."""


@pytest.mark.parametrize(
    ("factor", "shift", "says", "least"),
    [
        (0.85, 0.0, HELPS, 0.8),
        (1.15, 0.0, HARMS, 0.8),
        (1.0, -0.3, SHRINKS, 0.5),
        (1.0, 0.3, RAISES, 0.5),
        (1.0, 0.0, NOTHING, 0.2),
    ],
    ids=str,
)
def test_every_verdict_can_come_out_at_the_scatter_of_real_runs(factor, shift, says, least):
    """As if seeds did not correlate between the two sides of a pair, which they may."""
    tables = [
        planted(
            lambda config, side: factor if side == "strategy" else 1.0,
            lambda l, side: 1.0 + (shift if side == "strategy" and l > 0 else 0.0), SCATTER, noise=noise,
        )
        for noise in range(2)
    ]  # fmt: skip
    found = [verdict for each in tables for name, verdict in verdicts(each).items() if name in CONTROLLED]
    assert np.mean([verdict == says for verdict in found]) >= least
    wrong = {HELPS, HARMS} if factor == 1 else {NOTHING, LIKE_CONTROL}
    assert np.mean([verdict in wrong for verdict in found]) <= 0.1


def test_what_was_not_run_says_so():
    tables = planted(skipped=("dipole", "skips none"))
    found = verdicts(tables)
    assert found["dipole"] == found["skips none"] == NOT_RUN and found["curriculum"] == NOTHING
    gone = {one.run_id for _, one, _ in runs_of("curriculum") if one.gate and 4 in one.ls and one.curriculum == "rising"}
    some = tables | {"runs": tables["runs"][~tables["runs"]["run_id"].isin(gone)]}
    assert verdicts(some)["curriculum"] == NOT_RUN, "a verdict on all networks needs all of them"
    assert len(rules.Evidence(some).effects("curriculum")) == 3, "what is there is drawn"
    blind = verdicts(tables | {"uses": tables["uses"][~tables["uses"]["run_id"].isin(gone)]})
    assert blind["curriculum"] == NOT_RUN and blind["skips dense"] == NOTHING, "not examined, and not meant to be"
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


@pytest.mark.parametrize("name", runs.COEFFICIENTS)
def test_the_largest_coefficient_of_each_term_is_felt(name, qm9):
    """Its gradient is no smaller than a hundredth of the error's: weights of a penalty that all share need a large one."""
    config = runs.with_term(runs.choosing(name)[-1], name, max(runs.COEFFICIENTS[name]))
    net = prepare(config, qm9)[0]
    loss = Objective(config, net).of_rows(net, qm9, np.arange(16), 0, "cpu")

    def size(value):
        slopes = torch.autograd.grad(value, [*net.parameters()], retain_graph=True, allow_unused=True)
        return sum(slope.square().sum().item() for slope in slopes if slope is not None) ** 0.5

    assert size(loss.total - loss.error) > 0.01 * size(loss.error)


def test_nothing_that_chooses_is_judged():
    judged = {run_id for claim in CLAIMS for _, _, run_id in runs_of(claim.name)}
    assert not judged & {run_id for _, run_id in trials()}


def test_orders_that_a_claim_is_about_decide_its_mean_use():
    """l = 2 falls, l = 1 rises as much: on average nothing but for the claims about one of them."""
    tables = planted(use=lambda l, side: 1.0 + {1: 0.3, 2: -0.3}.get(l, 0.0) * (side == "strategy"), scatter=1e-3)
    numbers = {row.claim: row.numbers["average"]["use"] for row in rules.judge(tables).itertuples() if row.claim != "skips dense"}
    assert numbers["dipole"] == pytest.approx(0.3, abs=0.01) and numbers["anisotropy"] == pytest.approx(-0.3, abs=0.01)
    assert numbers["consistency"] == pytest.approx(0, abs=0.01) and verdicts(tables)["consistency"] == OPEN
    assert MARGIN < USE < 0.3


def test_the_control_of_a_missing_skip_has_all_skips_and_convolutions_as_large():
    for kind in ("none", "scalars", "directed"):
        assert runs.sides(f"skips {kind}", runs.PLAIN, {})[1] == runs.PLAIN.but(skips="scaled")
    assert runs.sides("skips dense", runs.PLAIN, {})[1] == runs.PLAIN


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
    assert len(whole["terms"]) == 286
    assert [one.terms[0] for one in whole["terms"][:2]] == ["dipole", "dipole_control"], "each beside its control"
    ids = [config.run_id for configs in whole.values() for config in configs]
    assert len(ids) == len(set(ids)) == 609
    assert set(protocol.apart) == set(whole)
    monkeypatch.setattr(runs, "stored_choice", dict)
    assert protocol.experiments()["terms"] == []
    assert "terms" not in protocol.planned


def test_what_is_stored_of_real_runs_is_what_the_rules_read(qm9, tmp_path):
    """Errors of averaged weights, the term's value in the epochs that have it, and the use of every order."""
    smoke = RunConfig.preset("smoke", ls=(0, 1, 2), num_blocks=3, average=0.9)
    term = smoke.but(terms=("dipole",), term_weights=(0.3,))
    configs = [smoke, term, runs.pretrained(smoke.but(epochs=4), "denoise", "none")]
    found = {config.run_id: train(config, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9) for config in configs}
    protocol = replace(named("strategies"), experiments=lambda: {"plain": configs[:1], "terms": configs[1:]}, scales=())
    store(tmp_path, tmp_path / "tables", protocol=protocol, progress=False)
    tables = load_all(tmp_path / "tables", protocol)
    values = tables["metrics"].groupby("run_id")["train_term"].apply(list)
    assert np.isnan(values[smoke.run_id]).all() and np.isfinite(values[term.run_id]).all()
    assert np.isfinite(values[configs[2].run_id]).tolist() == [True, False, False, False]
    uses = examine(term, tmp_path, trained=True, full=True)[0]["uses"].assign(run_id=term.run_id, trained=True)
    evidence = rules.Evidence(tables | {"uses": uses})
    assert evidence.errors[term.run_id] == pytest.approx(found[term.run_id].errors["average_mae_eV"])
    assert set(evidence.damages) == {(term.run_id, l) for l in (0, 1, 2)}
    assert examine(term, tmp_path, trained=False, full=True) == ({}, {})
