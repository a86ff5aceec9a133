"""Measures are defined once: glance and verdicts agree, and a new measure or claim is taken up everywhere."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from equinotes.audit import measures
from equinotes.audit.measures import KEYS, MEASURES, Measure
from equinotes.audit.protocol import Claim, Judgement
from equinotes.audit.protocols import first
from equinotes.audit.protocols.first import rules
from equinotes.audit.protocols.first.evidence import dominance, orders_structured, orders_used
from equinotes.audit.report import orders
from equinotes.audit.tables import load_all
from equinotes.cli import main as cli
from equinotes.figures.orders import plot_glance
from equinotes.support.templates import sentences
from equinotes.support.text import orders_name

SETS = {orders_name(ls): ls for ls in orders.SETS}


@pytest.fixture(scope="module", params=["made up", "stored"])
def tables(request):
    return load_all(request.getfixturevalue("stored")) if request.param == "made up" else load_all()


def marked(tables, measure):
    """Seeds that the glance marks, by set, order, reference and block."""
    cells = orders.glance(tables).query("measure == @measure")
    return cells.groupby(["set", "l", "reference", "block"])["mark"].sum()


def test_the_glance_marks_what_the_verdicts_count(tables):
    last = measures.last_block(tables)
    for measure, counted in (("damage", orders_used(tables)), ("structure", orders_structured(tables))):
        dots = marked(tables, measure)
        assert len(dots) > 0
        for row in counted[(counted["mul"] == 16) & counted["ls"].isin(orders.SETS)].to_dict("records"):
            assert dots[orders_name(row["ls"]), row["l"], row["reference"], row["block"]] == row["hits"]
    flow = marked(tables, "gradient")
    found = dominance(tables)
    for reference, part in found.groupby("reference"):
        most = min(flow[orders_name(orders.MANY), 0, reference, block] for block in range(1, last))
        assert part["flow"].sum() <= most


def test_the_bars_of_the_glance_are_the_answers_of_the_rule(tables):
    """An order is used, by the rule, where its seeds agree at one block: the bar is that block's count, and no other."""
    bars, last = orders.used(tables).set_index(["set", "l", "reference"]), measures.last_block(tables)
    used = orders_used(tables)
    used = used[(used["mul"] == 16) & used["ls"].isin(orders.SETS) & (used["block"] < last)]
    for (ls, l, reference), part in used.groupby(["ls", "l", "reference"]):
        bar = bars.loc[(orders_name(ls), l, reference)]
        assert (bar["used"], bool(bar["shown"])) == (part["hits"].max(), bool(part["shown"].any()))


def test_an_order_that_seeds_use_at_different_blocks_is_not_used(stored):
    """Each seed at another block: no block has four of five, neither in the rule nor in the bar."""
    tables = load_all(stored)
    costs = tables["ablations"]
    there = (costs["irrep"] == "1o") & (costs["layer"] != costs["seed"] % 4 + 1)
    spread = {name: costs[name].where(~there, 0.0) for name in ("delta_mae_eV", "low_eV")}
    bars = orders.used(tables | {"ablations": costs.assign(**spread)}).query("l == 1")
    assert (bars["used"] <= 2).all() and not bars["shown"].any()


def test_shares_are_those_of_the_stored_numbers(stored):
    tables = load_all(stored)
    cells = measures.damage(tables, first.PROTOCOL.thresholds)
    row = cells.iloc[7]
    assert row["value"] == row["delta_mae_eV"] / (row["mae_eV"] - row["delta_mae_eV"])
    assert measures.flow(tables, first.PROTOCOL.thresholds).groupby(["run_id", "block"])["value"].sum().to_numpy() == (
        pytest.approx(1)
    )


@pytest.fixture
def dummy_measure(monkeypatch):
    """Every second seed is marked."""

    def cells(tables, thresholds):
        table = measures.examined(tables, "ranks")
        table = table[table["trained"] & (table["block"] > 0)]
        return table.assign(value=table["effective_rank"], mark=table["seed"] % 2 == 0)

    monkeypatch.setitem(MEASURES, "dummy", Measure("ranks", cells))


def test_a_new_measure_comes_to_the_command_line_and_to_the_glance(dummy_measure, stored, capsys):
    assert cli.main(["audit", "measures", "--results-dir", str(stored)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.split()[0] == "dummy"]
    assert len(rows) == sum(map(len, set(orders.SETS) | {tuple(range(9)), (0,)})) and rows[0][-3] == "50"
    cells = orders.glance(load_all(stored))
    assert set(cells["measure"]) == set(MEASURES) and set(KEYS) <= set(cells)
    figure = plot_glance(cells, orders.used(load_all(stored)))
    assert "dummy" in [ax.get_title() for ax in figure.axes]
    dots = sum(len(found.get_offsets()) for ax in figure.axes for found in ax.collections if len(ax.images))
    agreed = cells.groupby(["set", "l", "reference", "block", "measure"])["mark"].mean() >= 0.8
    assert dots == agreed.sum() and "dummy" in set(cells["measure"])
    plt.close(figure)


def test_a_new_claim_comes_to_the_command_line_and_to_the_ledger(monkeypatch, stored, capsys):
    claim = Claim("C7", "A new claim.", "Its opposite.", "reproduced if there are runs.")
    monkeypatch.setattr(first, "PROTOCOL", replace(first.PROTOCOL, claims=(*first.PROTOCOL.claims, claim)))
    monkeypatch.setitem(rules.RULES, "C7", lambda tables: Judgement("reproduced", {"runs": len(tables["runs"])}))
    assert cli.main(["audit", "verdicts", "--results-dir", str(stored)]) == 0
    out = capsys.readouterr().out
    assert "C7  reproduced" in out and "runs: 196" in out
    judged = first.PROTOCOL.judge(load_all(stored)).set_index("claim").loc["C7"]
    evidence = sentences("first")("evidence", claim="C7", numbers=judged["numbers"])
    row = {"claim": claim, "verdict": judged["verdict"], "evidence": evidence, "sureness": ""}
    table = sentences("ledger")("table_of_claims", rows=[row])
    assert "| **[C7](#claim-c7)** A new claim. |" in table and "reproduced</span>" in table
    assert evidence.strip() == "runs: 196"


def test_means_over_seeds_are_nothing_where_nothing_was_examined():
    counted = measures.over_seeds(load_empty(), lambda *_: 5, 0.8)
    assert counted.empty and measures.at_best_block(counted, 5).empty


def load_empty():
    import pandas as pd

    return pd.DataFrame({name: np.array([]) for name in [*KEYS, "value", "mark"]})
