"""Typed text to values: what is accepted, in which type it comes back, and what is refused."""

import ast
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinotes.support.values import check, parse, type_of


def hint_of(annotation, default=None):
    return type_of(ast.parse(annotation, mode="eval").body if annotation else None, default)


@pytest.mark.parametrize(
    ("annotation", "default", "hint"),
    [
        ("int", 4, int),
        ("float | None", None, float | None),
        ("list[int]", [], list[int]),
        ("tuple[int, ...]", (), tuple[int, ...]),
        ("list", [0, 1], list[int]),
        ("tuple", ("a",), tuple[str, ...]),
        ("list", [0, "a"], list),
        ("Literal['a', 'b']", "a", Literal["a", "b"]),
        ("Path", "x", None),
        ("'int'", 1, None),
        (None, True, bool),
        (None, [0.5], list[float]),
        (None, None, None),
    ],
)
def test_a_parameters_cell_is_read_as_python_reads_it(annotation, default, hint):
    assert hint_of(annotation, default) == hint


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [
        ("3", int, 3),
        ("-3", int, -3),
        ("3", float, 3.0),
        ("1e-3", float, 1e-3),
        ("True", bool, True),
        ("no", bool, False),
        ("3", str, "3"),
        ("None", int | None, None),
        ("7", int | None, 7),
        ("b", Literal["a", "b"], "b"),
        ("0,1,2", list[int], [0, 1, 2]),
        ("(0, 1, 2)", tuple[int, ...], (0, 1, 2)),
        ("0-3", tuple[int, ...], (0, 1, 2, 3)),
        ("4", list[int], [4]),
        ("", list[int], []),
        ("a, 'b'", list[str], ["a", "b"]),
        ("1,2.5", list[float], [1.0, 2.5]),
        ("[[0, 1], [0, 2]]", list[list[int]], [[0, 1], [0, 2]]),
        ("[(0, 1), (0, 2)]", list[tuple[int, ...]], [(0, 1), (0, 2)]),
        ("[1, 'a']", None, [1, "a"]),
        ("words", None, "words"),
    ],
)
def test_a_text_becomes_a_value_of_the_announced_type(text, hint, value):
    found = parse("x", text, hint)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "hint", "says"),
    [
        ("3.5", int, "x must be a whole number, got '3.5'"),
        ("three", int, "x must be a whole number, got 'three'"),
        ("True", int, "x must be a whole number, got 'True'"),
        ("many", float, "x must be a number, got 'many'"),
        ("maybe", bool, "x must be True or False, got 'maybe'"),
        ("0,a", list[int], "x must be whole numbers such as 0,1,2, got '0,a'"),
        ("3-1", tuple[int, ...], "x must be whole numbers such as 0,1,2, got '3-1'"),
        ("c", Literal["a", "b"], "x must be 'a' or 'b', got 'c'"),
        ("x", int | None, "x must be a whole number or None, got 'x'"),
    ],
)
def test_a_text_of_another_type_is_refused_in_one_line(text, hint, says):
    with pytest.raises(ValueError, match="x must be") as caught:
        parse("x", text, hint)
    assert str(caught.value) == says


@given(st.lists(st.integers(-1000, 1000)))
def test_lists_of_numbers_may_be_written_as_python_writes_them_or_without_brackets(values):
    assert parse("x", str(values), list[int]) == values
    assert parse("x", ",".join(map(str, values)), list[int]) == values


@pytest.mark.parametrize(
    ("value", "hint"), [(True, int), (1, bool), ("1", int), (1.0, int), ([0, "a"], list[int]), (None, int), ("ab", list[str])]
)
def test_values_of_another_type_are_refused(value, hint):
    with pytest.raises(TypeError, match="x must be"):
        check("x", value, hint)


def test_a_whole_number_may_stand_for_a_float_and_a_list_for_a_tuple():
    assert check("x", 3, float) == 3.0 and isinstance(check("x", 3, float), float)
    assert check("x", [0, 1], tuple[int, ...]) == (0, 1)
    assert check("x", None, int | None) is None
