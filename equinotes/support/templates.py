"""Sentences of the pages: templates beside the notebooks, filled with numbers.

A template (`notebooks/templates/<name>.md`) holds Jinja macros, one for each passage; its parameters are the numbers that the
passage states, and a table is a list of its rows. Python computes the numbers, the template holds the words.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound

from equinotes.support.errors import UserError, unknown
from equinotes.support.repository import find_root
from equinotes.support.text import change_of, listed, markdown_table, orders_name, percent, set_name, spread_text

FOLDER = Path("notebooks", "templates")
FILTERS: dict[str, Callable[..., str]] = {
    "percent": percent,
    "change": change_of,
    "listed": listed,
    "orders": orders_name,
    "comma": "{:,}".format,
    "fixed": lambda value, digits=3: f"{value:.{digits}f}",
    "signed": lambda value, digits=2: f"{value:+z.{digits}f}".replace("-", "−"),
    "short": lambda value, digits=2: f"{value:.{digits}g}",
    "share": lambda value: f"{value:.0%}",
    "general": lambda value: f"{value:g}",
    "unit": lambda unit: unit.replace("^2", "²").replace("^3", "³"),
    "unbroken": lambda text: str(text).replace(" ", "\u00a0"),
    "sentence": lambda text: text[:1].upper() + text[1:],
    "minute": lambda date: datetime.fromisoformat(date).strftime("%Y-%m-%d %H:%M"),
    "moment": lambda date: datetime.fromisoformat(date).strftime("%Y-%m-%d at %H:%M:%S UTC"),
    "apart": lambda seconds: f"{abs(seconds):.0f} s {'after' if seconds > 0 else 'before'}"
    if abs(seconds) < 120 else f"{abs(seconds) / 60:.0f} min {'after' if seconds > 0 else 'before'}",
}  # fmt: skip
"""How a template writes a value."""


@cache
def _environment(root: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(root / FOLDER), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False, extensions=["jinja2.ext.do"],
    )  # fmt: skip
    environment.filters |= FILTERS
    environment.globals |= {"table": markdown_table, "set_name": set_name, "spread": spread_text}
    return environment


def sentences(name: str) -> Callable[..., str]:
    """The passages of a template: a function of a passage's name and its numbers, which gives Markdown.

    Raises FileNotFoundError for an unknown template, ValueError for an unknown passage (with the nearest), TypeError for numbers
    that the passage does not take, jinja2's UndefinedError for one that it lacks.

    >>> sentences("first")("sureness", numbers={})
    'no evidence'
    """
    try:
        module = _environment(find_root()).get_template(f"{name}.md").module
    except TemplateNotFound as error:
        raise FileNotFoundError(f"no template {FOLDER / name}.md") from error

    def fill(passage: str, **numbers: Any) -> str:
        if not hasattr(module, passage):
            known = [one for one in dir(module) if not one.startswith("_")]
            raise UserError(unknown(f"passage of {name}.md", passage, known))
        return str(getattr(module, passage)(**{name: _rows(value) for name, value in numbers.items()})).strip()

    return fill


def _rows(value: Any) -> Any:
    return value.to_dict("records") if hasattr(value, "columns") else value


def between_marks(page: str, text: str, name: str = "result") -> str:
    """A page with a text between its two marks of this name; ValueError where the marks are missing.

    >>> between_marks("a <!-- result -->old<!-- /result --> b", "new")
    'a <!-- result -->new<!-- /result --> b'
    """
    before, mark, rest = page.partition(f"<!-- {name} -->")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not (mark and end):
        raise UserError(f"no <!-- {name} --> ... <!-- /{name} --> in this page")
    return before + mark + text + end + after
