"""Notebooks for students, made from those with solutions: `python -m equinotes.exercises.notebooks`.

In a solution, the lines between `### BEGIN SOLUTION` and `### END SOLUTION` are the answer (the marks that nbgrader uses); the
student's notebook has a stub in their place, and no outputs.
"""

import copy
import re
from pathlib import Path

import nbformat

from equinotes.exercises.checking import EXERCISES
from equinotes.support.errors import UserError
from equinotes.support.repository import find_root

STUB = "# your code here\n{indent}raise NotImplementedError"
"""Stands in a function that is checked. In other cells an ellipsis does, so that running all cells goes on."""
ANSWER = re.compile(r"^(?P<indent> *)### BEGIN SOLUTION\n.*?### END SOLUTION$", re.DOTALL | re.MULTILINE)


def student_version(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with a stub in place of every answer, without outputs and without cells tagged `teacher`."""
    notebook = copy.deepcopy(notebook)
    notebook.cells = [cell for cell in notebook.cells if "teacher" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            stub = STUB if "\ncheck(" in cell.source else "...  # your code here"
            cell.source = ANSWER.sub(
                lambda found, stub=stub: found["indent"] + stub.format(indent=found["indent"]),  # type: ignore[misc]
                cell.source,
            )
    return notebook


def functions(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """Source of the cell that defines the answer to each exercise of a notebook, by the exercise's name."""
    found = {}
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for number, source in enumerate(sources):
        for name in re.findall(r'^check\("(\w+)"', source, flags=re.MULTILINE):
            if name not in EXERCISES:
                raise UserError(f'a notebook checks "{name}", which is no exercise')
            found[name] = source if "def " in source else sources[number - 1]
    return found


def write_student_notebooks(root: Path) -> list[Path]:
    """Write `notebooks/exercises` from `notebooks/solutions`; returns what was written."""
    written = []
    for path in sorted((root / "notebooks" / "solutions").glob("*.ipynb")):
        place = root / "notebooks" / "exercises" / path.name
        place.parent.mkdir(exist_ok=True)
        place.write_text(nbformat.writes(student_version(nbformat.read(path, 4))) + "\n", encoding="utf-8")
        written.append(place)
    return written


if __name__ == "__main__":
    for each in write_student_notebooks(find_root()):
        print(each)
