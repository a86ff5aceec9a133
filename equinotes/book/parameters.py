"""Find and read notebooks and their parameters."""

import ast
import pkgutil
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, get_args

import nbformat

from equinotes.support.errors import UserError, check_names, unknown
from equinotes.support.files import write_atomically
from equinotes.support.values import bounded, parse, type_of

if TYPE_CHECKING:
    from papermill.models import Parameter as Read

FOLDERS = ("exercises", "solutions")
"""Folders of exercise notebooks, below that of the chapters."""
PARAMETERS = "parameters"
"""Tag of the cell whose assignments are a notebook's parameters."""
FORM = "name: type = value  # help, with int, float, bool, str or list[...] as type"
RANGE = re.compile(
    r"\((?:each )?(?:(?P<low>-?[\d.]+) to (?P<high>-?[\d.]+)|at least (?P<least>-?[\d.]+)|one of (?P<choices>[^()]+))\)$"
)
"""How the help of a parameter ends when values have a range: `(0 to 11)`, `(at least 1)`, `(one of quick, paper)`, or
`(one of equinotes.comparison.rows.ROWS)` for the names in a registry of the package. Both ends belong to a range. For a list it
holds for each item, and may be written `(each 0 to 11)`."""
REGISTRY = re.compile(r"equinotes(?:\.[a-z]\w*)+\.[A-Z][A-Z_]*")
"""How a registry of the package is named: its module and its own name."""


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell, such as `lmax: int = 4  # highest order drawn (0 to 11)`."""

    name: str
    annotation: str | None
    """Its type as it is written; None where none is."""
    hint: Any
    """Its type, with the range that the help ends in; None: any value."""
    default: Any
    help: str

    def __str__(self) -> str:
        kind = "" if self.annotation is None else f": {self.annotation}"
        return f"{self.name}{kind} = {self.default!r}"

    @property
    def explained(self) -> str:
        """The help, with the names in a registry where it says which registry.

        >>> Parameter("kind", "str", Literal["a", "b, c"], "a", "kind (one of equinotes.some.NAMES)").explained
        'kind (one of a; b, c)'
        """
        stated = RANGE.search(self.help)
        if stated is None or not REGISTRY.fullmatch(stated["choices"] or ""):
            return self.help
        return f"{self.help[: stated.start('choices')]}{'; '.join(get_args(self.hint))})"


def notebooks_folder() -> Path:
    """Folder of the book's notebooks: beside the package, or in the current folder; FileNotFoundError if neither exists."""
    for folder in (Path(__file__).parents[2] / "notebooks", Path("notebooks")):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        "no folder 'notebooks' beside the package or here; change to the book's folder or give a notebook's path"
    )


def list_notebooks() -> list[Path]:
    """The book's notebooks, sorted by number."""
    return sorted(path for path in notebooks_folder().glob("*.ipynb") if not path.name.startswith("."))


def list_exercises(folder: str = "exercises") -> list[Path]:
    """The exercise notebooks, sorted by number; with `folder="solutions"`, those with solutions."""
    return sorted(path for path in (notebooks_folder() / folder).glob("*.ipynb") if not path.name.startswith("."))


def name_of(path: Path) -> str | None:
    """What `equinotes run` calls a notebook of the book: `01_spherical_harmonics`, `exercises/01_groups`; None for any other."""
    folder, path = notebooks_folder().resolve(), path.resolve()
    if path.is_relative_to(folder) and (path.parent == folder or path.parent.name in FOLDERS):
        return path.relative_to(folder).with_suffix("").as_posix()
    return None


def find_notebook(name: str | Path) -> Path:
    """A notebook by its path, its name (`01_spherical_harmonics`), its number or its name without the number.

    Exercise notebooks go by `exercises/01_groups` or `exercises/01`, and by name where no chapter has it; those with solutions by
    `solutions/01_groups`. Raises FileNotFoundError with the nearest names.
    """
    if Path(name).suffix == ".ipynb" and Path(name).is_file():
        return Path(name)
    wanted, folder = Path(name).name.removesuffix(".ipynb"), Path(name).parent.name
    chapters, exercises = list_notebooks(), list_exercises()
    for path in list_exercises(folder) if folder in FOLDERS else [*chapters, *exercises]:
        number, _, title = path.stem.partition("_")
        if wanted in (path.stem, title) or (wanted in (number, number.lstrip("0")) and (folder in FOLDERS or path in chapters)):
            return path
    names = [path.stem for path in chapters] + [f"exercises/{path.stem}" for path in exercises]
    raise FileNotFoundError(unknown("notebook", str(name), names))


