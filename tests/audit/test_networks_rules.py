"""The rules of the comparison of networks, on made-up tables with planted answers."""

import numpy as np
import pytest

from equinotes.audit.protocols.networks.claims import ANSWERS, IMPOSSIBLE, MARGIN, MISSING
from equinotes.audit.protocols.networks.evidence import Evidence, answers, error_table
from equinotes.audit.protocols.networks.rules import PARTS, judge, parts_table
from equinotes.audit.protocols.networks.runs import ANISOTROPY, ENERGY, FIELDS, NONE, WHOLE, WITHOUT, Place
from equinotes.audit.protocols.second.claims import (
    NEEDED,
    NOT_SUPPORTED,
    OPEN,
    PARTLY,
    REPLACEABLE,
    SUPPORTED,
    UNUSED,
    USED,
)

ERROR = 0.1
"""Error of a network with all orders."""


def verdicts(tables):
    return dict(judge(tables)[["claim", "verdict"]].itertuples(index=False))


def answer(tables, network, l, target=ENERGY):
    table = answers(tables).set_index(["network", "target", "l"])["answer"]
    return table[network, target, l]


def worse_without(factor, *orders):
    """Errors that rise by a factor without one of these orders."""
    return lambda place, ls: ERROR * (1 if set(orders) <= set(ls) else factor)


def used(*orders, by=0.3):
    """Damage of these orders in trained networks, and next to none before training."""
    return lambda place, l, name, trained: by if trained and l in orders else 0.01


def test_what_is_used_and_costs_is_needed(planted):
    tables = planted(error=worse_without(1.3, 1), damage=used(1, 2))
    for network in FIELDS:
        assert answer(tables, network, 1) == NEEDED
        assert answer(tables, network, 2) == REPLACEABLE


def test_what_is_shuffled_without_damage_is_not_used(planted):
    tables = planted(damage=used())
    assert set(answers(tables)["answer"]) == {UNUSED}


def test_damage_that_an_untrained_trunk_has_too_is_no_use(planted):
    tables = planted(damage=lambda place, l, name, trained: 0.3)
    assert set(answers(tables)["answer"]) == {UNUSED}


def test_use_in_the_attributes_alone_is_use(planted):
    """An order that bypasses the features through SEGNN's attributes is found there."""
    tables = planted(damage=lambda place, l, name, trained: 0.3 if trained and name == "attributes" and l == 2 else 0.0)
    table = answers(tables).set_index(["network", "target", "l"])
    assert table.loc[("segnn", ENERGY, 2), ["answer", "name"]].tolist() == [REPLACEABLE, "attributes"]
    assert table.loc[("segnn", ENERGY, 1), "answer"] == UNUSED == table.loc[("paper", ENERGY, 2), "answer"]


def test_what_reaches_nothing_is_impossible_by_construction(planted):
    tables = planted(damage=used(1, 2), reaches=lambda place, l, name: l != 2 or place.network != "nequip")
    assert answer(tables, "nequip", 2) == IMPOSSIBLE
    assert answer(tables, "nequip", 1) == REPLACEABLE == answer(tables, "paper", 2)


def test_layers_from_which_an_order_reaches_nothing_are_named(planted):
    tables = planted(damage=used(1, 2), reaches=lambda place, l, name: name != "block2" or l == 0)
    table = answers(tables).set_index(["network", "target", "l"])["unreached"]
    assert table["paper", ENERGY, 1] == "block2" and table["nequip", ENERGY, 1] == ""


def test_unknown_cost_leaves_used_as_it_is(planted):
    tables = planted(error=worse_without(1.05, 1), scatter=0.05, damage=used(1))
    assert answer(tables, "paper", 1) in (USED, NEEDED)
    without_runs = tables | {"runs": tables["runs"].query("mul != 15")}  # the paper's network without l = 1
    assert answer(without_runs, "paper", 1) == USED


def test_without_runs_all_is_open_and_says_so(planted):
    tables = planted(seeds=(), examined=())
    assert set(verdicts(tables).values()) == {OPEN}
    table = answers(tables)
    assert set(table["answer"]) == {MISSING} and table["why"].str.contains("0 and 0 of 3 seeds").all()
    assert error_table(tables)["mae"].isna().all()


