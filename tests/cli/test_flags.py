"""Flags of the command line are the fields of RunConfig, and help comes without heavy imports."""

import subprocess
import sys
from dataclasses import fields
from typing import get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinotes import RunConfig
from equinotes.audit.protocol import PROTOCOLS
from equinotes.cli import commands
from equinotes.cli import main as cli
from equinotes.cli.flags import config_of, configs_of, field_docs
from equinotes.config import MAX_L
from equinotes.training.terms import TERMS

SMOKE = RunConfig.preset("smoke")


HEAVY = {
    "torch",
    "e3nn",
    "pandas",
    "scipy",
    "sklearn",
    "rdkit",
    "phate",
    "matplotlib",
    "seaborn",
    "papermill",
    "dask",
    "distributed",
}


def parsed(name, *words):
    command = getattr(commands, name.capitalize())
    return cli._parse(name, command, list(words), commands.start_of(command, words))


def flags_of(values):
    words = []
    for name, value in values.items():
        flag = f"--{name.replace('_', '-')}"
        if name == "ls":
            words += [flag, ",".join(map(str, value))]
        elif isinstance(value, bool):
            words += [flag] * value
        else:
            words += [flag, str(value)]
    return words


@settings(max_examples=25)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "ls": st.sets(st.integers(1, MAX_L)).map(lambda ls: (0, *sorted(ls))),
            "mul": st.integers(1, 64),
            "lr": st.floats(1e-8, 1.0),
            "graph": st.sampled_from(["bonds", "radius"]),
            "gate": st.booleans(),
            "target": st.sampled_from(["gap", "U0_atom"]),
            "split_seed": st.integers(0, 99),
        },
    ),
    st.sampled_from([None, "smoke", "paper"]),
)
def test_flags_go_before_the_preset_and_the_preset_before_the_defaults(changes, preset):
    words = flags_of(changes) + (["--preset", preset] if preset else [])
    wanted = RunConfig.preset(preset, **changes) if preset else RunConfig(**changes)
    assert config_of(parsed("train", *words).config) == wanted


def test_a_sweep_takes_every_combination_once():
    words = ["--preset", "smoke", "--ls", "0,1", "0-2", "0-1", "--seed", "0", "1", "--gate", "True", "False"]
    found = configs_of(parsed("sweep", *words).config)
    wanted = [SMOKE.but(ls=ls, seed=seed, gate=gate) for ls in [(0, 1), (0, 1, 2)] for gate in (True, False) for seed in (0, 1)]
    assert sorted(config.run_id for config in found) == sorted(config.run_id for config in wanted)


def test_every_field_is_a_flag_with_its_own_words(equinotes):
    assert field_docs().keys() == {field.name for field in fields(RunConfig)}
    for command in ("train", "sweep"):
        code, out, _ = equinotes(command, "--help")
        text = " ".join(word for line in out for word in line.strip("│ ").split())
        assert code == 0
        assert "Orders kept, 0 and any up to 11:" in text and MAX_L == 11
        assert f"Names: {', '.join(TERMS)}." in text
        for name, doc in field_docs().items():
            assert f"--{name.replace('_', '-')}" in text
            assert " ".join(doc.split("[")[0].split(".")[0].split()) in text


@pytest.mark.parametrize(
    ("flag", "readers"),
    [
        ("--heads", ["se3_transformer"]),
        ("--pooling", ["se3_transformer", "segnn"]),
        ("--attribute-lmax", ["segnn"]),
        ("--m-max", ["paper"]),
        ("--mul", []),
    ],
)
def test_help_names_the_networks_that_read_a_flag(flag, readers):
    """A network that does not read a field refuses it, so help says which one does."""
    hints = get_type_hints(commands.OneConfig, include_extras=True)
    (said,) = (each.help for each in hints[flag[2:].replace("-", "_")].__metadata__ if hasattr(each, "help"))
    assert said.endswith(f" Networks that read it: {', '.join(readers)}.") if readers else "Networks that read it" not in said


@pytest.mark.parametrize("command", ["audit", "results"])
def test_help_names_the_protocols(equinotes, command):
    text = " ".join(word for line in equinotes(command, "--help")[1] for word in line.strip("│ ").split())
    assert all(name in text.split("--protocol", 1)[1] for name in PROTOCOLS)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help_with_an_example(equinotes, command):
    code, out, err = equinotes(command, "--help")
    assert code == 0 and err == []
    assert out[0].startswith(f"usage: equinotes {command}")
    examples = [line.split() for line in out if line.startswith("$ ")]
    assert examples and all(words[1:3] == ["equinotes", command] for words in examples)
    if command != "run":  # whose example names a notebook
        for words in examples:
            parsed(command, *words[3:])


def test_help_imports_nothing_heavy():
    """Asked one after another in one process, where what one of them loads stays. Lists of commands need no tyro."""
    asked = [[], ["--help"], ["--version"], *([name, "--help"] for name in cli.COMMANDS)]
    code = f"""
import sys
from equinotes.cli.main import main
for words in {asked!r}:
    try:
        main(words)
    except SystemExit:
        pass
    print("MODULES", *{{name.partition(".")[0] for name in sys.modules}})
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = [set(line.split()) for line in said.splitlines() if line.startswith("MODULES")]
    assert len(loaded) == len(asked) > 3
    for words, modules in zip(asked, loaded, strict=True):
        assert modules & HEAVY == set(), words
        assert "equinotes" in modules and ("tyro" in modules) == (len(words) == 2), words
