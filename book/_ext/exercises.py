"""Two directives and a role: `quiz` shows the self-check of a chapter, `exercise-list` lists the exercises of all pages, and
{exercise}`TITLE` links one of them.

An exercise is a heading `### Exercise: TITLE` and below it a line `*LEVEL · MINUTES min*`, or with `check("NAME", ...)` and the
notebook that has its stub.
"""

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import ReferenceRole, SphinxDirective

from equinotes.exercises.quiz import QUIZZES, quiz_html

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
    """Page, title and exercises of every page that has some, each once, as they are read."""
    parts = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    named = [entry.get("file") or entry["glob"] for part in parts for entry in part["chapters"]]
    patterns = [f"{name.replace('_executed', 'notebooks')}.{'ipynb' if '_executed' in name else 'md'}" for name in named]
    for page in dict.fromkeys(path for pattern in patterns for path in sorted(root.glob(pattern))):
        text = text_of(page)
        if listed := exercises_in(text):
            title = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
            yield page, title[1] if title else page.stem, listed


def document(page: Path, root: Path) -> str:
    """What Sphinx calls a page."""
    return f"_executed/{page.stem}" if page.suffix == ".ipynb" else page.relative_to(root).with_suffix("").as_posix()


def page_of(root: Path, exercise: str) -> Path | None:
    """The page that has an exercise of this title."""
    return next((page for page, _, listed in chapters(root) if exercise in [each.title for each in listed]), None)


class ExerciseLink(ReferenceRole):
    """A link to an exercise by its title, with a text of its own where one is given: {exercise}`text <title>`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        root = Path(self.env.srcdir)
        page = page_of(root, self.target)
        if page is None:
            message = self.inliner.reporter.error(f"no exercise is called {self.target!r}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        self.env.note_dependency(str(page))
        address = self.env.app.builder.get_relative_uri(self.env.docname, document(page, root))
        return [nodes.reference(self.rawtext, self.title, refuri=f"{address}#{anchor(self.target)}", internal=True)], []


def anchor(title: str) -> str:
    """The id that docutils gives to the heading of an exercise."""
    return nodes.make_id(f"Exercise: {title}")


class ExerciseList(SphinxDirective):
    """One table per chapter, each title linked to the exercise."""

    def run(self) -> list[nodes.Node]:
        root, tables = Path(self.env.srcdir), []
        for page, title, listed in chapters(root):
            self.env.note_dependency(str(page))
            tables.append(table(title, self.env.app.builder.get_relative_uri(self.env.docname, document(page, root)), listed))
        return [nodes.raw("", "\n".join(tables), format="html")]


def table(title: str, address: str, listed: list[Listed]) -> str:
    """The exercises of a chapter as an HTML table, its caption linked to the chapter."""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("exercise", "level", "minutes", "checker and notebook"))
    rows = []
    for each in listed:
        link = f'<a href="{address}#{anchor(each.title)}">{escape(each.title)}</a>'
        code = f"<code>{each.name}</code> in <code>{each.notebook}</code>" if each.name else ""
        rows.append(f"<tr><td>{link}</td><td>{each.level}</td><td>{each.minutes}</td><td>{code}</td></tr>")
    caption = f'<caption><a href="{address}">{escape(title)}</a></caption>'
    return f'<table class="table exercises">{caption}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


class Quiz(SphinxDirective):
    """The self-check of the chapter that the argument names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(QUIZZES / f"{self.arguments[0]}.toml"))
        return [nodes.raw("", quiz_html(self.arguments[0]), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("quiz", Quiz)
    app.add_directive("exercise-list", ExerciseList)
    app.add_role("exercise", ExerciseLink())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
