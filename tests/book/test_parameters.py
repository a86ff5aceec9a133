"""Parameters of notebooks: read from their cell, held to their types and ranges, before anything runs."""

import re
import shlex
from typing import get_args

import nbformat
import pytest

from equinotes.book.notebooks import rerun_command, run_notebook
from equinotes.book.parameters import find_notebook, list_notebooks, parameters_of, parse_parameters, read_notebook
from equinotes.config import RunConfig
from equinotes.training.terms import control_of


def test_the_parameters_cell_says_names_types_defaults_and_help(demo):
    found = parameters_of(demo)
    assert [str(parameter) for parameter in found.values()] == [
        "lmax: int = 4",
        "ls: list[int] = [0, 1]",
        "name: str = 'demo'",
        "what = ''",
    ]
    assert [parameter.help for parameter in found.values()] == [
        "highest order drawn (0 to 11)", "orders (each 0 to 11)", "a word", ""
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "error", "says"),
    [
        ({"lmx": 3}, ValueError, r"unknown parameter of 07_demo 'lmx'; did you mean 'lmax'"),
        ({"lmax": "3"}, TypeError, r"lmax must be a whole number from 0 to 11, got '3'"),
        ({"lmax": True}, TypeError, r"lmax must be a whole number from 0 to 11, got True"),
        ({"lmax": 12}, ValueError, r"lmax must be a whole number from 0 to 11, got 12"),
        ({"ls": [0, -1]}, ValueError, r"ls must be whole numbers from 0 to 11 such as 0,1,2, got \[0, -1\]"),
        ({"ls": 3}, TypeError, r"ls must be whole numbers from 0 to 11 such as 0,1,2, got 3"),
        ({"ls": (0, "a")}, TypeError, r"ls must be whole numbers"),
        ({"name": 3}, TypeError, r"name must be text, got 3"),
    ],
)
def test_unknown_names_and_wrong_types_are_refused_before_anything_runs(demo, parameters, error, says):
    with pytest.raises(error, match=says):
        run_notebook(demo, parameters, progress=False)
    assert [path.name for path in demo.parent.iterdir()] == ["07_demo.ipynb"]


def test_the_command_in_the_header_gives_the_same_parameters(demo):
    given = {"lmax": 3, "ls": [0, 2, 5], "name": "a b", "what": "it's = $HOME"}
    words = shlex.split(rerun_command(demo, given))
    assert words[:3] == ["equinotes", "run", str(demo)]
    assert parse_parameters(demo, words[4::2]) == given
    with pytest.raises(ValueError, match="name=value, got 'lmax'"):
        parse_parameters(demo, ["lmax"])


def test_a_notebook_without_parameters_says_so(demo):
    notebook = read_notebook(demo)
    del notebook.cells[1]
    nbformat.write(notebook, demo)
    says = r"07_demo.ipynb has no parameter 'lmax': this notebook has no cell tagged `parameters`"
    with pytest.raises(ValueError, match=says):
        parse_parameters(demo, ["lmax=3"])
    with pytest.raises(ValueError, match=says):
        run_notebook(demo, {"lmax": 3}, progress=False)


@pytest.mark.parametrize(
    "line", ["x: tuple[int, ...] = (0, 1)", "x: int | None = None", "x: int = 1  # with = in its help", "x, y = 1, 2"]
)
def test_a_parameter_that_papermill_does_not_read_is_refused_not_dropped(demo, line):
    demo.write_text(demo.read_text().replace('what = \\"\\"', line))
    with pytest.raises(
        ValueError, match=rf"parameters cell of .*07_demo.ipynb must assign {line[:1]}\w* in the form name: type = value"
    ):
        parameters_of(demo)


