"""Chapters keep their form: a question and what it needs at the start, what was learnt and where to go on at the end."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from equinotes.support.templates import sentences

ROOT = Path(__file__).parents[2]
THEORY = [*sorted((ROOT / "book" / "theory").glob("*.md")), ROOT / "book" / "paper.md"]
LESSONS = [path for part in ("0[1-9]", "1[0-3]") for path in sorted((ROOT / "notebooks").glob(f"{part}_*.ipynb"))]
LEADS = ["Question", "Goals", "Prerequisites", "Time"]


def text_of(path: Path) -> str:
    """A page, or the text cells of a notebook."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")


def figures_of(path: Path) -> set[str]:
    if path.suffix == ".md":
        return set(re.findall(r"^:name: (fig-\S+)", path.read_text(), flags=re.MULTILINE))
    cells = nbformat.read(path, 4).cells
    return {cell.metadata["mystnb"]["figure"]["name"] for cell in cells if "figure" in cell.metadata.get("mystnb", {})}


@pytest.mark.parametrize("path", [*THEORY, *LESSONS, ROOT / "book" / "your_network.md"], ids=lambda path: path.stem)
def test_a_chapter_opens_with_its_question_and_closes_with_what_was_learnt(path):
    text = text_of(path)
    opening = text.split("\n\n")[1:]
    quoted = next(part for part in opening if part.startswith(">"))
    assert re.findall(r"> \*\*(\w+)\.\*\*", quoted) == LEADS
    closing = [text.find(words) for words in ("## Takeaways", "## Pitfalls", "**Next.**" if path.suffix != ".md" else "## Next")]
    assert -1 not in closing and closing == sorted(closing)


@pytest.mark.parametrize("path", THEORY, ids=lambda path: path.stem)
def test_theory_has_pictures_that_say_what_they_show(path):
    shown = re.findall(r":::\{figure\} /book/(\S+)\n(?::.*\n)*?:alt: (.+)", path.read_text())
    assert shown
    for place, words in shown:
        assert (ROOT / "book" / place).is_file() and len(words) > 60


@pytest.mark.parametrize("path", [*THEORY, *LESSONS, ROOT / "book" / "your_network.md"], ids=lambda path: path.stem)
def test_numbered_figures_are_cited_where_they_stand(path):
    text = text_of(path)
    assert [name for name in figures_of(path) if f"{{numref}}`{name}`" not in text] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_code_fits_the_page_and_hidden_cells_do_not_stack(path):
    cells = nbformat.read(path, 4).cells
    shown = [cell for cell in cells if cell.cell_type == "code" and "remove-input" not in cell.metadata.get("tags", [])]
    lines = [line for cell in shown for line in cell.source.splitlines()]
    assert [line for line in lines if len(line) > 90] == []
    hidden = ["hide-input" in cell.metadata.get("tags", []) for cell in cells]
    assert not any(one and next_ for one, next_ in pairwise(hidden))


def test_theory_stands_before_its_notebook_and_conventions_in_the_reference():
    contents = (ROOT / "_toc.yml").read_text()
    order = [
        "theory/groups",
        "theory/harmonics",
        "01_",
        "theory/products",
        "02_",
        "book/paper",
        "0[3-5]_",
        "Reference",
        "conventions",
    ]
    places = [contents.find(entry) for entry in order]
    assert -1 not in places and places == sorted(places)


@pytest.mark.parametrize(("clear", "said"), [(True, "worse"), (False, "not clearly different")])
def test_a_change_is_called_worse_only_where_it_is_clear(clear, said):
    changes = pd.DataFrame({"l": [3], "mean_eV": [0.04], "low_eV": [-0.003], "high_eV": [0.105], "clear": [clear]})
    assert f"**{said}**" in sentences("lessons")("use_and_need", used=["$l=1$"], most=None, changes=changes, dead=0.8)
