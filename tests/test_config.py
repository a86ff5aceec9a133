"""RunConfig: what a run can be, by which name it is found again, and what is refused in which words."""

import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinotes import RunConfig
from equinotes.config import MAX_L, MOLECULES, PRESETS, TARGETS

orders = st.sets(st.integers(1, MAX_L)).map(lambda ls: (0, *sorted(ls)))
configs = st.builds(
    RunConfig,
    target=st.sampled_from(sorted(TARGETS)),
    reference=st.sampled_from(["mean", "composition"]),
    ls=orders,
    mul=st.integers(1, 64),
    gate=st.booleans(),
    lr=st.floats(1e-8, 1.0),
    seed=st.integers(0, 2**31),
)


@given(configs)
def test_a_configuration_survives_json(config):
    again = RunConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and again.run_id == config.run_id


@given(configs, configs)
def test_runs_share_a_folder_only_if_they_are_the_same(one, other):
    assert (one.run_id == other.run_id) == (one == other)


@given(configs)
def test_the_folder_is_a_plain_name_on_every_file_system(config):
    assert set(config.run_id) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert len(config.run_id) < 100


def test_the_same_value_in_another_type_is_the_same_run():
    """Notebooks write lists and whole numbers where a field holds a tuple and a float."""
    assert RunConfig(ls=[0, 1], cutoff=6) == RunConfig(ls=(0, 1), cutoff=6.0)
    assert RunConfig(ls=[0, 1], cutoff=6).run_id == RunConfig(ls=(0, 1), cutoff=6.0).run_id


def test_the_paper_preset_has_the_papers_settings():
    """Source: Lee, Galkin, Miret, arXiv 2410.08131, and its released configuration."""
    paper = RunConfig.preset("paper")
    assert (paper.num_train, paper.num_val, paper.num_test) == (104_665, 13_083, 13_083)
    assert paper.num_train + paper.num_val + paper.num_test == 130_831
    assert (paper.atom_dim, paper.num_basis, paper.num_blocks, paper.cutoff) == (64, 20, 5, 6.0)
    assert paper.degree_norm == 6.08275253  # the released number; the root of 37 differs in the sixth digit
    assert paper.degree_norm**2 == pytest.approx(37, abs=2e-4)
    assert (paper.lr, paper.weight_decay, paper.batch_size, paper.epochs) == (1e-3, 0.0, 32, 100)
    assert (paper.target, paper.reference, paper.graph) == ("U0_atom", "mean", "bonds")
    assert not paper.gate and paper.last_block == "all"


@pytest.mark.parametrize("preset", PRESETS)
def test_changes_go_before_the_preset(preset):
    assert RunConfig.preset(preset, seed=7) == RunConfig.preset(preset).but(seed=7)
    assert RunConfig.preset(preset, epochs=1).epochs == 1


def test_a_configuration_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        RunConfig().mul = 3


def test_a_run_may_draw_as_many_molecules_as_the_data_have(qm9):
    assert len(qm9) == MOLECULES
    assert RunConfig(num_train=MOLECULES - 20, num_val=10, num_test=10).num_train == 130_811


def test_unit_and_highest_order_follow():
    assert RunConfig(target="alpha").unit == "bohr^3"
    assert RunConfig(ls=(0, 3, 4)).lmax == 4


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"ls": (1, 2)}, ValueError, r"ls must rise from 0 .*\(1, 2\)"),
        ({"ls": ()}, ValueError, r"ls must rise from 0"),
        ({"ls": (0, 2, 1)}, ValueError, r"ls must rise .*\(0, 2, 1\)"),
        ({"ls": (0, 1, 1)}, ValueError, r"ls must rise .*without repeats"),
        ({"ls": (0, 12)}, ValueError, r"ls may go up to 11"),
        ({"ls": "0,1"}, TypeError, r"ls must be a tuple such as \(0, 1\), got '0,1'"),
        ({"terms": "dipole"}, TypeError, r"terms must be a tuple such as \('a', 'b'\), got 'dipole'"),
        ({"terms": ("foo",)}, ValueError, r"unknown term 'foo'"),
        ({"terms": ("dipole",)}, ValueError, r"term_weights must hold one number.*\('dipole',\), got \(\)"),
        ({"num_train": 130_000}, ValueError, r"there are 130831 molecules, .* asks for 133000"),
        ({"ls": 2}, TypeError, r"ls must be whole numbers .*got 2"),
        ({"ls": (0, 1.5)}, TypeError, r"ls must be whole numbers"),
        ({"ls": (0, True)}, TypeError, r"ls must be whole numbers"),
        ({"mul": 0}, ValueError, r"mul must be at least 1, got 0"),
        ({"epochs": 0}, ValueError, r"epochs must be at least 1"),
        ({"batch_size": -1}, ValueError, r"batch_size must be at least 1, got -1"),
        ({"num_train": 0}, ValueError, r"num_train must be at least 1"),
        ({"mul": 2.5}, TypeError, r"mul must be a whole number, got 2.5"),
        ({"mul": True}, TypeError, r"mul must be a whole number, got True"),
        ({"mul": "16"}, TypeError, r"mul must be a whole number, got '16'"),
        ({"gate": 1}, TypeError, r"gate must be True or False, got 1"),
        ({"lr": 0.0}, ValueError, r"lr must be positive"),
        ({"lr": float("nan")}, ValueError, r"lr must be positive and finite, got nan"),
        ({"cutoff": float("inf")}, ValueError, r"cutoff must be positive and finite"),
        ({"seed": -1}, ValueError, r"seed must not be negative"),
        ({"weight_decay": float("nan")}, ValueError, r"weight_decay must not be negative"),
        ({"target": "U0_atoms"}, ValueError, r"unknown target 'U0_atoms'; did you mean 'U0_atom'"),
        ({"target": 3}, TypeError, r"target must be text, got 3"),
        ({"graph": "bond"}, ValueError, r"graph must be 'bonds' or 'radius', got 'bond'"),
        ({"reference": ["mean"]}, ValueError, r"reference must be 'mean' or 'composition'"),
    ],
    ids=str,
)
def test_what_no_run_can_be_is_refused_in_one_line(changes, error, says):
    with pytest.raises(error, match=says) as caught:
        RunConfig(**changes)
    assert "\n" not in str(caught.value)
    with pytest.raises(error, match=says):
        RunConfig().but(**changes)


def test_unknown_names_get_the_nearest_ones():
    with pytest.raises(ValueError, match=r"unknown run parameter 'epoch'; did you mean 'epochs'"):
        RunConfig.from_dict({"epoch": 3})
    with pytest.raises(ValueError, match=r"unknown preset 'quik'; did you mean 'quick'"):
        RunConfig.preset("quik")
    with pytest.raises(
        ValueError, match=r"unknown preset 'zzz'; known: nequip, painn, paper, quick, se3_transformer, segnn, smoke"
    ):
        RunConfig.preset("zzz")
