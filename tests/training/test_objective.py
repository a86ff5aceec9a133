"""What training minimises, follows and keeps: schedules, averages of weights, additional terms, checkpoints."""

import math
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from equinotes import RunConfig, load_run, train
from equinotes.cli.main import main
from equinotes.training import terms
from equinotes.training.averaging import Average, decay_at
from equinotes.training.checkpoints import Position, State, load_checkpoint, save_checkpoint
from equinotes.training.loop import begin
from equinotes.training.objective import Objective
from equinotes.training.prediction import predict
from equinotes.training.schedules import SCHEDULES
from equinotes.training.targets import prepare
from equinotes.training.terms.base import Seen, Term

SMOKE = RunConfig.preset("smoke")


class Head(Term):
    """A term with a parameter and random numbers of its own."""

    def __init__(self, config, net):
        super().__init__(config, net)
        self.head = nn.Linear(config.mul, 1)

    def forward(self, seen: Seen):
        scalars = seen.features[1]["0e"][..., 0]
        return (self.head(scalars) + torch.randn(len(scalars), 1, generator=seen.generator)).square().mean()


@pytest.fixture
def dummy(monkeypatch):
    """A term in the registry that is not there otherwise."""
    monkeypatch.setitem(terms.TERMS, "head", f"{__name__}:Head")
    found = terms.import_module
    monkeypatch.setattr(terms, "import_module", lambda name: sys.modules[name] if name == __name__ else found(name))
    return "head"


def test_cosine_is_half_a_cosine_from_one_to_zero():
    factors = [SCHEDULES["cosine"](step, 10) for step in range(10)]
    assert factors[0] == 1 and factors[5] == pytest.approx(0.5)
    assert np.allclose(np.diff(np.arccos(2 * np.array(factors) - 1)), math.pi / 10)
    assert {SCHEDULES["constant"](step, 10) for step in range(10)} == {1.0}


def test_average_is_the_sum_that_it_stands_for():
    """a_t written out: weights w_t times (1 - d_t) and every later d."""
    net, decay, history = nn.Linear(3, 2, bias=False).double(), 0.9, []
    average = Average(net, decay)
    history.append(net.weight.detach().clone())
    for step in range(1, 30):
        with torch.no_grad():
            net.weight += torch.randn_like(net.weight)
        history.append(net.weight.detach().clone())
        average.update(step)
    decays = [0.0, *(min(decay, (1 + step) / (10 + step)) for step in range(1, 30))]
    assert decays == [0.0, *(decay_at(step, decay) for step in range(1, 30))]
    shares = [(1 - decays[k]) * math.prod(decays[k + 1 :]) for k in range(30)]
    assert sum(shares) == pytest.approx(1)
    expected = sum(share * weights for share, weights in zip(shares, history, strict=True))
    torch.testing.assert_close(average.weights["weight"], expected)


def test_averaged_weights_are_lent_to_the_network_and_given_back():
    net = nn.Linear(3, 2)
    average = Average(net, 0.9)
    with torch.no_grad():
        net.weight += 1
    own, averaged = net.weight.detach().clone(), average.weights["weight"].clone()
    with average.in_place():
        assert torch.equal(net.weight, averaged)
    assert torch.equal(net.weight, own) and torch.equal(average.weights["weight"], averaged)


def test_an_average_only_watches(qm9, tmp_path):
    plain, watched = (train(SMOKE.but(average=a), device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9) for a in (0.0, 0.99))
    for name, tensor in load_file(plain.path / "model.safetensors").items():
        assert torch.equal(tensor, load_file(watched.path / "model.safetensors")[name])
    assert set(watched.errors) == {f"{prefix}{key}" for prefix in ("", "average_") for key in plain.errors}
    assert {"val_average_mae_eV", "val_average_rmse_eV"} == set(watched.metrics) - set(plain.metrics)
    net = watched.network(average=True)
    np.testing.assert_array_equal(predict(net, qm9, watched.split.test), watched.predictions["average_prediction_eV"])
    with pytest.raises(ValueError, match="keeps no average"):
        plain.network(average=True)


