"""`{notebook-parameters}`: a table of the parameters of every notebook, read from the notebooks themselves."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from equinotes.book.parameters import RANGE, REGISTRY, Parameter, parameters_of, title_of

FEW = 6
"""Names of a registry that are all listed; of more, the first ones and where the registry is."""
HEAD = ["| name | meaning | default | allowed | type | cost |", "|:--|:--|:--|:--|:--|:--|"]

COSTS = {
    "time in proportion, of training": ("epochs", "num_train", "seeds", "drop", "lmax_values"),
    "time in proportion": ("molecules", "sample", "tested"),
    "steep: paths grow with the cube of the orders": ("ls",),
    "seconds: functions grow with the square": ("lmax",),
    "time and memory in proportion or more": ("mul",),
    "seconds (smoke) to days (paper)": ("preset",),
    "a new seed trains anew": ("seed",),
    "seconds (harmonics) to a minute (wavelets)": ("basis",),
    "none": ("molecule", "knn", "k", "layer", "chiral", "block", "reference", "model", "target", "network", "results_dir"),
    "another value trains anew": ("term", "coefficient"),
    "none; another folder trains anew": ("runs_dir",),
}  # fmt: skip
"""What a larger or another value costs, by the names of parameters, which mean the same in every notebook."""


def cost_of(name: str) -> str:
    """What raising or changing a parameter costs; ExtensionError where nobody has said it yet."""
    for cost, names in COSTS.items():
        if name in names:
            return cost
    raise ExtensionError(f"no cost is stated for the parameter {name!r}: add it to COSTS in book/_ext/notebook_parameters.py")


def allowed(parameter: Parameter) -> str:
    """The range that ends the help of a parameter; of a registry, the names, or the first ones and the registry itself."""
    stated = RANGE.search(parameter.help)
    if stated is None:
        return "any"
    place = stated["choices"] or ""
    if not REGISTRY.fullmatch(place):
        return stated[0].strip("()")
    names = [f"`{name}`" for name in get_args(parameter.hint)]
    if len(names) <= FEW:
        return f"one of {'; '.join(names)}"
    return f"one of {'; '.join(names[:FEW])} and {len(names) - FEW} more: {{py:data}}`~{place}`"


def row_of(parameter: Parameter) -> str:
    """A parameter as a row of a Markdown table; the range that ends its help has a column of its own.

    >>> row_of(Parameter("lmax", "int", int, 4, "highest order (0 to 11)"))
    '| `lmax` | highest order | `4` | 0 to 11 | int | seconds: functions grow with the square |'
    """
    stated = RANGE.search(parameter.help)
    meaning = parameter.help[: stated.start()].strip() if stated else parameter.help
    name, kind = parameter.name, parameter.annotation or "any"
    return f"| `{name}` | {meaning} | `{parameter.default!r}` | {allowed(parameter)} | {kind} | {cost_of(name)} |"


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
