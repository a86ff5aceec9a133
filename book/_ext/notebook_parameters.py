"""`{notebook-parameters}`: a table of the parameters of every notebook, read from the notebooks themselves."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from equinotes.book.parameters import RANGE, Parameter, parameters_of, title_of

HEAD = ["| name | type | default | allowed | meaning |", "|:--|:--|:--|:--|:--|"]


def row_of(parameter: Parameter) -> str:
    """A parameter as a row of a Markdown table; the range that ends its help has a column of its own.

    >>> row_of(Parameter("lmax", "int", int, 4, "highest order (0 to 11)"))
    '| `lmax` | int | `4` | 0 to 11 | highest order |'
    """
    stated = RANGE.search(parameter.help)
    meaning = parameter.help[: stated.start()].strip() if stated else parameter.help
    allowed = stated[0].strip("()") if stated else "any"
    return f"| `{parameter.name}` | {parameter.annotation or 'any'} | `{parameter.default!r}` | {allowed} | {meaning} |"


def tables_of(notebooks: Iterable[Path]) -> list[str]:
    """MyST lines: a title and a table for each notebook that has parameters."""
    lines: list[str] = []
    for path in notebooks:
        if known := parameters_of(path):
            lines += [f":::{{rubric}} {path.stem[:2]} {title_of(path)}", ":::", ""]
            lines += [f"{{doc}}`/_executed/{path.stem}`", "", *HEAD, *map(row_of, known.values()), ""]
    return lines


class NotebookParameters(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        notebooks = sorted(Path(self.env.app.srcdir, "notebooks").glob("*.ipynb"))
        for path in notebooks:
            self.env.note_dependency(str(path))
        container = nodes.container()
        self.state.nested_parse(StringList(tables_of(notebooks), source="notebooks"), 0, container)
        return container.children


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("notebook-parameters", NotebookParameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
