"""Features, edits and gradients of networks on real molecules, held against symmetry and against differences."""

import numpy as np
import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, embed, split_irreps
from equinotes.analysis.features import feature_gradients, predictor, untrained, weight_gradients
from equinotes.data.frames import in_frame, principal_rotations, random_rotations
from equinotes.data.qm9 import load_qm9
from equinotes.training.targets import composition

CONFIG = RunConfig.preset("smoke", ls=(0, 1, 2), mul=4, num_blocks=3)
ROWS = np.arange(1000, 1040)


@pytest.fixture(scope="module")
def net(qm9):
    return untrained(CONFIG, qm9)


def test_molecule_features_are_sums_of_atom_features(net, qm9):
    lengths = np.diff(qm9.atom_ptr)[ROWS]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    for molecule, atom in zip(embed(net, ROWS), embed(net, ROWS, per="atom"), strict=True):
        assert atom.x.shape[0] == lengths.sum() and molecule.irreps == atom.irreps
        np.testing.assert_allclose(molecule.x, np.add.reduceat(atom.x, starts), rtol=1e-4, atol=1e-4)


def test_the_first_layer_knows_nothing_but_the_formula(net, qm9):
    counts = composition(qm9, ROWS)
    first = embed(net, ROWS)[0]
    np.testing.assert_allclose(first.x, counts @ net.embedding.weight.detach().double().numpy(), rtol=1e-4, atol=1e-4)


def test_features_do_not_depend_on_the_batch(net):
    for one, many in zip(embed(net, ROWS, batch_size=7), embed(net, ROWS), strict=True):
        np.testing.assert_allclose(one.x, many.x, rtol=1e-4, atol=1e-4)


def test_features_in_random_frames_turn_by_wigner_matrices(net):
    turns = random_rotations(torch.from_numpy(ROWS), seed=3)
    for still, turned in zip(embed(net, ROWS), embed(net, ROWS, frame="random", seed=3), strict=True):
        D = o3.Irreps(still.irreps).D_from_matrix(turns.float()).numpy()
        expected = np.einsum("nij,nj->ni", D, still.x)
        np.testing.assert_allclose(turned.x, expected, atol=2e-4 * np.abs(expected).max())


def test_principal_frames_do_not_depend_on_the_frame_given(qm9):
    batch = qm9.batch(ROWS)
    random = in_frame(batch, "random", seed=5)
    R = principal_rotations(random)
    torch.testing.assert_close(R @ R.transpose(1, 2), torch.eye(3).double().expand_as(R), atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(len(R)).double())
    there, here = in_frame(random, "principal").pos, in_frame(batch, "principal").pos

    def spread(pos):
        centred = pos - (qm9_centres(batch, pos))[batch.molecule]
        total = torch.zeros(len(ROWS), 3, 3).index_add_(
            0, batch.molecule, batch.z[:, None, None] * centred[:, :, None] * centred[:, None]
        )
        return total

    torch.testing.assert_close(spread(there), spread(here), rtol=1e-3, atol=0.05)
    off = spread(here) - torch.diag_embed(torch.diagonal(spread(here), dim1=1, dim2=2))
    assert off.abs().max() < 1e-2 * spread(here).abs().max()


def qm9_centres(batch, pos):
    total = torch.zeros(batch.num_molecules, 3).index_add_(0, batch.molecule, batch.z[:, None] * pos)
    return total / torch.zeros(batch.num_molecules).index_add_(0, batch.molecule, batch.z.float())[:, None]


def test_an_edit_that_changes_nothing_changes_no_prediction(net):
    predict = predictor(net, ROWS)
    np.testing.assert_array_equal(predict(), predict(lambda block, parts: parts))
    assert np.abs(predict(lambda block, parts: {ir: 0 * x for ir, x in parts.items()}) - predict()).max() > 1e-3


def test_feature_gradients_are_the_slopes_of_the_loss(net, qm9):
    """Central differences of the loss along a random direction in the features of block 1."""
    rows = ROWS[:6]
    features, gradients = feature_gradients(net, rows)[0]
    direction = np.random.default_rng(0).normal(size=features.x.shape).astype(np.float32)
    target = (qm9.targets["U0_atom"][rows] - predictor(net, rows)()) / net.scale

    def loss(step):
        def edit(block, parts):
            if block > 1:
                return parts
            along = split_irreps(torch.from_numpy(direction), features.irreps)
            return {ir: x + step * along[ir] for ir, x in parts.items()}

        moved = predictor(net, rows)(edit) - predictor(net, rows)()
        return np.mean((moved / net.scale - target) ** 2)

    slope = (loss(1e-2) - loss(-1e-2)) / 2e-2
    assert slope == pytest.approx(float((direction * gradients.x).sum()), rel=2e-2)


def test_what_the_energy_never_reads_has_no_gradient(net):
    """Audit A2: in the last block every path to l > 0 is dead, 8 of 11 for ls = (0, 1, 2)."""
    last = feature_gradients(net, ROWS)[-1][1]
    parts = split_irreps(last.x, last.irreps)
    assert (parts["1o"] == 0).all() and (parts["2e"] == 0).all() and (parts["0e"] != 0).any()
    table = weight_gradients(net, ROWS)
    final = table[table["block"] == CONFIG.num_blocks]
    assert len(final) == 11
    assert (final["zero_fraction"] == (final["l3"] > 0)).all()
    assert (table[table["block"] < CONFIG.num_blocks]["zero_fraction"] < 0.05).all()
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("bad", [dict(per="bond"), dict(frame="mine")])
def test_unknown_choices_are_named(net, bad):
    with pytest.raises(ValueError, match=next(iter(bad.values()))):
        embed(net, ROWS, **bad)


@pytest.mark.parametrize("measure", [feature_gradients, weight_gradients, embed])
def test_qm9_is_opened_once_and_not_for_every_batch(net, measure, monkeypatch):
    opened = []
    monkeypatch.setattr("equinotes.analysis.features.load_qm9", lambda: opened.append(1) or load_qm9())
    measure(net, ROWS[:6], batch_size=2)
    assert len(opened) == 1


def test_gradients_do_not_depend_on_the_batch_and_leave_parameters_alone(net):
    weight = next(net.parameters())
    weight.grad = torch.ones_like(weight)
    for one, many in zip(feature_gradients(net, ROWS[:6], batch_size=2), feature_gradients(net, ROWS[:6]), strict=True):
        np.testing.assert_allclose(one[1].x, many[1].x, rtol=1e-3, atol=1e-6)
    assert torch.equal(weight.grad, torch.ones_like(weight)), "gradients of somebody else's step"
    weight.grad = None
