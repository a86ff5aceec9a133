"""One backward pass predicts what every edit does, where the network is affine in its features; elsewhere it is computed."""

import numpy as np
import pytest
import torch

from equinotes.analysis.calibration import conditional_shuffle
from equinotes.audit.protocols.second import edited as module
from equinotes.audit.protocols.second.edited import by_computing, by_gradients, edited
from equinotes.config import RunConfig
from equinotes.networks import build_network

ROWS = np.arange(4000, 4012)


@pytest.fixture
def small(monkeypatch, float64):
    monkeypatch.setattr(module, "BATCH", 5)
    torch.manual_seed(0)
    return build_network(RunConfig(ls=(0, 1, 3), mul=4, num_blocks=4)).double().eval()


def doubled(block, irrep):
    return lambda k, parts: parts | ({irrep: 2 * parts[irrep]} if k == block else {})


def test_gradients_predict_every_edit_that_computing_does(small):
    pairs = list(zip(by_gradients(small, ROWS), by_computing(small, ROWS), strict=True))
    assert [one.block for one, _ in pairs] == [1, 2, 3]
    for fast, slow in pairs:
        assert fast.irreps == slow.irreps == ["0e", "1o", "3o"]
        np.testing.assert_allclose(fast.predict(), slow.predict(), rtol=0, atol=1e-9)
        atoms = _atoms()
        for irrep in fast.irreps:
            for edit in (doubled(fast.block, irrep), conditional_shuffle(fast.block, irrep, np.zeros(atoms, int), seed=1)):
                moved = slow.predict(edit=edit)
                assert np.abs(moved - slow.predict()).max() > 1e-6
                np.testing.assert_allclose(fast.predict(edit=edit), moved, rtol=0, atol=1e-9)


def _atoms():
    from equinotes.data.qm9 import load_qm9

    return len(load_qm9().batch(ROWS).z)


def test_a_network_with_gates_is_not_taken_for_affine(float64):
    gated = build_network(RunConfig(ls=(0, 1), mul=4, num_blocks=3, gate=True)).double().eval()
    assert not gated.affine and build_network(RunConfig(ls=(0, 1), mul=4, num_blocks=3)).affine
    linear, computed, chosen = (list(way(gated, ROWS)) for way in (by_gradients, by_computing, edited))
    edit = doubled(1, "1o")
    truth = computed[0].predict(edit=edit)
    np.testing.assert_allclose(chosen[0].predict(edit=edit), truth, rtol=0, atol=1e-12)
    assert np.abs(linear[0].predict(edit=edit) - truth).max() > 1e-6
