"""Networks that are fitted to further targets beside the first: what they share with those that are not, and what they learn."""

import numpy as np
import pytest
import torch

from equinotes import RunConfig, build_network, train
from equinotes.training.targets import prepare, targets_of

SMOKE = RunConfig.preset("smoke")
BOTH = ("alpha_anisotropy", "dipole_proxy")


def test_all_but_the_further_readout_starts_as_it_does_without():
    plain, more = build_network(SMOKE).state_dict(), build_network(SMOKE.but(auxiliary=BOTH)).state_dict()
    assert set(more) - set(plain) == {"auxiliary.weight", "auxiliary.bias", "ref_auxiliary"}
    for name, tensor in plain.items():
        assert torch.equal(tensor, more[name]), name


def test_outputs_are_the_target_and_then_the_others(qm9):
    plain, more = build_network(SMOKE), build_network(SMOKE.but(auxiliary=BOTH))
    batch = qm9.batch([3, 2021])
    assert plain.outputs(batch).shape == (2, 1) and more.outputs(batch).shape == (2, 3)
    torch.testing.assert_close(more.outputs(batch)[:, :1], plain.outputs(batch))
    torch.testing.assert_close(more(batch), plain(batch))


def test_both_implementations_agree(qm9):
    config = SMOKE.but(auxiliary=BOTH, ls=(0, 1, 2))
    fast, plain = build_network(config), build_network(config, "e3nn")
    plain.load_state_dict(fast.state_dict())
    batch = qm9.batch([3, 2021])
    torch.testing.assert_close(fast.outputs(batch), plain.outputs(batch), rtol=1e-4, atol=1e-5)


def test_further_targets_are_invariant(qm9):
    net = build_network(SMOKE.but(auxiliary=BOTH))
    batch = qm9.batch([3, 2021])
    turned = batch.rotated(-torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0])
    torch.testing.assert_close(net.outputs(turned), net.outputs(batch), rtol=1e-4, atol=1e-5)


def test_each_column_is_normalised_by_its_own_training_molecules(qm9):
    net, split = prepare(SMOKE.but(auxiliary=BOTH), qm9)
    values = targets_of(net.config, qm9, split.train)
    np.testing.assert_array_equal(values.numpy(), np.stack([qm9.targets[n][split.train] for n in ("U0_atom", *BOTH)], axis=1))
    columns = net.normalise(values, qm9.batch(split.train))
    torch.testing.assert_close(columns.mean(dim=0), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(columns.std(dim=0, correction=0), torch.ones(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(columns[:, 0], net.normalise(values[:, 0], qm9.batch(split.train)))


def test_training_lowers_the_errors_of_all_targets(qm9, tmp_path):
    config = SMOKE.but(auxiliary=("alpha", "dipole_proxy"), num_train=256, epochs=8, lr=3e-3)
    run = train(config, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    batch, values = qm9.batch(run.split.test), targets_of(config, qm9, run.split.test)

    def errors(net):
        with torch.no_grad():
            return (net.outputs(batch) - net.normalise(values, batch)).abs().mean(dim=0)

    before, after = errors(prepare(config, qm9)[0]), errors(run.network())
    assert (after < 0.9 * before).all()
    assert float(after[0]) * run.network().scale == pytest.approx(run.errors["mae_eV"], rel=1e-4)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("dipole_prox",), "unknown target 'dipole_prox'; did you mean 'dipole_proxy'"),
        (("U0_atom",), r"auxiliary must name other targets than U0_atom, each once, got \('U0_atom',\)"),
        (("alpha", "alpha"), "auxiliary must name other targets than U0_atom, each once"),
    ],
)
def test_names_that_cannot_be_are_refused(names, says):
    with pytest.raises(ValueError, match=says):
        RunConfig(auxiliary=names)


@pytest.mark.parametrize(
    ("value", "says"),
    [("alpha", r"must be a tuple such as \('a', 'b'\), got .alpha."), ((1,), r"must be words such as a,b, got \(1,\)")],
)
def test_what_is_no_list_of_names_is_refused(value, says):
    with pytest.raises(TypeError, match=says):
        RunConfig(auxiliary=value)
