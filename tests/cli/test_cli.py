"""The command line: flags are the fields of RunConfig, errors are one line, and help comes without heavy imports."""

import re
import subprocess
import sys
from dataclasses import fields
from typing import get_type_hints

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from equinotes import RunConfig, list_runs, train
from equinotes.audit.protocol import PROTOCOLS
from equinotes.cli import commands, estimates
from equinotes.cli import main as cli
from equinotes.cli.flags import config_of, configs_of, field_docs
from equinotes.config import MAX_L
from equinotes.support.errors import NotFinite, TaskFailed, UserError, UserTypeError
from equinotes.support.repository import find_root
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


@pytest.fixture
def equinotes(capsys):
    """Call the command; returns its exit code and the lines that it wrote to stdout and stderr."""

    def call(*words):
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as end:  # after --help
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return call


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


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tran"], r"unknown command 'tran'; did you mean 'train'"),
        (["train", "--mull", "3"], r"unrecognized options: --mull, 3; did you mean --mul\?; see equinotes train --help"),
        (["train", "--mul", "x"], r"--mul: a whole number is needed, got 'x'"),
        (["train", "--lr", "x"], r"--lr: a number is needed, got 'x'"),
        (["train", "--epochs", "2.5"], r"--epochs: a whole number is needed, got '2.5'"),
        (["sweep", "--epochs", "2.5"], r"--epochs does not take '2.5': a whole number is needed"),
        (["sweep", "--lr", "x"], r"--lr does not take 'x': a number is needed"),
        (["sweep", "--workers", "-2"], r"workers must be at least 1, got -2"),
        (["sweep", "--dry-run", "--scheduler", "foo"], r"the address of a Dask scheduler must have the form tcp://.*, got 'foo'"),
        (["sweep", "--device", "gpu"], r"unknown device 'gpu'"),
        (["audit", "check", "U0_atom", "--device", "gpu"], r"unknown device 'gpu'"),
        (["run", "01", "--out", "x.txt"], r"an executed notebook is written as .ipynb, .*got 'x.txt'"),
        (["train", "--ls", "a"], r"ls must be whole numbers such as 0,1,2, got 'a'"),
        (["train", "--ls"], r"missing value for argument '--ls'"),
        (["train", "--graph", "bond"], r"invalid choice 'bond' .*'bonds', 'radius'"),
        (["train", "--terms", "foo"], r"unknown term 'foo'; known: adversarial, "),
        (["train", "--preset", "quik"], r"unknown preset 'quik'; did you mean 'quick'"),
        (["train", "--preset"], r"unknown preset ''; known: nequip, painn, paper, quick, se3_transformer, segnn, smoke"),
        (["train", "more"], r"unrecognized options: more"),
        (["sweep", "--seed"], r"--seed needs at least one value"),
        (["sweep", "--mul", "3", "x"], r"--mul does not take '3', 'x'"),
        (["sweep", "--gate", "maybe"], r"invalid choice 'maybe'"),
        (["data", "--molecule", "x"], r"--molecule does not take 'x'"),
        (["results", "--compare", "0,1"], r"--compare takes two sets of orders, got 1"),
        (["results", "--compare", "0,1", "0,x"], r"--compare 0,x: ls must be whole numbers such as 0,1,2, got '0,x'"),
        (["results", "--compare", "0:12", "0,1:b"], r"--compare 0,1:b: mul must be a whole number, got 'b'"),
        (["results", "--compare", "0:12", "0,1"], r"--compare takes channels of both sets or of none, such as 0:12 0,1:8"),
        (["results", "--protocol", "second"], r"only --stored takes --protocol, got --protocol second"),
        (["results", "--stored", "--protocol", "second2"], r"unknown protocol 'second2'; did you mean 'second'"),
        (["run", "1", "2"], r"unrecognized options: 2"),
    ],
)
@pytest.mark.parametrize("box", [True, False], ids=["box", "plain"])
def test_what_is_not_understood_is_told_in_one_line(equinotes, tmp_path, monkeypatch, words, says, box):
    """Whatever the terminal: tyro draws boxes where it can."""
    monkeypatch.setattr("tyro._fmtlib._FORCE_UTF8_BOXES", box)
    if words[0] == "results":
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "config.json").write_text("{}")
        words = [*words, "--runs-dir", tmp_path]
    code, out, err = equinotes(*words)
    assert code == 2 and out == []
    (line,) = err
    assert re.match(f"equinotes: .*{says}", line)


def raising(error):
    def run(self):
        raise error

    return run


@pytest.mark.parametrize("error", [ValueError, TypeError, RuntimeError, KeyError, AssertionError, FloatingPointError])
def test_a_fault_of_the_program_shows_its_traceback(equinotes, monkeypatch, error):
    monkeypatch.setattr(commands.Book, "run", raising(error("a fault")))
    with pytest.raises(error, match="a fault"):
        equinotes("book")


