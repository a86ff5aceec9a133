"""Typed values: pydantic converts and checks them, and errors say in one line what would be right."""

import ast
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from equinotes.support.errors import UserError, UserTypeError, unknown

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_TYPES = {"int": int, "float": float, "bool": bool, "str": str, "list": list, "tuple": tuple}
_FEW = 6
"""Choices that an error lists one by one; of more, it names the nearest."""
_OUT_OF_RANGE = {"literal_error", "greater_than_equal", "less_than_equal"}


def type_of(annotation: str | None, default: Any) -> Any:
    """The type that an annotation names; without one, the type of the default. None: any value.

    >>> type_of("list[int]", []), type_of("list", [0.5]), type_of(None, 3)
    (list[int], list[float], <class 'int'>)
    """
    if annotation is None:
        hint = None if default is None else type(default)
    else:
        try:
            hint = eval(annotation, {"__builtins__": {}}, _TYPES)
        except (NameError, TypeError, SyntaxError):
            return None
    if hint in (list, tuple) and isinstance(default, list | tuple):
        kinds = {type(item) for item in default}
        if len(kinds) == 1 and kinds <= {int, float, str}:
            return list[kinds.pop()] if hint is list else tuple[kinds.pop(), ...]  # type: ignore[misc]
    return hint


def bounded(hint: Any, low: float | None, high: float | None) -> Any:
    """The type with bounds (both included, None for no bound); those of a list hold for each of its items.

    >>> check("lmax", 99, bounded(int, 0, 11))
    Traceback (most recent call last):
    equinotes.support.errors.UserError: lmax must be a whole number from 0 to 11, got 99
    """
    from annotated_types import Interval

    if get_origin(hint) is list:
        return list[bounded(_item(hint), low, high)]  # type: ignore[misc]
    return Annotated[hint, Interval(ge=low, le=high)]


def describe(hint: Any) -> str:
    """A type in words.

    >>> describe(list[int]), describe(float), describe(Literal["a", "b"]), describe(bounded(int, 1, None))
    ('whole numbers such as 0,1,2', 'a number', "'a' or 'b'", 'a whole number of at least 1')
    """
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) is Annotated:
        return f"{describe(get_args(hint)[0])} {_bounds(hint)}"
    if get_origin(hint) in (list, tuple):
        item = _item(hint)
        if get_origin(item) is Annotated:
            return describe(list[get_args(item)[0]]).replace(" such", f" {_bounds(item)} such")  # type: ignore[misc]
        many = {int: "whole numbers such as 0,1,2", float: "numbers such as 0.5,1", str: "words such as a,b"}
        return many.get(item, f"a list, each item {describe(item)}")
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "text", list: "a list", tuple: "a tuple"}
    return words.get(hint, "any value")


def parse(name: str, text: str, hint: Any) -> Any:
    """The value that a text stands for, in the given type. Raises UserError that says what would be right.

    Brackets of lists are optional, and `0-4` is an ascending range. Of many choices an error names the nearest.

    >>> parse("ls", "0,2-4", tuple[int, ...]), parse("gate", "yes", bool)
    ((0, 2, 3, 4), True)
    >>> parse("sets", "[[0, 1], [0, 2]]", list[list[int]])
    [[0, 1], [0, 2]]
    """
    text = text.strip()
    is_list = (get_origin(hint) or hint) in (list, tuple)
    try:
        if hint is None or (is_list and (_item(hint) is None or re.search(r"[\[(].*[\[(]", text))):
            return check(name, _literal(text, hint), hint)
        return _adapter(hint).validate_python(_items(text, _item(hint)) if is_list else text)
    except (ValueError, SyntaxError):
        raise UserError(_wrong(name, text, hint)) from None


def check(name: str, value: Any, hint: Any) -> Any:
    """The value in the given type; a whole number may stand for a float, and any sequence for a list or tuple.

    Raises UserTypeError for a value of another type, UserError for one out of range, both in one line.
    """
    if hint is None or (type(value) is hint and hint in (int, float, bool, str)):
        return value
    try:  # as JSON, which has one kind of sequence: otherwise strict checks refuse a list for a tuple
        return _adapter(hint).validate_json(json.dumps(value, default=list), strict=True)
    except (ValueError, TypeError) as error:  # pydantic's are ValueErrors
        kinds = {each["type"] for each in error.errors()} if hasattr(error, "errors") else {""}
        kind = UserError if kinds <= _OUT_OF_RANGE else UserTypeError
        raise kind(_wrong(name, value, hint, in_python=True)) from None


_EXAMPLES = {
    tuple[int, ...]: "a tuple such as (0, 1)",
    tuple[float, ...]: "a tuple such as (0.5, 1.0)",
    tuple[str, ...]: "a tuple such as ('a', 'b')",
}
"""What is right in Python where a text was given as it would be written on the command line."""


def _wrong(name: str, value: Any, hint: Any, *, in_python: bool = False) -> str:
    """One line: what was found, and what would be right."""
    if get_origin(hint) is Literal and len(get_args(hint)) > _FEW and isinstance(value, str):
        return unknown(name, value, get_args(hint))
    if in_python and isinstance(value, str) and (example := _EXAMPLES.get(hint)):
        return f"{name} must be {example}, got {value!r}"
    return f"{name} must be {describe(hint)}, got {value!r}"


@cache
def _adapter(hint: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(hint)


def _item(hint: Any) -> Any:
    return next(iter(get_args(hint)), None)


def _bounds(hint: Any) -> str:
    interval = get_args(hint)[1]
    return f"of at least {interval.ge}" if interval.le is None else f"from {interval.ge} to {interval.le}"


def _literal(text: str, hint: Any) -> Any:
    try:
        return ast.literal_eval(text if hint is None or text[:1] in ("[", "(") else f"[{text}]")
    except (ValueError, SyntaxError):
        if hint is None:
            return text
        raise


def _items(text: str, item: Any) -> list[Any]:
    parts = [part.strip().strip("'\"") for part in text.strip("[]()").split(",")]
    return [value for part in parts if part for value in _range(part, item)]


def _range(part: str, item: Any) -> list[Any]:
    is_int = item is int or int in get_args(item)
    if is_int and (span := re.fullmatch(r"(\d+)-(\d+)", part)):
        first, last = map(int, span.groups())
        return list(range(first, last + 1)) or [part]  # one that falls is refused, as the text that it is
    return [part]
