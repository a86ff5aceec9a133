"""Two directives: `quiz` shows the self-check of a chapter, `exercise-list` lists the exercises of all pages by chapter.

An exercise is a heading `### Exercise: TITLE` and below it a line `*LEVEL · MINUTES min*`, or with `check("NAME", ...)` and the
notebook that has its stub.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from equinotes.exercises.quiz import QUIZZES, quiz_html

PAGES = ("book/conventions.md", "book/theory/*.md", "book/*.md", "notebooks/*.ipynb")
HEADING = re.compile(
    r"^### Exercise: (?P<title>.+)\n+\*(?P<level>easy|medium|hard) · (?P<minutes>\d+) min"
    r"(?:\*| · code:\* `check\(\"(?P<name>\w+)\", \.\.\.\)` \*in\* `(?P<notebook>\w+\.ipynb)`)$",
    flags=re.MULTILINE,
)


class Listed(NamedTuple):
    """One exercise of a page."""

    title: str
    level: str
    minutes: int
    name: str | None
    """That of its checker, where it is code."""
    notebook: str | None


def text_of(page: Path) -> str:
    """The page in Markdown; of a notebook, its Markdown cells."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def exercises_in(text: str) -> list[Listed]:
    """Exercises of a page, in its order."""
    return [
        Listed(found["title"], found["level"], int(found["minutes"]), found["name"], found["notebook"])
        for found in HEADING.finditer(text)
    ]


def chapters(root: Path) -> Iterator[tuple[Path, str, list[Listed]]]:
    """Page, title and exercises of every page that has some, each once, ground before notebooks."""
    for page in dict.fromkeys(path for pattern in PAGES for path in sorted(root.glob(pattern))):
        text = text_of(page)
        if listed := exercises_in(text):
            title = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
            yield page, title[1] if title else page.stem, listed


def anchor(title: str) -> str:
    """The id that docutils gives to the heading of an exercise."""
    return nodes.make_id(f"Exercise: {title}")


class ExerciseList(SphinxDirective):
    """One table per chapter, each title linked to the exercise."""

    def run(self) -> list[nodes.Node]:
        root, lines = Path(self.env.srcdir), []
        for page, title, listed in chapters(root):
            self.env.note_dependency(str(page))
            place = f"/_executed/{page.stem}" if page.suffix == ".ipynb" else f"/{page.relative_to(root).with_suffix('')}"
            target = self.env.app.builder.get_relative_uri(self.env.docname, place[1:])
            lines += [f"**{{doc}}`{title} <{place}>`**", "", "| exercise | level | minutes | checker |", "|---|---|---|---|"]
            for each in listed:
                stub = f"`{each.name}`, `{each.notebook}`" if each.name else ""
                lines.append(f"| [{each.title}]({target}#{anchor(each.title)}) | {each.level} | {each.minutes} | {stub} |")
            lines.append("")
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source="exercise-list"), self.content_offset, container)
        return container.children


class Quiz(SphinxDirective):
    """The self-check of the chapter that the argument names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(QUIZZES / f"{self.arguments[0]}.toml"))
        return [nodes.raw("", quiz_html(self.arguments[0]), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("quiz", Quiz)
    app.add_directive("exercise-list", ExerciseList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
