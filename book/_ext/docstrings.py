"""Read the package's docstrings as what they are: plain text with `names` in backticks, not reStructuredText markup."""

import re
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


def as_restructured_text(line: str) -> str:
    """The line with names as literals, and with signs that are plain text here kept from being markup.

    >>> print(as_restructured_text("edge `b` of [*batch, m], |r_b| in Angstrom"))
    edge ``b`` of [\\*batch, m], \\|r_b\\| in Angstrom
    """
    parts = LITERAL.split(line)
    parts[::2] = [re.sub(r"[*|]|(?<=\w)_(?!\w)", r"\\\g<0>", text) for text in parts[::2]]
    parts[1::2] = [f"`{text}`" if re.fullmatch(r"`[^`]+`", text) else text for text in parts[1::2]]
    return "".join(parts)


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
    lines[:] = [line if as_is else as_restructured_text(line) for line, as_is in zip(lines, verbatim(lines), strict=True)]
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
