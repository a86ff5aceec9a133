"""Measured laws: they hold for the paper's network, and fail for one that breaks them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from equinotes import RunConfig, build_network
from equinotes.analysis.laws import (
    agreement,
    angle_spectrum,
    feature_while_turning,
    largest_difference,
    paired_seconds,
    symmetry_changes,
)
from equinotes.networks.base import LayerFeatures

CONFIG = RunConfig(ls=(0, 1, 2), mul=4, num_blocks=3)


@pytest.fixture(autouse=True)
def double():
    """e3nn computes Wigner matrices in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def network():
    return build_network(CONFIG).double()


@pytest.fixture
def batch(qm9):
    return qm9.batch([68]).to(dtype=torch.float64)


def test_a_feature_turns_as_the_matrices_say_and_keeps_its_length(network, batch):
    table = feature_while_turning(network, batch, "2e", step_deg=60.0)
    np.testing.assert_allclose(table["value"], table["predicted"], atol=1e-12)
    assert list(dict.fromkeys(table["name"])) == ["m = -2", "m = -1", "m = 0", "m = 1", "m = 2", "length"]
    assert table[table["name"] == "m = 1"]["value"].std() > 0, "it turns at all"


def test_all_four_changes_cost_rounding_only(network, batch):
    changes = symmetry_changes(batch)
    assert list(changes) == ["rotation", "inversion", "translation by 100 Å", "permutation"]
    assert max(largest_difference(network, batch, change) for change in changes.values()) < 1e-10


def test_a_network_that_reads_a_coordinate_is_caught(network, batch, monkeypatch):
    features = network.features

    def spoilt(batch):
        return [LayerFeatures(layer.name, layer.x + batch.pos[:, :1], layer.irreps) for layer in features(batch)]

    monkeypatch.setattr(network, "features", spoilt)
    changes = symmetry_changes(batch)
    assert largest_difference(network, batch, changes["rotation"]) > 1e-3
    assert largest_difference(network, batch, changes["permutation"]) < 1e-10, "numbering does not matter to it"


def test_two_versions_agree_and_two_seeds_do_not(qm9, network):
    batch = qm9.batch(range(100, 104))
    plain = build_network(CONFIG.but(seed=1), implementation="e3nn").double()
    assert max(agreement(network, plain, batch).values()) > 1e-3
    plain.load_state_dict(network.state_dict())
    assert max(agreement(network, plain, batch).values()) < 1e-10


def test_seconds_are_taken_in_turns(qm9, network):
    seconds = paired_seconds({"a": network, "b": network}, qm9.batch([3]).to(dtype=torch.float64), rounds=2)
    assert seconds.shape == (2, 2) and (seconds > 0).all(axis=None)


def test_two_blocks_see_the_orders_that_they_were_given(qm9):
    two = build_network(replace(CONFIG, ls=(0, 3), num_blocks=2)).double()
    table = angle_spectrum(two, lambda n: qm9.batch([qm9.row(3)] * n), 6)
    assert table.loc[table["size"] > 1e-9, "l"].tolist() == [3]