@pytest.mark.parametrize("error", [UserError, UserTypeError, TaskFailed, NotFinite, FileNotFoundError])
def test_an_error_for_the_user_is_one_line(equinotes, monkeypatch, error):
    monkeypatch.setattr(commands.Book, "run", raising(error("the jobs must be 2, got 3")))
    assert equinotes("book") == (2, [], ["equinotes: the jobs must be 2, got 3"])


def test_ctrl_c_says_how_to_go_on(equinotes, monkeypatch):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands.Book, "run", interrupted)
    code, _, err = equinotes("book")
    assert code == 130 and err[-1] == "stopped; nothing is lost: the same command continues"


def test_a_file_that_the_system_refuses_is_told_without_numbers(equinotes, monkeypatch, tmp_path):
    def refused(self):
        (tmp_path / "nowhere" / "x").write_text("")

    monkeypatch.setattr(commands.Book, "run", refused)
    assert equinotes("book") == (2, [], [f"equinotes: No such file or directory: {tmp_path}/nowhere/x"])


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_error(monkeypatch, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    code = "import sys; from equinotes.cli.main import main; sys.exit(main(['data']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 0


def test_data_shows_counts_and_units(equinotes):
    """Counts: Ramakrishnan et al. 2014 less the molecules that fail the consistency check."""
    code, out, _ = equinotes("data")
    assert code == 0 and "130,831 molecules, 2,359,210 atoms" in out[0]
    rows = {line.split()[0]: line.split()[1:] for line in out[3:]}
    assert rows["U0_atom"][:3] == ["eV", "-76.1160", "10.3237"]
    assert rows["alpha"][0] == "bohr^3"


def test_data_shows_a_molecule_by_its_number(equinotes):
    """QM9's first molecule is methane."""
    code, out, _ = equinotes("data", "--molecule", 1)
    assert code == 0 and out[0] == "QM9 molecule 1: CH4, C"
    assert sum(line.split()[1:2] == ["H"] for line in out) == 4 and "  bonds: 0-1, 0-2, 0-3, 0-4" in out


def test_train_results_and_sweep_on_one_run_store(equinotes, tmp_path, qm9):
    for seed in (0, 1):
        train(SMOKE.but(seed=seed, ls=(0,)), device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    code, out, err = equinotes("train", "--preset", "smoke", "--ls", "0", "--seed", "1", "--runs-dir", tmp_path)
    assert (code, err) == (0, []) and out[0] == str(tmp_path / SMOKE.but(seed=1, ls=(0,)).run_id)
    assert "mae_eV" in out[1] and "mse_eV2" in out[1]
    code, out, err = equinotes("train", "--preset", "smoke", "--runs-dir", tmp_path)
    assert code == 0 and len(list_runs(tmp_path)) == 3

    code, out, err = equinotes("sweep", "--preset", "smoke", "--ls", "0", "--seed", "0", "1", "--runs-dir", tmp_path)
    assert code == 0 and err == ["runs: 2, complete: 2"] and len(out) == 3
    code, out, err = equinotes("sweep", "--preset", "smoke", "--seed", "0", "5", "--runs-dir", tmp_path, "--dry-run")
    assert code == 0 and err[0] == "runs: 2, complete: 1" and out == [SMOKE.run_id, SMOKE.but(seed=5).run_id]
    assert re.fullmatch(r"left: 1, about \d+ s of training, one run after another", err[1])

    code, out, _ = equinotes("results", "--runs-dir", tmp_path)
    assert code == 0 and len(out) == 4 and out[0].split()[:2] == ["ls", "mul"]
    code, out, _ = equinotes("results", "--runs-dir", tmp_path, "--compare", "0", "0,1")
    assert code == 0 and out[1].split()[:2] == ["test_mae_eV", "1"]
    assert "low, high   interval of the difference at 95 % (Student's t over the pairs)" in out
    code, out, _ = equinotes("results", "--runs-dir", tmp_path, "--export", tmp_path / "all.csv")
    assert code == 0 and len(pd.read_csv(tmp_path / "all.csv")) == 3


@pytest.mark.parametrize("protocol", [None, "second", "networks", "strategies"])
def test_stored_runs_are_those_of_the_protocol_that_is_named(equinotes, protocol):
    folder = {None: "audit", "second": "protocol2"}.get(protocol, protocol)
    stored = pd.read_parquet(find_root() / "results" / folder / "runs.parquet")
    code, out, _ = equinotes("results", "--stored", *([] if protocol is None else ["--protocol", protocol]))
    assert code == 0 and len(out) == 1 + stored["run_id"].nunique()


def test_the_time_of_a_sweep_is_judged_by_runs_that_cost_the_same(tmp_path, monkeypatch):
    trained = [(SMOKE, 10.0), (SMOKE.but(seed=1), 30.0), (SMOKE.but(seed=2, epochs=4), 40.0), (SMOKE.but(mul=8), 100.0)]
    monkeypatch.setattr(estimates, "_trained", lambda runs_dir: trained)
    assert estimates.training_time([SMOKE.but(seed=7, lr=1.0)], tmp_path) == "about 20 s of training, one run after another"
    asked = [SMOKE.but(num_train=640, epochs=1), SMOKE.but(mul=8, seed=3), SMOKE.but(ls=(0, 2))]
    said = "about 3 min of training, one run after another; no stored run tells how long 1 of them take"
    assert estimates.training_time(asked, tmp_path) == said
    assert estimates.training_time([SMOKE.but(ls=(0, 2))], tmp_path) == "no stored run tells how long 1 of them take"


def test_a_sweep_with_a_failed_run_ends_with_code_1(equinotes, tmp_path, monkeypatch):
    from importlib import import_module

    outcome = pd.DataFrame({"run_id": ["a"], "status": ["failed"], "error": ["out of luck"], "path": [tmp_path / "a"]})
    monkeypatch.setattr(import_module("equinotes.sweeps.sweep"), "sweep", lambda *_, **__: outcome)
    code, _, err = equinotes("sweep", "--preset", "smoke", "--runs-dir", tmp_path)
    assert code == 1 and err[-1] == "1 of 1 runs did not finish; the same command tries them again"


def test_run_lists_notebooks_and_their_parameters(equinotes):
    code, out, _ = equinotes("run")
    assert code == 0 and any(line.startswith("01_spherical_harmonics ") for line in out)
    listed = equinotes("run", "01", "--list")
    assert listed == equinotes("run", "spherical_harmonics", "--help")
    assert listed[0] == 0 and any("lmax: int = " in line for line in listed[1])
    assert any(line.split()[0] == "exercises/01_groups" for line in out)


def test_run_says_that_a_notebook_has_no_parameters(equinotes, tmp_path):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), tmp_path / "a.ipynb")
    code, out, _ = equinotes("run", tmp_path / "a.ipynb", "--list")
    assert code == 0 and out[-1] == "  this notebook has no cell tagged `parameters`"