def test_two_seeds_are_not_enough(planted):
    tables = planted(error=worse_without(2.0, 1, 2), damage=used(1, 2), seeds=range(2), examined=range(2))
    assert set(verdicts(tables).values()) == {OPEN}


def test_orders_ignored_everywhere_support_the_paper_and_used_everywhere_refute_it(planted):
    assert verdicts(planted(damage=used())) | {"N5": "", "N6": ""} == {
        "N1": SUPPORTED,
        "N2": SUPPORTED,
        "N3": SUPPORTED,
        "N4": SUPPORTED,
        "N5": "",
        "N6": "",
    }
    refuted = verdicts(planted(error=worse_without(1.3, 1, 2), damage=used(1, 2)))
    assert {refuted[claim] for claim in ("N1", "N2", "N3", "N4")} == {NOT_SUPPORTED}


def test_a_claim_that_holds_of_some_networks_is_supported_in_part(planted):
    tables = planted(damage=lambda place, l, name, trained: 0.3 if trained and place.network == "segnn" and l else 0.0)
    assert verdicts(tables)["N1"] == PARTLY == verdicts(tables)["N2"]


def test_targets_are_judged_apart(planted):
    costly = lambda place, ls: ERROR * (1.3 if place.target == ANISOTROPY and ls == NONE else 1.0)  # noqa: E731
    found = verdicts(planted(error=costly))
    assert (found["N3"], found["N4"]) == (SUPPORTED, NOT_SUPPORTED)


@pytest.mark.parametrize(("on_radius", "verdict"), [(1.05, SUPPORTED), (1.5, NOT_SUPPORTED)])
def test_worth_of_orders_is_compared_between_graphs(planted, on_radius, verdict):
    factor = {"bonds": 1.5, "radius": on_radius}
    tables = planted(error=lambda place, ls: ERROR * (factor[place.graph] if ls == NONE else 1.0), scatter=0.01)
    assert verdicts(tables)["N5"] == verdict


@pytest.mark.parametrize(("with_products", "verdict"), [(1.05, SUPPORTED), (1.5, NOT_SUPPORTED)])
def test_worth_of_orders_is_compared_with_and_without_products(planted, with_products, verdict):
    factor = {2: 1.5, 3: with_products}
    tables = planted(error=lambda place, ls: ERROR * (factor[place.body_order] if ls == NONE else 1.0), scatter=0.01)
    assert verdicts(tables)["N6"] == verdict


def test_estimates_are_the_planted_changes(planted):
    tables = planted(error=worse_without(1.3, 1, 2), scatter=1e-6)
    table = parts_table(tables).set_index(["claim", "part"])
    for network in FIELDS:
        row = table.loc["N3", f"{network}: not worse without l = 1 and 2"]
        assert row["estimate"] == pytest.approx(0.3, abs=1e-4) == row["last"]
    assert Evidence(tables).cost(Place("paper")).ratio.value == pytest.approx(np.log(1.3), abs=1e-4)
    errors = error_table(tables).query("body_order == 2").set_index(["network", "target", "graph", "ls"])
    assert errors.loc[("segnn", ANISOTROPY, "bonds", WHOLE), "mae"] == pytest.approx(ERROR, rel=1e-4)
    assert errors.loc[("segnn", ANISOTROPY, "bonds", NONE), "cost"] == pytest.approx(0.3, abs=1e-4)


def test_rules_err_rarely_where_nothing_differs(planted):
    """Worlds without a difference and without use: no claim about one network is refuted, no order needed."""
    for rng in range(3):
        tables = planted(scatter=0.03, damage=used(), damage_scatter=0.02, rng=rng)
        found = verdicts(tables)
        assert NOT_SUPPORTED not in {found[claim] for claim in ("N1", "N2", "N3", "N4")}
        assert NEEDED not in set(answers(tables)["answer"])


def test_margin_is_the_one_in_words(planted):
    tables = planted(error=worse_without(1 + MARGIN - 0.02, 1, 2), scatter=0.003)
    assert verdicts(tables)["N3"] == SUPPORTED
    assert set(WITHOUT) == {1, 2} and MISSING in ANSWERS and set(PARTS) == {f"N{k}" for k in range(1, 7)}
