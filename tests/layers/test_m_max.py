"""Leaving out large |m| in the frames of edges: what stays exact, what is left out, and what it hides."""

import numpy as np
import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, build_network
from equinotes.comparison.confusions import chain
from equinotes.data.batches import Batch
from equinotes.layers.coupling import ByFrame, coupling
from equinotes.layers.frames import near_axis
from equinotes.layers.paths import paths
from tests.layers.test_convolution import ROWS, assert_twins_agree, gradients, relative, twins
from tests.layers.test_positions import assert_close, position_gradient

ALL = {"ls": (0, 1, 2, 3), "gate": True}


def polynomial(unit, l, m_max):
    """The projection onto |m| <= m_max about unit vectors, as a sum of harmonics: no frame is in it."""
    pole = torch.tensor([[0.0, 1.0, 0.0]])
    whole = torch.zeros(len(unit), 2 * l + 1, 2 * l + 1)
    for l2 in range(0, 2 * l + 1, 2):
        about = [torch.einsum("bi,ijk->bjk", o3.spherical_harmonics(l2, r, True), o3.wigner_3j(l2, l, l)) for r in (pole, unit)]
        diagonal = about[0][0].diagonal()
        share = diagonal[max(0, l - m_max) : l + m_max + 1].sum() / diagonal.square().sum()
        whole += share * about[1]
    return whole


@pytest.mark.parametrize(("l", "m_max"), [(0, 0), (1, 0), (2, 0), (2, 1), (4, 2), (5, 3), (3, 7)])
def test_components_kept_about_an_axis_need_no_frame(float64, l, m_max):
    unit = torch.nn.functional.normalize(torch.randn(6, 3), dim=1)
    torch.testing.assert_close(near_axis(unit, (l,), m_max)[l], polynomial(unit, l, m_max), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("m_max", "variant"), [(0, {}), (1, {"last_block": "scalars", "graph": "radius"}), (2, {})], ids=str)
def test_outputs_gradients_and_features_are_those_of_e3nn_with_features_projected(qm9, float64, m_max, variant):
    fast, e3nn = twins(ls=(0, 1, 3), num_blocks=2, gate=True, m_max=m_max, **variant)
    batch = qm9.batch(ROWS[2:5], graph=fast.config.graph, cutoff=3.0).to(dtype=float64)
    assert_twins_agree(fast, e3nn, batch, 1e-10)
    assert_close(position_gradient(fast, batch), position_gradient(e3nn, batch), 1e-10)


def test_with_every_m_the_frames_are_the_full_convolution(qm9, float64, monkeypatch):
    """Computed by frame with m_max = lmax, and by path without frames: outputs and gradients agree to 1e-10."""
    batch, target = qm9.batch(ROWS).to(dtype=float64), torch.zeros(len(ROWS))
    full = build_network(RunConfig(**ALL, mul=4, num_blocks=3)).double()
    expected = full.normalised(batch), gradients(full, batch, target)
    monkeypatch.setattr("equinotes.layers.convolution.coupling", by_frame)
    monkeypatch.setattr("equinotes.layers.geometry.coupling", by_frame)
    framed = build_network(RunConfig(**ALL, mul=4, num_blocks=3, m_max=3)).double()
    assert relative(framed.normalised(batch), expected[0]) < 1e-10
    found = gradients(framed, batch, target)
    assert max(relative(found[name], expected[1][name]) for name in found) < 1e-10
    less = build_network(RunConfig(**ALL, mul=4, num_blocks=3, m_max=2)).double()
    assert relative(less.normalised(batch), expected[0]) > 1e-4


def by_frame(ls, mul, ls_layer, ls_out, m_max):
    return ByFrame(ls, mul, paths(ls, ls, ls_layer), ls_out, m_max)


@pytest.mark.parametrize("m_max", [0, 1])
def test_messages_turn_with_their_source_about_the_edge_and_hold_no_larger_m(float64, m_max):
    """One edge along y: a turn of the source's features about it turns the message; |m| above m_max is zero in it."""
    net = build_network(RunConfig(ls=(0, 1, 2, 3), mul=3, m_max=m_max)).double()
    zero = torch.zeros(2, dtype=torch.long)
    pos = torch.tensor([[0.0, 0, 0], [0, 1.3, 0]])
    batch = Batch(pos, torch.tensor([1, 8]), torch.tensor([[0, 1], [1, 0]]), molecule=zero, rows=zero[:1])
    edges, x = net.edges(batch), torch.randn(2, 16, 3)
    turn = o3.Irreps("0e+1o+2e+3o").D_from_angles(torch.tensor(0.0), torch.tensor(0.0), torch.tensor(0.7))
    message, turned = (net.blocks[1](each, edges)[1] for each in (x, turn @ x))
    torch.testing.assert_close(turned, turn @ message, rtol=0, atol=1e-10)
    ms = np.abs(np.concatenate([np.arange(-l, l + 1) for l in range(4)]))
    assert message[ms > m_max].abs().max() < 1e-14
    assert message[ms <= m_max].abs().min() > 1e-6


@pytest.mark.parametrize("positions", [False, True])
def test_networks_turn_exactly_whatever_is_left_out(qm9, float64, positions):
    batch = qm9.batch(ROWS).to(dtype=float64)
    net = build_network(RunConfig(**ALL, mul=4, num_blocks=3, m_max=1)).double()
    R = -o3.rand_matrix()
    torch.testing.assert_close(net.normalised(batch.rotated(R)), net.normalised(batch), rtol=0, atol=1e-10)
    if positions:
        before, after = (position_gradient(net, each) for each in (batch, batch.rotated(R)))
        torch.testing.assert_close(after, before @ R.T, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("m_max", "seen"), [(0, False), (1, True), (3, True)])
def test_torsion_needs_m_1(float64, m_max, seen):
    net = build_network(RunConfig(**ALL, mul=8, num_blocks=4, m_max=m_max)).double()
    cis, trans = (net.normalised(chain(torsion)).item() for torsion in (0.0, np.pi))
    assert abs(cis - trans) > 1e-7 if seen else abs(cis - trans) < 1e-13


def test_work_falls_with_m_max():
    ls = tuple(range(7))
    work = [coupling(ls, 16, ls, ls, m_max).work() for m_max in (0, 1, 2, 6)]
    assert work[0] < work[1] < work[2] < 0.9 * work[3]


def test_networks_without_edge_frames_refuse_it():
    with pytest.raises(ValueError, match="network 'nequip' does not read m_max, got m_max=1; networks that read it: paper"):
        RunConfig.preset("nequip", m_max=1)
    with pytest.raises(ValueError, match="m_max must lie in 0 to 11, got -1"):
        RunConfig(m_max=-1)
