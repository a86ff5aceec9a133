"""Typed text to values: what is accepted, in which type it comes back, and what is refused."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinotes.support.errors import UserError, UserTypeError
from equinotes.support.values import bounded, check, describe, parse, type_of


@pytest.mark.parametrize(
    ("annotation", "default", "hint"),
    [
        ("int", 4, int),
        ("list[int]", [], list[int]),
        ("list[list[int]]", [], list[list[int]]),
        ("list", [0, 1], list[int]),
        ("tuple", ("a",), tuple[str, ...]),
        ("list", [0, "a"], list),
        ("Path", "x", None),
        (None, True, bool),
        (None, [0.5], list[float]),
        (None, None, None),
    ],
)
def test_an_annotation_is_read_as_python_reads_it(annotation, default, hint):
    assert type_of(annotation, default) == hint


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
    assert check("x", [0, 1], tuple[int, ...]) == check("x", range(2), tuple[int, ...]) == (0, 1)


@given(st.floats(allow_nan=False))
def test_no_digit_of_a_number_is_lost(value):
    """A run's name hashes its numbers."""
    assert check("x", value, float) == value == parse("x", repr(value), float)


ORDER, ORDERS, COUNT = bounded(int, 0, 11), bounded(list[int], 0, 11), bounded(int, 1, None)


@pytest.mark.parametrize(
    ("value", "hint", "says"),
    [
        (-1, ORDER, "x must be a whole number from 0 to 11, got -1"),
        (12, ORDER, "x must be a whole number from 0 to 11, got 12"),
        (0, COUNT, "x must be a whole number of at least 1, got 0"),
        ([0, 12], ORDERS, "x must be whole numbers from 0 to 11 such as 0,1,2, got [0, 12]"),
        (0.5, bounded(float, 0.6, 1), "x must be a number from 0.6 to 1, got 0.5"),
        ("c", Literal["a", "b"], "x must be 'a' or 'b', got 'c'"),
    ],
)
def test_values_out_of_range_are_refused_in_one_line_with_the_range(value, hint, says):
    with pytest.raises(UserError) as caught:
        check("x", value, hint)
    assert str(caught.value) == says and not isinstance(caught.value, TypeError)
    with pytest.raises(UserError, match=f"x must be {describe(hint)}"):
        parse("x", str(value), hint)


@pytest.mark.parametrize(("value", "hint"), [("3", ORDER), (True, ORDER), (3, ORDERS), ([0, "a"], ORDERS)])
def test_a_range_does_not_excuse_another_type(value, hint):
    with pytest.raises(UserTypeError, match="x must be"):
        check("x", value, hint)


@given(st.lists(st.integers(0, 11)))
def test_both_ends_of_a_range_belong_to_it(values):
    assert check("x", values, ORDERS) == parse("x", ",".join(map(str, values)), ORDERS) == values