def copy_of(path: Path) -> Path:
    """Where the executed copy of a notebook goes by default: `executed/01_spherical_harmonics.ipynb`."""
    return Path("executed", f"{name_of(path) or path.stem}.ipynb")


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """The notebook in this file; UserError if the file is damaged."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, ValueError, AttributeError, KeyError, TypeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} is damaged or not a notebook: {reason[:120]}") from error
    return notebook


def write_notebook(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook atomically."""
    text = nbformat.writes(notebook) + "\n"
    write_atomically(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def title_of(path: Path) -> str:
    """The first heading of a notebook, or its name where it has none."""
    text = "\n".join(cell.source for cell in read_notebook(path).cells if cell.cell_type == "markdown")
    heading = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    return heading[1].strip() if heading else path.stem


def seconds_of(path: Path) -> float | None:
    """Seconds that a notebook took when it was last executed here, by `equinotes run` or for the book; None if it was not."""
    copies = [copy_of(path), path.resolve().parents[1] / "_executed" / path.name]
    for copy in sorted(filter(Path.is_file, copies), key=lambda copy: copy.stat().st_mtime, reverse=True):
        seconds = read_notebook(copy).metadata.get("papermill", {}).get("duration")
        if seconds is not None:
            return float(seconds)
    return None


def parameters_of(path: Path) -> dict[str, Parameter]:
    """The parameters of a notebook, in the order of its cell tagged `parameters`, as papermill reads that cell.

    A comment that ends in `(0 to 11)`, `(at least 1)` or `(one of quick, paper)` states which values are allowed, both ends
    included; `(each 0 to 11)` states it for the items of a list, `(one of equinotes.comparison.rows.ROWS)` for the names in a
    registry of the package.

    Raises UserError where the cell is not valid Python, assigns a name in a way that papermill does not read, or names a registry
    that the package does not have.
    """
    cell = next((cell for cell in read_notebook(path).cells if PARAMETERS in cell.metadata.get("tags", [])), None)
    if cell is None:
        return {}
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError as error:
        raise UserError(f"the parameters cell of {path} is not valid Python: {error}") from error
    from papermill.translators import PythonTranslator  # half a second to import

    parameters = {each.name: _parameter(each) for each in PythonTranslator.inspect(cell)}
    assigned = [node.id for node in statements for node in ast.walk(node) if _is_assigned(node)]
    if unread := [name for name in assigned if name not in parameters]:
        raise UserError(f"the parameters cell of {path} must assign {unread[0]} in the form {FORM}")
    return parameters


def _is_assigned(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _parameter(read: "Read") -> Parameter:
    annotation = None if read.inferred_type_name == "None" else read.inferred_type_name
    try:
        default = ast.literal_eval(read.default)
        hint = type_of(annotation, default)
    except (ValueError, SyntaxError):  # not a literal
        default, hint = read.default, type_of(annotation, None)
    return Parameter(read.name, annotation, _in_range(hint, read.help), default, read.help)


def _in_range(hint: Any, help: str) -> Any:
    """The type, with the range that ends the help of a parameter.

    >>> from equinotes.support.values import describe
    >>> describe(_in_range(int, "highest order (0 to 11)"))
    'a whole number from 0 to 11'
    """
    stated = RANGE.search(help)
    if hint is None or stated is None:
        return hint
    if stated["choices"]:
        return Literal[names_in(stated["choices"])]
    low, high = (None if text is None else ast.literal_eval(text) for text in (stated["least"] or stated["low"], stated["high"]))
    return bounded(hint, low, high)


def names_in(choices: str) -> tuple[str, ...]:
    """The values that `one of ...` allows: those that are written there, or the names in a registry of the package.

    >>> names_in("smoke, quick or paper"), names_in("equinotes.config.TARGETS")[:2]
    (('smoke', 'quick', 'paper'), ('U0_atom', 'U_atom'))
    """
    if not REGISTRY.fullmatch(choices):
        return tuple(re.split(r", | or ", choices))
    try:
        return tuple(pkgutil.resolve_name(choices))
    except (ImportError, AttributeError) as error:
        raise UserError(f"a parameter is one of {choices}, which the package does not have: {error}") from error


def check_known(path: Path, names: Sequence[str], known: Mapping[str, Parameter]) -> None:
    """UserError for a name that is no parameter of the notebook, with the nearest ones."""
    if names and not known:
        raise UserError(f"{path.name} has no parameter {names[0]!r}: this notebook has no cell tagged `{PARAMETERS}`")
    check_names(f"parameter of {path.stem}", names, known)


def parse_parameters(path: Path, assignments: Sequence[str]) -> dict[str, Any]:
    """`["lmax=3", "ls=0,1,2"]` as values of the notebook's types.

    Raises UserError for a text without `=`, an unknown name (with the nearest ones), and a value of another type or out of range.
    """
    known = parameters_of(path)
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip()
        if not equals:
            raise UserError(f"a parameter is written name=value, got {assignment!r}")
        check_known(path, [name], known)
        values[name] = parse(name, text, known[name].hint)
    return values
