"""Runs side by side, in steps that a GPU records: the numbers of runs trained one by one. Here the steps are taken on the CPU."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from equinotes import RunConfig, load_run, train
from equinotes.data.resident import ELEMENTS, Resident, Room
from equinotes.networks.stacked import Stacked
from equinotes.training import together
from equinotes.training.targets import prepare
from equinotes.training.together import train_together

# 70 molecules in batches of 16: the last batch of an epoch holds 6
SMALL = RunConfig.preset("smoke", num_train=70, batch_size=16, epochs=2, average=0.9, schedule="cosine")


@pytest.mark.parametrize("ls", [(0, 1, 2), (0, 3, 4, 5, 6)], ids=str)  # by path, by frame
def test_networks_side_by_side_give_what_each_gives_alone(qm9, ls):
    configs = [RunConfig.preset("smoke", ls=ls, mul=8, num_blocks=3, seed=seed) for seed in range(3)]
    nets = [prepare(config, qm9)[0] for config in configs]
    rows = np.arange(60).reshape(3, 20) + 500
    rows[1, 12:] = -1
    stacked, resident = Stacked(nets), Resident(qm9, np.arange(500, 560), "cpu")
    room = Room.of(qm9, rows)
    room = Room(room.molecules, room.atoms + 7, room.bonds + 5)
    batch = resident.batch(resident.places(rows), room)
    leaves = {name: weight.requires_grad_() for name, weight in stacked.weights.items()}
    outputs = stacked.outputs(batch, stacked.geometry(batch), leaves)
    kept = torch.from_numpy(rows >= 0)
    outputs[:, :20][kept].square().sum().backward()
    for k, net in enumerate(nets):
        alone = net.normalised(qm9.batch(rows[k][rows[k] >= 0]))
        alone.square().sum().backward()
        torch.testing.assert_close(outputs[k, : len(alone)], alone, rtol=0, atol=2e-6)
        for name, parameter in net.named_parameters():
            scale = parameter.grad.abs().max().item()
            torch.testing.assert_close(leaves[name].grad[k], parameter.grad, rtol=0, atol=5e-6 * scale + 1e-12)


def test_a_resident_batch_is_the_batch_and_its_filling(qm9):
    rows = np.array([[3, 100, 2000], [7, -1, 9]])
    resident = Resident(qm9, np.array([3, 7, 9, 100, 2000]), "cpu")
    room = Room.of(qm9, rows)
    batch = resident.batch(resident.places(rows), room)
    for k in range(2):
        own = rows[k][rows[k] >= 0]
        expected = qm9.batch(own)
        atoms = slice(k * room.atoms + len(ELEMENTS), k * room.atoms + len(ELEMENTS) + len(expected.z))
        assert torch.equal(batch.pos[atoms], expected.pos) and torch.equal(batch.z[atoms], expected.z)
        bonds = expected.edge_index.shape[1] // 2
        found = batch.edge_index[:, k * room.bonds : k * room.bonds + bonds] - atoms.start
        assert torch.equal(found, expected.edge_index[:, :bonds])
    assert batch.z[batch.example].tolist() == list(ELEMENTS)
    filling = batch.pos.view(2, room.atoms, 3)[:, : len(ELEMENTS)]
    assert (filling.diff(dim=1).norm(dim=2) > 100).all()


@pytest.mark.parametrize("at_once", [1, 2])
def test_side_by_side_runs_end_where_single_runs_end(qm9, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(together, "STEPS_AT_ONCE", at_once)
    configs = [SMALL.but(seed=seed) for seed in (0, 1)]
    both = train_together(configs, device="cpu", runs_dir=tmp_path / "both", progress=False, qm9=qm9)
    for config, run in zip(configs, both, strict=True):
        alone = train(config, device="cpu", runs_dir=tmp_path / "alone", progress=False, qm9=qm9)
        assert run.complete and run.config == config
        assert list(run.metrics) == list(alone.metrics) and list(run.predictions) == list(alone.predictions)
        for column in ("prediction_eV", "average_prediction_eV"):
            np.testing.assert_allclose(run.predictions[column], alone.predictions[column], rtol=0, atol=2e-4)
        same = ["train_loss", "train_mae_eV", "val_mae_eV", "val_average_mae_eV", "val_rmse_eV"]
        np.testing.assert_allclose(run.metrics[same], alone.metrics[same], rtol=1e-4)


def test_what_was_cut_off_between_epochs_goes_on(qm9, tmp_path):
    configs = [SMALL.but(seed=seed) for seed in (0, 1)]
    whole = train_together(configs, device="cpu", runs_dir=tmp_path / "whole", progress=False, qm9=qm9)

    class Cut(Exception):
        pass

    def cut(self, *arguments):
        if self.states[0].position.epoch == 1:
            raise Cut
        return start(self, *arguments)

    start = together.Group._start_epoch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(together, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patch.setattr(together.Group, "_start_epoch", cut)
        with pytest.raises(Cut):
            train_together(configs, device="cpu", runs_dir=tmp_path / "cut", progress=False, qm9=qm9)
    assert load_run(configs[1].run_id, tmp_path / "cut").status == "unfinished"
    again = train_together(configs, device="cpu", runs_dir=tmp_path / "cut", progress=False, qm9=qm9)
    for one, other in zip(whole, again, strict=True):
        for name in ("model.safetensors", "average.safetensors"):
            for key, tensor in load_file(one.path / name).items():
                assert torch.equal(tensor, load_file(other.path / name)[key]), key


def test_what_cannot_go_side_by_side_is_trained_by_itself(qm9, tmp_path):
    configs = [SMALL.but(seed=seed, gate=True) for seed in (0, 1)]
    for config, run in zip(
        configs, train_together(configs, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9), strict=True
    ):
        assert run.complete and run.config == config


def test_networks_that_differ_in_more_than_the_seed_are_refused(qm9):
    nets = [prepare(RunConfig.preset("smoke", mul=mul), qm9)[0] for mul in (4, 8)]
    with pytest.raises(ValueError, match="only in their seeds"):
        Stacked(nets)