def executed(path, *, seconds=None):
    """A notebook as papermill leaves it."""
    cells = [
        nbformat.v4.new_markdown_cell("# A page\n\nwith $l=1$"),
        nbformat.v4.new_code_cell("secret = 1", metadata={"tags": ["remove-cell"]}),
        nbformat.v4.new_code_cell("hidden = 1", metadata={"tags": ["remove-input"]}),
        nbformat.v4.new_code_cell("shown = 1"),
    ]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"papermill": {"duration": seconds}}), path)
    return path


def test_run_says_how_long_a_notebook_took_here(equinotes, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = equinotes("run")[1]
    executed(tmp_path / "executed" / "01_spherical_harmonics.ipynb", seconds=32.4)
    after = equinotes("run")[1]
    assert after[0].endswith(" Spherical harmonics (32 s)") and after[1:] == before[1:]
    assert equinotes("run", "01", "--list")[1][0] == after[0]


@pytest.mark.parametrize("opens", [True, False])
@pytest.mark.parametrize("flag", ["--html", "--open"])
def test_run_writes_a_page_that_needs_no_network(equinotes, monkeypatch, tmp_path, flag, opens):
    from equinotes.book import notebooks

    shown = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address) or opens)
    monkeypatch.setattr(notebooks, "run_notebook", lambda path, values, *, out: executed(out))
    code, out, err = equinotes("run", "01", flag, "--out", tmp_path / "x.ipynb")
    page = tmp_path / "x.html"
    assert code == 0 and out == [f"wrote {tmp_path / 'x.ipynb'}", f"wrote {page}"]
    assert shown == ([page.as_uri()] if flag == "--open" else [])
    assert err == ([f"no browser found; open {page.as_uri()}"] if shown and not opens else [])
    soup = BeautifulSoup(page.read_text(), "html.parser")
    assert not soup.select("script[src], link[href^=http], img[src^=http]")
    assert [script for script in soup.find_all("script") if re.search(r"import\(\"http", script.text)] == []
    said = soup.body.text
    assert "shown" in said and "secret" not in said and "hidden" not in said
    configuration, mathjax = (script.text for script in soup.head.find_all("script")[:2])
    assert 'inlineMath: [["$", "$"]' in configuration and "mjx-container" in mathjax


def test_run_gives_typed_values_to_the_notebook(equinotes, monkeypatch, tmp_path):
    from equinotes.book import notebooks

    asked = []

    def run_notebook(path, values, *, out):
        asked.append((path.stem, values, out))
        return out

    monkeypatch.setattr(notebooks, "run_notebook", run_notebook)
    code, out, _ = equinotes("run", "02", "-p", "ls=0,1", "-p", "molecule=1", "--out", tmp_path / "x.ipynb")
    assert code == 0 and out == [f"wrote {tmp_path / 'x.ipynb'}"]
    assert asked == [("02_equivariant_convolution", {"ls": [0, 1], "molecule": 1}, tmp_path / "x.ipynb")]
