"""Bases by name: laws that every basis of a kind keeps, and a new one that is a function and a line."""

import numpy as np
import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, build_network, list_runs, load_run, sweep, train
from equinotes.bases import BASES, Entry, bases, basis, radial_basis
from equinotes.bases.harmonics import harmonics
from equinotes.cli import main as cli
from equinotes.networks import NETWORKS
from equinotes.support.errors import UserError

SMOKE = RunConfig.preset("smoke")
CUTOFF = 5.0


@pytest.mark.parametrize("num_basis", [2, 8, 20])
@pytest.mark.parametrize("name", bases("radial"))
def test_radial_functions_are_independent_and_end_at_the_cutoff(float64, name, num_basis):
    values = basis("radial", name)(torch.linspace(0.05, CUTOFF, 1000)[:-1], num_basis, CUTOFF)
    assert torch.linalg.matrix_rank(values) == num_basis
    assert 0.1 < values[100:-100].square().mean() < 5
    at_the_end = basis("radial", name)(CUTOFF + torch.tensor([-1e-9, 0.0, 1e-9, 1.0, 100.0]), num_basis, CUTOFF)
    assert at_the_end.abs().max() < 1e-7 and not at_the_end[2:].any()


@pytest.mark.parametrize("l", [0, 1, 2, 4])
@pytest.mark.parametrize("name", bases("angular"))
def test_angular_functions_of_an_order_span_its_harmonics_and_nothing_else(float64, name, l):
    if l > BASES[name].highest:
        with pytest.raises(UserError, match=f"up to l = {BASES[name].highest}, got l = {l}"):
            basis("angular", name)(torch.ones(1, 3), (l,))
        return
    vectors = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    values = basis("angular", name)(vectors, (l,))
    both = torch.cat([values, harmonics(vectors, (l,))], dim=1)
    assert torch.linalg.matrix_rank(values) == torch.linalg.matrix_rank(both) == 2 * l + 1
    several = basis("angular", name)(3 * vectors, (l, min(l + 1, BASES[name].highest)))
    torch.testing.assert_close(several[:, : values.shape[1]], values, msg="lengths play no part, orders follow one another")


@pytest.mark.parametrize("name", bases("molecular"))
def test_numbers_of_a_molecule_do_not_depend_on_how_it_is_turned(qm9, float64, name):
    batch = qm9.batch([3, 10, 2021]).to(dtype=torch.float64)
    turned = qm9.batch([3, 10, 2021]).to(dtype=torch.float64)
    turned.pos[:] = turned.pos @ -o3.rand_matrix().T
    expected = basis("molecular", name)(batch)
    columns = expected.abs().amax(0).clamp_min(1e-4 * expected.abs().max())
    assert expected.shape[0] == 3 and ((basis("molecular", name)(turned) - expected) / columns).abs().max() < BASES[name].turns


def test_gaussians_are_those_of_their_formula(float64):
    lengths, n = torch.tensor([0.7, 1.4, 5.9]), torch.arange(1, 9)
    expected = (
        8**0.5 / 1.12 * torch.exp(-((lengths[:, None] / (6 / 9) - n) ** 2)) * torch.cos(torch.pi * lengths / 12)[:, None] ** 2
    )
    torch.testing.assert_close(basis("radial", "gaussian")(lengths, 8, 6.0), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("network", [name for name, entry in NETWORKS.items() if "radial" in entry.reads.split()])
def test_networks_see_lengths_by_their_radial_basis_alone(qm9, network):
    """The same weights with another basis give other energies, the same ones fast and plain."""
    config = SMOKE.but(network=network, ls=(0, 1), num_basis=6)
    batch = qm9.batch([3, 2021])
    implementations = build_network(config).implementations
    energies = {
        (radial, implementation): build_network(config.but(radial=radial), implementation).outputs(batch)
        for radial in ("bessel", "gaussian")
        for implementation in implementations
    }
    for radial, implementation in energies:
        torch.testing.assert_close(energies[radial, "fast"], energies[radial, implementation], rtol=1e-4, atol=1e-5)
    assert (energies["bessel", "fast"] - energies["gaussian", "fast"]).abs().min() > 1e-3


def hats(lengths, num_basis, cutoff):
    """Piecewise linear functions."""
    places = torch.arange(num_basis) * cutoff / num_basis
    return torch.relu(1 - (lengths[:, None] - places).abs() * num_basis / cutoff)


@pytest.fixture
def dummy(monkeypatch):
    monkeypatch.setattr("equinotes.bases.bessel.hats", hats, raising=False)
    monkeypatch.setitem(BASES, "hats", Entry("radial", "equinotes.bases.bessel:hats"))
    return SMOKE.but(radial="hats")


def test_a_new_basis_is_taken_up_by_training_sweeps_and_the_command_line(dummy, tmp_path):
    from distributed import LocalCluster

    words = ["train", "--preset", "smoke", "--radial", "hats", "--runs-dir", str(tmp_path), "--device", "cpu"]
    assert cli.main(words) == 0
    assert load_run(dummy.run_id, tmp_path).config == dummy
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None
    ) as cluster:  # in this process, whose registry has the dummy
        table = sweep([dummy.but(seed=1)], runs_dir=tmp_path, scheduler=cluster.scheduler_address, progress=False)
    assert list(table["status"]) == ["done"]
    assert set(list_runs(tmp_path)["radial"]) == {"hats"}
    assert radial_basis(dummy)(torch.tensor([0.15])).numpy().round(4)[0, :2] == pytest.approx([0.5, 0.5])


def test_gaussians_train_from_the_command_line(qm9, tmp_path):
    run = train(SMOKE.but(radial="gaussian"), runs_dir=tmp_path, device="cpu", progress=False, qm9=qm9)
    assert cli.main(["train", "--preset", "smoke", "--radial", "gaussian", "--runs-dir", str(tmp_path), "--device", "cpu"]) == 0
    assert len(list_runs(tmp_path)) == 1 and np.isfinite(run.errors["mae_eV"])


def test_an_unknown_basis_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown radial basis 'gausian'; did you mean 'gaussian'"):
        RunConfig(radial="gausian")
    with pytest.raises(ValueError, match="unknown radial basis 'harmonics'"):
        RunConfig(radial="harmonics")
    with pytest.raises(ValueError, match="'segnn' does not read radial"):
        RunConfig.preset("segnn", radial="gaussian")
    with pytest.raises(ValueError, match="unknown angular basis 'bessel'"):
        basis("angular", "bessel")
