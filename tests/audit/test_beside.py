"""Numbers beside the rules follow the stored tables, are right where the answer is known, and are none otherwise."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from equinotes import build_network
from equinotes.audit import measures
from equinotes.audit.protocols.first import runs
from equinotes.audit.protocols.first.beside import beside
from equinotes.audit.protocols.first.claims import CLAIMS
from equinotes.audit.protocols.first.evidence import MANY
from equinotes.audit.tables import load_all
from equinotes.support.templates import sentences


@pytest.fixture(scope="module")
def tables(stored):
    return load_all(stored)


def test_a_common_offset_does_not_count():
    error = np.array([-0.2, -0.1, 0.0, 0.3, 0.5])
    runs = pd.DataFrame({"ls": [(0, 1)] * 2, "seed": [0, 1], "run_id": ["a", "b"]})
    runs = runs.assign(mul=16, reference="composition", experiment="table")
    predictions = pd.DataFrame({"target_eV": np.arange(5.0), "a": np.arange(5.0) + error, "b": np.arange(7.0, 12.0) + error})
    found = measures.centred_errors({"runs": runs, "predictions": predictions}, (0, 1), 16, "composition", ("table",))
    assert found == pytest.approx({0: 1.1 / 5, 1: 1.1 / 5})


def test_sets_that_stand_for_each_other_start_from_the_same_numbers():
    configs = [config for config in runs.substitutes() if config.seed == 0 and config.reference == "composition"]
    networks = [build_network(config).state_dict() for config in configs]
    assert len(networks) == 3
    for one, other in combinations(networks, 2):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_every_claim_with_a_rule_has_numbers_beside_it_and_sentences_that_state_them(tables):
    for claim in CLAIMS:
        numbers = beside(tables, claim.name)
        assert bool(numbers) == bool(sentences("first")("beside", claim=claim.name, numbers=numbers)) == (claim.name != "C6")


def test_numbers_follow_the_tables(tables):
    runs, costs = tables["runs"], tables["ablations"]
    without = runs["ls"].map(lambda ls: ls == (0, 3, 4, 5, 6))
    dearer = tables | {"runs": runs.assign(mae_eV=runs["mae_eV"].where(~without, 1.5 * runs["mae_eV"]))}
    before, after = (beside(some, "C3")["change"].mean for some in (tables, dearer))
    assert 1 + after == pytest.approx(1.5 * (1 + before))
    scalars = (costs["irrep"] == "0e") & costs["ls"].map(lambda ls: ls == MANY)
    for factor, count in ((0.0, 5), (50.0, 0)):
        delta = costs["delta_mae_eV"].where(~scalars, factor * costs["delta_mae_eV"])
        changed = costs.assign(delta_mae_eV=delta, mae_eV=costs["mae_eV"] - costs["delta_mae_eV"] + delta)
        first = beside(tables | {"ablations": changed}, "C4")["dearer"][0]
        assert (first["block"], first["seeds"], first["of"]) == (1, count, 5)


def test_the_cut_leaves_the_first_two_panels_what_they_are_named_after(tables):
    assert beside(tables, "C2")["right_panels"] == [0, 1]


def test_nothing_is_said_of_what_was_not_run(made_up, tmp_path):
    nothing = load_all(made_up.write_tables(tmp_path, []))
    assert [beside(nothing, claim.name) for claim in CLAIMS] == [{}] * len(CLAIMS)
