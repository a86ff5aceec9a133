"""Skips, curricula and pre-training: what they are by construction, and that a run that was cut off ends the same."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from equinotes import RunConfig, build_network, train
from equinotes.networks.stacked import not_stackable
from equinotes.training import loop
from equinotes.training.loop import begin
from equinotes.training.stages import enter, orders_at, reinitialise
from equinotes.training.terms import TERMS

SMOKE = RunConfig.preset("smoke", num_train=32, num_val=8, num_test=8)
SKIPS = ("all", "none", "scalars", "directed", "dense", "scaled")


@pytest.fixture
def batch(qm9):
    return qm9.batch([3, 2021, 40_000, 90_000])


def flat(net):
    return {name: weight.detach().clone() for name, weight in net.named_parameters()}


@pytest.mark.parametrize("skips", SKIPS)
def test_skips_share_the_parameters_and_keep_features_as_large(qm9, skips):
    config = RunConfig(ls=(0, 1, 2), mul=16)
    paper, other = build_network(config), build_network(config.but(skips=skips))
    assert all(torch.equal(weight, flat(paper)[name]) for name, weight in flat(other).items())
    rows = qm9.batch(np.arange(1000, 1064))
    sizes = [[layer.x.square().mean().sqrt().item() for layer in net.features(rows)[1:]] for net in (paper, other)]
    assert all(1 / 4 < b / a < 4 for a, b in zip(*sizes, strict=True)), sizes
    assert skips == "all" or not torch.allclose(paper.outputs(rows), other.outputs(rows), rtol=1e-2)


@pytest.mark.parametrize("skips", SKIPS)
def test_a_block_passes_on_what_its_skip_says(batch, skips):
    """With weights of zero a convolution puts out nothing: what is left behind block 3 came by skips from block 1 and 2."""
    net = build_network(RunConfig(ls=(0, 1, 2), mul=4, num_blocks=4, skips=skips))
    with torch.no_grad():
        for block in (2, 3):
            net.path_weight(block).zero_()
    by_block = [net.split(k, net.join(_parts(net, layer))) for k, layer in enumerate(net.features(batch)) if k]
    passed = {"all": "0e 1o 2e", "none": "", "scalars": "0e", "directed": "1o 2e"}.get(skips, "0e 1o 2e").split()
    for ir, part in by_block[2].items():
        left = 0.5 if skips == "scaled" else 1.0  # a root of two for each of two blocks
        expected = left * by_block[0][ir] if ir in passed else torch.zeros_like(part)
        torch.testing.assert_close(part, expected)


def _parts(net, layer):
    from equinotes.irreps import split_irreps

    return split_irreps(layer.x, layer.irreps)


@pytest.mark.parametrize("skips", ["scalars", "dense", "scaled"])
@pytest.mark.parametrize("gate", [False, True])
def test_edits_and_going_on_agree_under_other_skips(batch, skips, gate):
    net = build_network(RunConfig(ls=(0, 1, 2), mul=4, num_blocks=4, skips=skips, gate=gate))
    parts = _parts(net, net.features(batch)[2])
    edited = {ir: part * 1.5 for ir, part in parts.items()}
    by_edit = net.outputs(batch, edit=lambda block, given: edited if block == 2 else {})
    torch.testing.assert_close(net.outputs_from(batch, 2, edited), by_edit)
    torch.testing.assert_close(net.outputs_from(batch, 2, parts), net.outputs(batch))


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("ls", [(0, 1, 2, 3), (0, 2, 4)], ids=str)
def test_a_network_that_keeps_some_orders_is_the_smaller_network(batch, ls, gate):
    config = RunConfig(ls=ls, mul=4, num_blocks=3, gate=gate)
    net, kept = build_network(config), ls[:-1]
    small = build_network(config.but(ls=kept))
    with torch.no_grad():
        for name, weight in small.named_parameters():
            if name.startswith("gates."):
                weight.copy_(net.get_parameter(name)[:, : weight.shape[1]])
            elif "layer1" not in name:
                weight.copy_(net.get_parameter(name))
        large = {(p.block, p.l1, p.l2, p.l3): p.where for p in net.block_paths()}
        for p in small.block_paths():
            small.path_weight(p.block)[:, p.where] = net.path_weight(p.block)[:, large[p.block, p.l1, p.l2, p.l3]]
    net.keep_orders(kept)
    torch.testing.assert_close(net.outputs(batch), small.outputs(batch), rtol=1e-4, atol=1e-5)
    net.keep_orders(ls)
    assert all(block.path_factors is None for block in net.blocks)
    torch.testing.assert_close(net.outputs(batch), build_network(config).outputs(batch))


def test_a_curriculum_ends_with_all_orders_and_its_control_begins_at_the_other_end():
    rising, falling = (RunConfig(ls=(0, 1, 2, 3, 4), curriculum=name) for name in ("rising", "falling"))
    stages = [[orders_at(config, step, 800) for step in range(800)] for config in (rising, falling)]
    assert list(dict.fromkeys(stages[0])) == [(0,), (0, 1), (0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 3, 4)]
    assert list(dict.fromkeys(stages[1])) == [(0,), (0, 4), (0, 3, 4), (0, 2, 3, 4), (0, 1, 2, 3, 4)]
    assert all(stage[400:] == [rising.ls] * 400 for stage in stages)
    assert orders_at(RunConfig(ls=(0,), curriculum="rising"), 0, 10) == (0,)


PRETRAINED = SMOKE.but(terms=("denoise",), term_weights=(1.0,), pretrain_epochs=1, average=0.9, ls=(0, 1))


def moved_parts(net, config):
    """Which paths, and which other parameters, differ from the network before its first step."""
    first = build_network(config)
    radial = {id(net.path_weight(b)) for b in {p.block for p in net.block_paths()}}
    paths = {
        (p.block, p.l1, p.l3) for p in net.block_paths()
        if not torch.equal(net.path_weight(p.block)[:, p.where], first.path_weight(p.block)[:, p.where])
    }  # fmt: skip
    others = {n for n, w in net.named_parameters() if id(w) not in radial and not torch.equal(w, flat(first)[n])}
    return paths, others


@pytest.mark.parametrize("part", ["none", "scalars", "directed", "all"])
def test_only_the_part_that_is_named_starts_anew(part):
    config = PRETRAINED.but(reinitialise=part, gate=True)
    net = build_network(config)
    with torch.no_grad():
        for weight in net.parameters():
            weight += 1
    reinitialise(net, config)
    paths, others = moved_parts(net, config)
    directed = {(p.block, p.l1, p.l3) for p in net.block_paths() if p.l1 or p.l3}
    scalars = {(p.block, 0, 0) for p in net.block_paths()}
    assert paths == {"none": directed | scalars, "scalars": directed, "directed": scalars, "all": set()}[part]
    plain, gates = {"embedding.weight", "readout", "energy.weight", "energy.bias"}, {"gates.0.weight", "gates.1.weight"}
    shared = {f"blocks.{k}.radial.layer0.weight" for k in (0, 1)}
    wanted = {"none": plain | gates | shared, "scalars": gates | shared, "directed": plain | shared, "all": set()}
    assert others == wanted[part]


def test_a_pretraining_does_not_see_the_target_and_fine_tuning_starts_afresh(qm9, tmp_path):
    from equinotes.runs.store import Run

    states = []
    for target in ("U0_atom", "gap"):
        config = PRETRAINED.but(target=target)
        run = Run(tmp_path / config.run_id)
        run.path.mkdir()
        state, split = begin(run, config, qm9, "cpu")
        for _ in range(loop.steps_per_epoch(config)):
            loop._step(run, config, state, qm9, split.train[:16], "cpu")
            state.position.step += 1
        states.append(state)
    for name, weight in flat(states[0].net).items():
        assert torch.equal(weight, flat(states[1].net)[name]), name
    state = states[0]
    assert state.optimizer.state
    enter(state, PRETRAINED, loop.steps_per_epoch(PRETRAINED), 10)
    assert not state.optimizer.state
    assert all(torch.equal(w, flat(state.net)[name]) for name, w in state.average.weights.items())


def test_what_cannot_be_is_refused():
    for changes, says in [
        ({"pretrain_epochs": 1}, "pretrain_epochs needs terms"),
        ({"terms": ["denoise"], "term_weights": [1.0], "pretrain_epochs": 2}, "leave one of 2 epochs, got 2"),
        ({"reinitialise": "all"}, "needs pretrain_epochs"),
        ({"network": "nequip", "skips": "none"}, "'nequip' does not read skips"),
        ({"network": "nequip", "curriculum": "rising"}, "'nequip' does not read curriculum"),
    ]:
        with pytest.raises(ValueError, match=says):
            SMOKE.but(**changes)


def test_they_are_trained_alone():
    plain = build_network(SMOKE)
    assert not_stackable(plain) is None
    for changes in ({"skips": "none"}, {"curriculum": "rising"}, {"terms": ["dipole"], "term_weights": [1.0]}):
        assert not_stackable(build_network(SMOKE.but(**changes)))


WHOLE = [SMOKE.but(terms=(name,), term_weights=(0.1,), ls=(0, 1, 2)) for name in TERMS if not name.startswith("attention")]
WHOLE += [SMOKE.but(network="se3_transformer", terms=("attention_entropy",), term_weights=(0.1,))]
WHOLE += [PRETRAINED.but(reinitialise="directed"), SMOKE.but(curriculum="falling", average=0.9), SMOKE.but(skips="dense")]


@pytest.mark.parametrize("config", WHOLE, ids=lambda c: "-".join(c.terms) + c.curriculum + c.skips + c.reinitialise)
def test_cut_off_anywhere_it_ends_with_the_same_weights(config, qm9, tmp_path, monkeypatch):
    """Two steps an epoch, two epochs: cut after the last step of the first epoch (the end of a pre-training) and before."""
    config = config.but(batch_size=16)
    whole = train(config, device="cpu", runs_dir=tmp_path / "whole", progress=False, qm9=qm9)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    shows = iter(range(1, 100))

    def cut(*_):
        if next(shows) in (2, 3):
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_show", cut)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(config, device="cpu", runs_dir=tmp_path / "cut", progress=False, qm9=qm9)
    resumed = train(config, device="cpu", runs_dir=tmp_path / "cut", progress=False, qm9=qm9)
    for key, tensor in load_file(whole.path / "model.safetensors").items():
        assert torch.equal(tensor, load_file(resumed.path / "model.safetensors")[key]), key
    timings = ["seconds", "molecules_per_s"]
    assert resumed.metrics.drop(columns=timings).equals(whole.metrics.drop(columns=timings))
    assert {f"train_{name}" for name in config.terms} <= set(whole.metrics)