def test_a_weight_of_zero_changes_nothing(qm9, tmp_path):
    plain = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    zero = SMOKE.but(terms=("feature_l2",), term_weights=(0.0,))
    with_term = train(zero, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    np.testing.assert_allclose(with_term.predictions["prediction_eV"], plain.predictions["prediction_eV"], atol=1e-5)


def test_feature_l2_is_the_mean_square_of_directed_features(qm9):
    net, split = prepare(SMOKE.but(last_block="all"), qm9)
    objective = Objective(SMOKE.but(terms=("feature_l2",), term_weights=(1.0,)), net)
    loss = objective.of_rows(net, qm9, split.train[:8], 0, "cpu")
    layers = net.features(qm9.batch(split.train[:8]))[1:]
    mul = SMOKE.mul
    expected = np.mean([layer.x[:, mul:].detach().square().mean().item() for layer in layers])
    assert (loss.total - loss.error).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("at_step", [1, 3])
def test_cut_off_with_everything_on_it_ends_with_the_same_weights(dummy, qm9, tmp_path, monkeypatch, at_step):
    import equinotes.training.loop as training

    config = SMOKE.but(schedule="cosine", average=0.9, terms=(dummy, "feature_l2"), term_weights=(0.1, 0.01))
    whole = train(config, device="cpu", runs_dir=tmp_path / "whole", progress=False, qm9=qm9)
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    shows = iter(range(1, 100))

    def cut(*_):
        if next(shows) == at_step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "_show", cut)
        with pytest.raises(KeyboardInterrupt):
            train(config, device="cpu", runs_dir=tmp_path / "cut", progress=False, qm9=qm9)
    resumed = train(config, device="cpu", runs_dir=tmp_path / "cut", progress=False, qm9=qm9)
    for name in ("model.safetensors", "average.safetensors"):
        for key, tensor in load_file(whole.path / name).items():
            assert torch.equal(tensor, load_file(resumed.path / name)[key]), (name, key)
    timings = ["seconds", "molecules_per_s"]
    assert resumed.metrics.drop(columns=timings).equals(whole.metrics.drop(columns=timings))


def test_a_readable_checkpoint_that_does_not_fit_starts_fresh(qm9, tmp_path, capsys):
    """No tensor of it is kept: all weights are those of a start without one."""
    run = train(SMOKE.but(epochs=1), device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    state, _ = begin(run, SMOKE, qm9, "cpu")
    path = run.path / "checkpoint.safetensors"
    save_checkpoint(path, state)
    with safe_open(path, "pt") as stored:
        metadata, tensors = stored.metadata(), {key: stored.get_tensor(key) + 1 for key in stored.keys()}  # noqa: SIM118
    last = next(key for key in reversed(list(tensors)) if key.startswith("net/blocks"))
    tensors[last] = tensors[last][..., :-1].contiguous()
    save_file(tensors, path, metadata=metadata)
    fresh, _ = prepare(SMOKE, qm9)
    net, _ = prepare(SMOKE, qm9)
    objective = Objective(SMOKE, net)
    resumed = State(net, objective, torch.optim.AdamW(net.parameters()), None, Position())
    load_checkpoint(path, resumed)
    assert "damaged" in capsys.readouterr().out and "does not fit" not in str(resumed.position)
    assert resumed.position.epoch == 0 and resumed.position.metrics == []
    for name, tensor in fresh.state_dict().items():
        assert torch.equal(tensor, net.state_dict()[name]), name


def test_numerics_of_another_version_are_named_and_not_mixed(qm9, tmp_path, monkeypatch):
    run = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    assert run.provenance["numerics"] == 1
    monkeypatch.setattr("equinotes.runs.store.NUMERICS", 2)
    assert not run.complete and run.status == "outdated" and run.other_numerics == "numerics 1 (today's are 2)"
    with pytest.raises(ValueError, match="outdated"):
        run.network()
    assert load_run(SMOKE.run_id, tmp_path).status == "outdated"


def test_a_new_term_is_taken_up_by_the_command_line_and_by_sweeps(dummy, tmp_path, capsys):
    words = ["--preset", "smoke", "--terms", dummy, "--term-weights", "0.1", "--runs-dir", str(tmp_path), "--device", "cpu"]
    assert main(["train", *words]) == 0
    (run,) = [load_run(path.parent) for path in tmp_path.glob("*/config.json")]
    assert run.complete and run.config.terms == (dummy,) and run.config.term_weights == (0.1,)
    assert main(["sweep", *words[:-2], "--dry-run", "--seed", "0", "1"]) == 0
    assert run.run_id in capsys.readouterr().out


def test_an_unknown_term_is_refused_at_once_and_the_nearest_named():
    with pytest.raises(ValueError, match="unknown term 'feature_l3'; did you mean 'feature_l2'"):
        SMOKE.but(terms=["feature_l3"], term_weights=[1.0])
