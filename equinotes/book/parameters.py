"""Find and read notebooks, and the parameters that they announce."""

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from equinotes.config import unknown
from equinotes.support.files import write_atomically
from equinotes.support.values import check_names, parse, type_of

PARAMETERS = "parameters"
"""Tag of the cell whose assignments are a notebook's parameters."""


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell, such as `lmax: int = 4  # highest order drawn`."""

    name: str
    hint: Any
    """Its type; None where any value goes."""
    default: Any
    help: str

    def __str__(self) -> str:
        kind = "" if self.hint is None else f": {inspect.formatannotation(self.hint)}"
        return f"{self.name}{kind} = {self.default!r}"


def notebooks_folder() -> Path:
    """The book's notebooks: the folder beside the package, or here; FileNotFoundError where neither is there."""
    for folder in (Path(__file__).parents[2] / "notebooks", Path("notebooks")):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("no folder 'notebooks' beside the package or here; go to the book's folder or give a notebook's path")


def list_notebooks() -> list[Path]:
    """The book's notebooks, in their order."""
    return sorted(path for path in notebooks_folder().glob("*.ipynb") if not path.name.startswith("."))


def find_notebook(name: str | Path) -> Path:
    """A notebook by its path, its name (`01_spherical_harmonics`), its number or its name without the number.

    Raises FileNotFoundError with the nearest names.
    """
    if Path(name).suffix == ".ipynb" and Path(name).is_file():
        return Path(name)
    wanted = Path(name).name.removesuffix(".ipynb")
    known = {path.stem: path for path in list_notebooks()}
    for stem, path in known.items():
        number, _, title = stem.partition("_")
        if wanted in (stem, title, number, number.lstrip("0")):
            return path
    raise FileNotFoundError(unknown("notebook", str(name), list(known)))


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """The notebook in this file; ValueError in one line where it is damaged."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path} is damaged or no notebook: {reason[:120]}") from error
    return notebook


def write_notebook(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook, whole or not at all."""
    text = nbformat.writes(notebook) + "\n"
    write_atomically(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def title_of(path: Path) -> str:
    """The first heading of a notebook, or its name where it has none."""
    text = "\n".join(cell.source for cell in read_notebook(path).cells if cell.cell_type == "markdown")
    heading = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    return heading[1].strip() if heading else path.stem


def parameters_of(path: Path) -> dict[str, Parameter]:
    """The parameters of a notebook, in the order of its cell tagged `parameters`; ValueError where that cell is no Python."""
    cell = next((cell for cell in read_notebook(path).cells if PARAMETERS in cell.metadata.get("tags", [])), None)
    if cell is None:
        return {}
    try:
        statements = ast.parse(cell.source).body
        comments = _comments(cell.source)
    except (SyntaxError, tokenize.TokenError) as error:
        raise ValueError(f"the parameters cell of {path} is no valid Python: {error}") from error
    found = [_parameter(statement, comments) for statement in statements]
    return {parameter.name: parameter for parameter in found if parameter is not None}


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ").strip() for token in tokens if token.type == tokenize.COMMENT}


def _parameter(statement: ast.stmt, comments: Mapping[int, str]) -> Parameter | None:
    target: ast.expr
    annotation: ast.expr | None = None
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, annotation, value = statement.target, statement.annotation, statement.value
    elif isinstance(statement, ast.Assign):
        target, value = statement.targets[0], statement.value
    else:
        return None
    if not isinstance(target, ast.Name):
        return None
    try:
        default = ast.literal_eval(value)
        hint = type_of(annotation, default)
    except ValueError:
        default, hint = ast.unparse(value), type_of(annotation, None)
    return Parameter(target.id, hint, default, comments.get(statement.end_lineno or statement.lineno, ""))


def parse_parameters(path: Path, assignments: Sequence[str]) -> dict[str, Any]:
    """`["lmax=3", "ls=0,1,2"]` as values of the types that the notebook announces.

    Raises ValueError for a text without `=`, for an unknown name (with the nearest ones) and for a value of another type.
    """
    known = parameters_of(path)
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip()
        if not equals:
            raise ValueError(f"a parameter is written name=value, got {assignment!r}")
        check_names(f"parameter of {path.stem}", [name], list(known))
        values[name] = parse(name, text, known[name].hint)
    return values