@pytest.mark.parametrize(
    ("line", "good", "bad", "says"),
    [
        ("x: int = 3  # count (at least 1)", [1, 10**9], [0], "a whole number of at least 1"),
        ("x: float = 0.5  # share (0.25 to 0.75)", [0.25, 0.75], [0.2, 0.8], "a number from 0.25 to 0.75"),
        ('x: str = "a"  # kind (one of a, b)', ["a", "b"], ["c", ""], "'a' or 'b'"),
        (
            'x: str = "0-2"  # network (one of equinotes.audit.protocols.strategies.runs.NETWORKS)',
            ["0-2", "0-4, gated"],
            ["0-3"],
            "'0-2' or '0-2, gated' or '0-4' or '0-4, gated'",
        ),
        (
            "x: list[int] = [0]  # orders (each -1 to 2)",
            [[], [-1, 2]],
            [[3], [0, -2]],
            "whole numbers from -1 to 2 such as 0,1,2",
        ),
        ("x: int = 3  # a count (of what is there)", [-5], [], ""),
    ],
)
def test_a_help_that_ends_in_a_range_is_held_to(demo, line, good, bad, says):
    notebook = read_notebook(demo)
    notebook.cells[1].source = line
    nbformat.write(notebook, demo)
    for value in good:
        assert parse_parameters(demo, [shlex.split(rerun_command(demo, {"x": value}))[-1]]) == {"x": value}
    for value in bad:
        with pytest.raises(ValueError, match=re.escape(f"x must be {says}, got {value!r}")):
            run_notebook(demo, {"x": value}, progress=False)


@pytest.mark.parametrize(
    ("chapter", "given", "says"),
    [
        ("13", "term=banana", "unknown term 'banana'; known: adversarial, anisotropy"),
        ("13", "term=dipoles", "unknown term 'dipoles'; did you mean 'dipole'"),
        ("13", "term=feature_l2", "unknown term 'feature_l2'; did you mean 'weight_l2'"),
        ("13", "network=0-3", "network must be '0-2' or '0-2, gated' or"),
        ("14", "basis=cartesians", "unknown basis 'cartesians'; did you mean 'cartesian'"),
    ],
)
def test_a_name_that_no_registry_has_stops_before_anything_runs(chapter, given, says, monkeypatch):
    monkeypatch.setattr("equinotes.book.notebooks._execute", None)
    name, _, value = given.partition("=")
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_parameters(find_notebook(chapter), [given])
    with pytest.raises(ValueError, match=re.escape(says)):
        run_notebook(find_notebook(chapter), {name: value}, progress=False)


def test_every_term_that_the_chapter_may_try_has_a_control_that_trains_there():
    parameter = parameters_of(find_notebook("13"))["term"]
    for term in get_args(parameter.hint):
        for name in (term, control_of(term)):
            assert RunConfig(gate=True, terms=(name,), term_weights=(1.0,)).terms == (name,)


@pytest.mark.parametrize("registry", ["equinotes.training.terms.TERM", "equinotes.training.nothing.TERMS"])
def test_a_registry_that_the_package_does_not_have_is_named(demo, registry):
    notebook = read_notebook(demo)
    notebook.cells[1].source = f'x: str = "a"  # kind (one of {registry})'
    nbformat.write(notebook, demo)
    with pytest.raises(ValueError, match=f"one of {registry}, which the package does not have"):
        parameters_of(demo)


def outside(parameter):
    """Values just below and just above the range that ends a parameter's help."""
    stated = re.search(r"(?:(\d+) to (\d+)|at least (\d+))\)$", parameter.help)
    low, high, least = map(int, stated.groups(-1)) if stated else (0, -1, -1)
    numbers = [low - 1, high + 1] if high >= 0 else [least - 1] if least >= 0 else []
    return [[number] for number in numbers] if "(each" in parameter.help else numbers


@pytest.mark.parametrize("path", list_notebooks(), ids=lambda path: path.stem)
def test_values_out_of_range_stop_before_anything_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equinotes.book.notebooks._execute", None)
    for name, parameter in parameters_of(path).items():
        is_number = parameter.annotation in ("int", "list", "list[int]", "float")
        assert bool(outside(parameter)) == is_number, f"{name} states no range"
        for value in outside(parameter):
            with pytest.raises(
                ValueError, match=rf"{name} must be .*(from \d+ to \d+|of at least \d+).*, got {re.escape(repr(value))}"
            ):
                run_notebook(path, {name: value}, progress=False)
            with pytest.raises(ValueError, match=f"{name} must be"):
                parse_parameters(path, [f"{name}={value}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "parameters", "says"),
    [
        ("01", {"molecule": 58}, "molecule 58 is left out"),
        ("06", {"chiral": 58}, "molecule 58 is left out"),
        ("08", {"results_dir": "nowhere"}, "results_dir: there is no folder nowhere"),
    ],
)
def test_what_is_not_there_stops_before_anything_runs(number, parameters, says, qm9, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equinotes.book.notebooks._execute", None)
    with pytest.raises(ValueError, match=says):
        run_notebook(number, parameters, progress=False)
    assert list(tmp_path.iterdir()) == []
