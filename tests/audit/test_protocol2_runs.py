"""What protocol 2 runs: every comparison of a rule is planned, with the sizes and seeds that the claims name."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from equinotes import train
from equinotes.audit.protocol import steps
from equinotes.audit.protocols.second import PROTOCOL
from equinotes.audit.protocols.second import runs as planned
from equinotes.audit.protocols.second.claims import ALPHA, CLAIMS, MARGIN, MIN_SEEDS, SHARE, STRUCTURE
from equinotes.audit.protocols.second.runs import ADDED, FOUR, LOW, MAIN, PAPER_SETS, SCALES, SIX, TOP, UPPER, WITHOUT
from equinotes.audit.reported import counted_parameters
from equinotes.audit.store import store
from equinotes.audit.tables import load
from equinotes.config import RunConfig
from equinotes.data.splits import draw_split
from equinotes.networks import build_network
from equinotes.training import loop


@pytest.fixture(scope="module")
def experiments():
    return PROTOCOL.experiments()


def seeds(configs, ls, mul):
    return {config.seed for config in configs if (config.ls, config.mul) == (ls, mul)}


def test_rungs_have_the_steps_that_they_are_named_after():
    found = [steps(RunConfig.from_dict(fields)) for fields in SCALES.values()]
    assert found == [500, 4000, 16000, 98130]
    top = RunConfig.from_dict(SCALES[TOP])
    assert (top.reference, top.lr, top.batch_size, top.num_train) == ("mean", 1e-3, 32, 104665)
    assert {RunConfig.from_dict(fields).average for fields in SCALES.values()} == {0.999}


def test_rungs_train_on_growing_parts_of_one_training_set_and_test_on_the_same_molecules():
    splits = [
        draw_split(
            130831, num_train=config.num_train, num_val=config.num_val, num_test=config.num_test, split_seed=config.split_seed
        )
        for config in map(RunConfig.from_dict, SCALES.values())
    ]
    for small, large in pairwise(splits):
        assert set(small.train) < set(large.train) and set(small.test) <= set(large.test)


def test_every_set_of_a_comparison_has_its_seeds(experiments):
    main = [*experiments["table"], *experiments["substitutes"], *experiments["matched"]]
    for ls, mul in [*PAPER_SETS, (LOW, 16), (WITHOUT, 21), *((ls, 16) for ls in planned.SUBSTITUTES)]:
        assert seeds(main, ls, mul) == set(range(5))
    for added, mul in ADDED:
        assert {0, 1, 2, 3, 4} == seeds(main, *planned.matched(LOW, added, mul)) == seeds(main, LOW, mul)
    for l in FOUR[1:]:
        assert len(seeds(experiments["retrain"], tuple(o for o in FOUR if o != l), 16)) == 5
    for l in SIX[1:]:
        assert len(seeds(experiments["retrain"], tuple(o for o in SIX if o != l), 16)) == 3
    for ls in (FOUR, WITHOUT, SIX, LOW):
        upper = [config for config in experiments["ladder"] if config.num_train == SCALES[UPPER]["num_train"]]
        assert len(seeds(upper, ls, 16)) >= MIN_SEEDS
    for ls, mul in ((FOUR, 16), (WITHOUT, 16), (SIX, 16), (LOW, 32)):
        assert len(seeds(experiments["full"], ls, mul)) >= MIN_SEEDS


def test_matched_controls_agree_in_parameters_as_counted_on_networks():
    for ls, mul in ADDED:
        control = planned.matched(LOW, ls, mul)
        assert counted_parameters(*control) == pytest.approx(counted_parameters(ls, mul), rel=0.05)
    (ls, mul), other = planned.matched(WITHOUT, SIX, 16), (SIX, 16)
    counts = [sum(p.numel() for p in build_network(RunConfig(ls=ls, mul=mul)).parameters()) for ls, mul in ((ls, mul), other)]
    assert counts[0] == counted_parameters(ls, mul) and counts[0] == pytest.approx(counts[1], rel=0.05)


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(ValueError, match=r"the 778,066 parameters of .* within 5%"):
        planned.matched(WITHOUT, FOUR, 16)


def test_queue_holds_every_run_once_and_starts_with_three_seeds_of_what_verdicts_need(experiments):
    queue = planned.queue()
    names = Counter(config.run_id for _, config in queue)
    assert set(names.values()) == {1}
    assert set(names) == {config.run_id for configs in experiments.values() for config in configs}
    first = ("table", "substitutes", "matched", "retrain")
    kinds = [(name in first, config.seed < 3) for name, config in queue]
    assert kinds == sorted(kinds, key=lambda kind: (not kind[0], kind[0] and not kind[1]))
    assert queue[0][1].num_train == SCALES[MAIN]["num_train"]


def test_thresholds_in_words_are_those_in_force():
    assert PROTOCOL.thresholds == {"alpha": ALPHA, "margin": MARGIN, "structure": STRUCTURE, "share": SHARE, "min_seeds": 3}
    rules = {claim.name: claim.rule for claim in CLAIMS}
    assert list(rules) == ["C1", "C2", "C3", "C4", "C5", "C6"] and PROTOCOL.claims == CLAIMS
    for name in ("C1", "C2", "C3", "C4", "C5"):
        assert f"{MARGIN:.0%}" in rules[name] and f"{ALPHA:.0%}" in rules[name]
    for name in ("C2", "C3", "C6"):
        assert f"{STRUCTURE:g}" in rules[name]
    assert f"less than {SHARE:.0%}" in rules["C6"] and f"{MIN_SEEDS} seeds" in rules["C3"]
    more = counted_parameters(WITHOUT, 16) / counted_parameters(FOUR, 16) - 1
    assert f"{more:.0%} more parameters" in rules["C3"]


def test_a_long_run_that_has_not_ended_shows_its_curve_and_one_that_ended_does_not(qm9, tmp_path, monkeypatch):
    config = RunConfig.preset("smoke", average=0.9)
    long = replace(PROTOCOL, experiments=lambda: {"full": [config]}, scales=())
    save = loop.save_checkpoint

    def cut(*args):
        save(*args)
        raise InterruptedError

    monkeypatch.setattr(loop, "save_checkpoint", cut)
    with pytest.raises(InterruptedError):
        train(config, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    monkeypatch.undo()
    store(tmp_path, tmp_path / "out", protocol=long, progress=False)
    begun = load("curves", tmp_path / "out", long)
    assert len(load("runs", tmp_path / "out", long)) == 0
    run = train(config, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    assert 0 < len(begun) < config.epochs and begun["epochs"].eq(config.epochs).all() and begun["ls"].tolist()[0] == config.ls
    whole = run.metrics.set_index("epoch").loc[begun["epoch"]]
    for column in ("val_mae_eV", "val_average_mae_eV"):
        np.testing.assert_array_equal(begun[column], whole[column])
    store(tmp_path, tmp_path / "out", protocol=long, progress=False)
    assert len(load("curves", tmp_path / "out", long)) == 0 and load("runs", tmp_path / "out", long)["run_id"].tolist() == [
        run.run_id
    ]
