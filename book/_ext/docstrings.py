"""Read the package's docstrings as what they are: plain text with `names` in backticks, not reStructuredText markup."""

import inspect
import pkgutil
import re
from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx

LITERAL = re.compile(r"(:[\w:]+:`[^`]+`|``.+?``|`[^`]+`)")
"""A role, a literal, or a name in single backticks."""

BLOCK = re.compile(r"\s*\.\. (math|code|code-block)::")
"""The first line of a block that is not text."""

ARRAY_LIKE = re.compile(r"~?[\w.]*_Buffer \| .*?_NestedSequence\[complex \| bytes \| str\]")
"""What numpy's ArrayLike stands for, which no reader asked for."""

NO_SOURCE = re.compile(r"<factory>|<function [\w.]+\.<lambda>>")
"""Defaults that a signature cannot show as they are written."""

COLON = "\ue000"
"""Stands for a colon while napoleon, which takes "Unit: text" for a type and its text, reads what describes a value."""


def as_restructured_text(line: str, target: Callable[[str], str | None] = lambda name: None) -> str:
    """The line with names as links to their `target` or, without one, as literals, and with signs that are plain text here kept
    from being markup.

    >>> print(as_restructured_text("edge `b` of [*batch, m], |r_b| in Angstrom"))
    edge ``b`` of [\\*batch, m], \\|r_b\\| in Angstrom
    >>> print(as_restructured_text("as `join`", {"join": "package.Part.join"}.get))
    as :py:obj:`join <package.Part.join>`
    """

    def marked(text: str) -> str:
        if not re.fullmatch(r"`[^`]+`", text):
            return text
        place = target(text[1:-1])
        return f"`{text}`" if place is None else f":py:obj:`{text[1:-1]} <{place}>`"

    parts = LITERAL.split(line)
    parts[::2] = [re.sub(r"[*|]|(?<=\w)_(?!\w)", r"\\\g<0>", text) for text in parts[::2]]
    parts[1::2] = [marked(text) for text in parts[1::2]]
    return "".join(parts)


def targets(name: str, obj: object) -> Callable[[str], str | None]:
    """Where names in the docstring of an object lead: to members of its class or module, and to what the module imports.

    Names of its own parameters lead nowhere, and plain words neither, which may be columns of a table.

    >>> found = targets("equinotes.networks.base.Layered.join", object)
    >>> found("block_paths"), found("Batch"), found("split")
    ('equinotes.networks.base.Network.block_paths', 'equinotes.data.batches.Batch', None)
    """
    try:
        own = set(inspect.signature(obj).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        own = set()
    parts = name.split(".")
    scopes = [_resolved(".".join(parts[:end])) for end in range(len(parts), 1, -1)]

    def target(text: str) -> str | None:
        if not re.fullmatch(r"[A-Za-z]\w*(\.\w+)*", text) or re.fullmatch("[a-z]+", text) or text.partition(".")[0] in own:
            return None
        places = (place_of(scope, text) for scope in scopes if inspect.isclass(scope) or inspect.ismodule(scope))
        found = next(filter(None, places), None)
        return None if found == name else found

    return target


def place_of(scope: object, text: str) -> str | None:
    """The full name of a class, a function or a member of a class of this package, from what it is called in a scope."""
    owner = found = scope
    for part in text.split("."):
        owner, found = found, getattr(found, part, inspect)
        if found is inspect:
            return None
    if inspect.isclass(found) or inspect.isfunction(found):
        place = f"{found.__module__}.{found.__qualname__}"
    elif inspect.isclass(owner):
        place = f"{owner.__module__}.{owner.__qualname__}.{text.rpartition('.')[2]}"
    else:
        return None
    return place if place.startswith("equinotes.") else None


def _resolved(name: str) -> object:
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        return None


def verbatim(lines: list[str]) -> list[bool]:
    """Which lines are not text: examples up to the next blank line, and blocks of formulas or code as far as they are indented.

    >>> verbatim(["Text:", "", ".. math:: a_{b}", "          + c_{d}", "", "more", ">>> f()"])
    [False, False, True, True, True, False, True]
    """
    found, in_example, block = [], False, None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        if block is None and BLOCK.match(line):
            block = indent
        in_example = line.lstrip().startswith(">>>") or (in_example and line.strip() != "")
        found.append(in_example or block is not None)
    return found


def before_napoleon(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    if lines and lines[0].startswith("Alias for field number"):  # of a named tuple's field that says nothing itself
        lines.clear()
    target = targets(name, obj)
    lines[:] = [line if as_is else as_restructured_text(line, target) for line, as_is in zip(lines, verbatim(lines), strict=True)]
    if what in ("attribute", "property", "data"):
        lines[:] = [line.replace(":", COLON) for line in lines]


def after_napoleon(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    lines[:] = [line.replace(COLON, ":") for line in lines]


def skip_constants(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Constants of modules are for readers of the source; the page of a module shows those that it names itself. Classes whose
    names happen to be capitals, such as QM9, are no constants.
    """
    return True if what == "module" and name.isupper() and not isinstance(obj, type) else None


def readable(signature: str) -> str:
    """A signature as its author would write it.

    >>> readable("(takes: ~collections.abc.Mapping = <factory>)")
    '(takes: ~collections.abc.Mapping = ...)'
    """
    return NO_SOURCE.sub("...", ARRAY_LIKE.sub("ArrayLike", signature))


def process_signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    return (readable(signature), returns) if signature else None


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", before_napoleon, priority=100)
    app.connect("autodoc-process-docstring", after_napoleon, priority=900)
    app.connect("autodoc-skip-member", skip_constants)
    app.connect("autodoc-process-signature", process_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
