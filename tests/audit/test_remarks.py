"""What stands beside the rules follows the stored tables, is right where the answer is known, and is silent otherwise."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from equinotes import build_network
from equinotes.audit import protocol, remarks, report
from equinotes.audit.claims import CLAIMS
from equinotes.audit.evidence import MANY


@pytest.fixture(scope="module")
def tables(stored):
    return report.open_tables(stored)


def test_the_interval_of_an_unpaired_change_holds_the_true_one_as_often_as_it_says():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(400):
        first, second = ({k: float(v) for k, v in enumerate(np.exp(rng.normal(m, 0.1, n)))} for m, n in ((0, 5), (0.2, 3)))
        change = remarks.unpaired_change(first, second)
        inside += change.low < np.expm1(0.2) < change.high
    assert 0.92 < inside / 400 < 0.98


def test_a_common_offset_does_not_count():
    error = np.array([-0.2, -0.1, 0.0, 0.3, 0.5])
    runs = pd.DataFrame({"ls": [(0, 1)] * 2, "seed": [0, 1], "run_id": ["a", "b"]})
    runs = runs.assign(mul=16, reference="composition", experiment="table")
    predictions = pd.DataFrame({"target_eV": np.arange(5.0), "a": np.arange(5.0) + error, "b": np.arange(7.0, 12.0) + error})
    found = remarks.centred_errors({"runs": runs, "predictions": predictions}, (0, 1), 16, "composition")
    assert found == pytest.approx({0: 1.1 / 5, 1: 1.1 / 5})


def test_sets_that_stand_for_each_other_start_from_the_same_numbers():
    configs = [config for config in protocol.substitutes() if config.seed == 0 and config.reference == "composition"]
    networks = [build_network(config).state_dict() for config in configs]
    assert len(networks) == 3
    for one, other in combinations(networks, 2):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_every_claim_with_a_rule_has_sentences_beside_it(tables):
    for claim in CLAIMS:
        assert bool(remarks.remarks(tables, claim.name)) == (claim.name != "C6")


def test_sentences_follow_the_tables(tables):
    runs, costs = tables["runs"], tables["ablations"]
    without = runs["ls"].map(lambda ls: ls == (0, 3, 4, 5, 6))
    dearer = tables | {"runs": runs.assign(mae_eV=runs["mae_eV"].where(~without, 1.5 * runs["mae_eV"]))}
    assert remarks.remarks(tables, "C3")[1] != remarks.remarks(dearer, "C3")[1]
    scalars = (costs["irrep"] == "0e") & costs["ls"].map(lambda ls: ls == MANY)
    for factor, count in ((0.0, "5 of 5"), (50.0, "0 of 5")):
        delta = costs["delta_mae_eV"].where(~scalars, factor * costs["delta_mae_eV"])
        changed = costs.assign(delta_mae_eV=delta, mae_eV=costs["mae_eV"] - costs["delta_mae_eV"] + delta)
        assert f"{count} seeds behind block 1" in remarks.remarks(tables | {"ablations": changed}, "C4")[0]


def test_the_cut_leaves_the_first_two_panels_what_they_are_named_after(tables):
    assert "the panels 0 and 1 hold the orders that they are named after" in remarks.remarks(tables, "C2")[0]


def test_nothing_is_said_of_what_was_not_run(made_up, tmp_path):
    nothing = report.open_tables(made_up.write_tables(tmp_path, []))
    assert [remarks.remarks(nothing, claim.name) for claim in CLAIMS] == [[]] * len(CLAIMS)
