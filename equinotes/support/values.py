"""User input: parsing text into typed values, and checking values against declared types."""

import ast
import re
import types
from typing import Any, Literal, Union, get_args, get_origin

from equinotes.config import unknown

_ALLOWED = {"int": int, "float": float, "bool": bool, "str": str, "list": list, "tuple": tuple, "Literal": Literal, "None": None}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def type_of(annotation: ast.expr | None, default: Any) -> Any:
    """The type named by an annotation, or else the type of the default. None if it is not supported.

    >>> type_of(ast.parse("tuple[int, ...] | None", mode="eval").body, None)
    tuple[int, ...] | None
    >>> type_of(None, [0, 1])
    list[int]
    """
    hint = type(default) if annotation is None and default is not None else _named(annotation)
    if hint in (list, tuple) and isinstance(default, list | tuple):
        kinds = {type(item) for item in default}
        inner: Any = kinds.pop() if len(kinds) == 1 else None
        if inner in (int, float, str):
            return list[inner] if hint is list else tuple[inner, ...]
    return hint


def _named(annotation: ast.expr | None) -> Any:
    if annotation is None:
        return None
    try:
        hint = eval(compile(ast.Expression(annotation), "<annotation>", "eval"), {"__builtins__": {}}, _ALLOWED)
    except (NameError, TypeError, AttributeError):
        return None
    return None if isinstance(hint, str) else hint


def describe(hint: Any) -> str:
    """A type in words.

    >>> describe(list[int]), describe(float | None), describe(Literal["a", "b"])
    ('whole numbers such as 0,1,2', 'a number or None', "'a' or 'b'")
    """
    if get_origin(hint) in (types.UnionType, Union):
        return " or ".join(describe(inner) for inner in get_args(hint))
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) in (list, tuple):
        inner = _item(hint)
        many = {int: "whole numbers such as 0,1,2", float: "numbers such as 0.5,1", str: "words such as a,b"}
        return many.get(inner, f"a list, each item {describe(inner)}")
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "text", list: "a list", tuple: "a tuple"}
    return "None" if hint in (None, type(None)) else words.get(hint, "any value")


def parse(name: str, text: str, hint: Any) -> Any:
    """The value written in a text, in the declared type; raises ValueError stating what is expected.

    Brackets of lists are optional, and `0-4` is an ascending range.

    >>> parse("ls", "0,2-4", tuple[int, ...]), parse("gate", "yes", bool), parse("knn", "none", int | None)
    ((0, 2, 3, 4), True, None)
    >>> parse("sets", "[[0, 1], [0, 2]]", list[list[int]])
    [[0, 1], [0, 2]]
    """
    try:
        return check(name, _value(text.strip(), hint), hint)
    except (ValueError, SyntaxError, TypeError):
        raise ValueError(f"{name} must be {describe(hint)}, got {text!r}") from None


def check(name: str, value: Any, hint: Any) -> Any:
    """The value in the declared type; integers are accepted as floats, and lists as tuples.

    Raises TypeError with a one-line message otherwise.
    """
    found = _fit(value, hint)
    if found is _MISFIT:
        raise TypeError(f"{name} must be {describe(hint)}, got {value!r}")
    return found


def check_names(kind: str, names: list[str], known: list[str]) -> None:
    """Raise ValueError for the first unknown name, with the nearest known ones."""
    for name in names:
        if name not in known:
            raise ValueError(unknown(kind, name, known))


_MISFIT = object()


def _fit(value: Any, hint: Any) -> Any:
    if hint is None or get_origin(hint) in (types.UnionType, Union):
        inner = get_args(hint)
        return value if not inner else next((fit for one in inner if (fit := _fit(value, one)) is not _MISFIT), _MISFIT)
    if get_origin(hint) is Literal:
        return value if value in get_args(hint) else _MISFIT
    if (get_origin(hint) or hint) in (list, tuple):
        if not isinstance(value, list | tuple):
            return _MISFIT
        items = [_fit(item, _item(hint)) for item in value]
        return _MISFIT if any(item is _MISFIT for item in items) else (get_origin(hint) or hint)(items)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool) else _MISFIT


def _item(hint: Any) -> Any:
    inner = [one for one in get_args(hint) if one is not Ellipsis]
    return inner[0] if inner else None


def _value(text: str, hint: Any) -> Any:
    if get_origin(hint) in (types.UnionType, Union):
        if text.lower() == "none" and type(None) in get_args(hint):
            return None
        hint = next(one for one in get_args(hint) if one is not type(None))
    if hint is str or (get_origin(hint) is Literal and text in get_args(hint)):
        return text
    if hint is bool:
        return _BOOLEANS.get(text.lower(), text)
    if hint in (int, float):
        return hint(text)
    if (get_origin(hint) or hint) in (list, tuple) and not re.search(r"[\[(].*[\[(]", text):
        parts = [part.strip().strip("'\"") for part in text.strip("[]()").split(",")]
        return [item for part in parts if part for item in _items(part, _item(hint))]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if hint is None:
            return text
        raise


def _items(part: str, hint: Any) -> list[Any]:
    if hint is int and (span := re.fullmatch(r"(\d+)-(\d+)", part)):
        first, last = map(int, span.groups())
        if first >= last:
            raise ValueError(part)
        return list(range(first, last + 1))
    return [_value(part, hint) if hint is not None else ast.literal_eval(part)]
