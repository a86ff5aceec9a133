"""Exercises on the pages have one form, agree with the notebooks and the registry, and quizzes have one right answer each."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup

from equinotes.exercises.checking import EXERCISES
from equinotes.exercises.notebooks import functions
from equinotes.exercises.quiz import load_quiz, quiz_html, quizzes, show_quiz
from equinotes.support.errors import UserError

ROOT = Path(__file__).parents[2]
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))


def extension() -> ModuleType:
    path = ROOT / "book" / "_ext" / "exercises.py"
    spec = importlib.util.spec_from_file_location("exercises_extension", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EXTENSION = extension()
CHAPTERS = {page.stem: (EXTENSION.text_of(page), listed) for page, _, listed in EXTENSION.chapters(ROOT)}


def test_there_are_at_least_thirty_exercises_and_twelve_are_code():
    listed = [each for _, exercises in CHAPTERS.values() for each in exercises]
    assert len(listed) >= 30
    assert len({each.title for each in listed}) == len(listed)
    assert sorted(each.name for each in listed if each.name) == sorted(EXERCISES)
    assert len(EXERCISES) >= 12
    assert {each.level for each in listed} == {"easy", "medium", "hard"}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_exercise_has_level_time_hint_and_solution(chapter):
    text, listed = CHAPTERS[chapter]
    parts = re.split(r"^### Exercise: .+$", text, flags=re.MULTILINE)[1:]
    assert len(parts) == len(listed), "a heading without a line of level and time below it"
    form = r'<details class="hint"><summary>Hint</summary>\n\n.+?\n\n</details>\n'
    form += r'<details class="solution"><summary>Solution</summary>\n\n.+?\n\n</details>'
    for part, each in zip(parts, listed, strict=True):
        assert len(re.findall(form, part, flags=re.DOTALL)) == 1, each.title
        assert 1 <= each.minutes <= 60


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_pages_and_notebooks_say_the_same(path):
    notebook = nbformat.read(path, 4)
    headings = re.findall(r"^## (.+)\n\n\*(\w+) · (\d+) min\*$", EXTENSION.text_of(path), flags=re.MULTILINE)
    by_name = {each.name: (each, text) for text, listed in CHAPTERS.values() for each in listed if each.name}
    for (title, level, minutes), (name, source) in zip(headings, functions(notebook).items(), strict=True):
        each, text = by_name[name]
        assert (each.title, each.level, each.minutes, each.notebook) == (title, level, int(minutes), path.name)
        answer = re.sub(r"^ *### (BEGIN|END) SOLUTION\n", "", source, flags=re.MULTILINE)
        assert f"```python\n{answer}\n```" in text, f"the page shows another solution of {name}"
        assert max(map(len, answer.splitlines())) <= 90


def places_of(notebook: str) -> list[str]:
    """Pages that hold the exercises of a notebook, as Sphinx calls them, in its order."""
    names = functions(nbformat.read(ROOT / "notebooks" / "solutions" / notebook, 4))
    by_name = {each.name: EXTENSION.document(page, ROOT) for page, _, listed in EXTENSION.chapters(ROOT) for each in listed}
    return list(dict.fromkeys(by_name[name] for name in names))


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_notebooks_say_in_which_chapters_their_exercises_stand(path):
    titles = {EXTENSION.document(page, ROOT): title.partition(":")[0] for page, title, _ in EXTENSION.chapters(ROOT)}
    (said,) = re.findall(r" in the chapters? (\*.+\*)\.? This is exercise notebook (\d\d);", EXTENSION.text_of(path))
    assert re.findall(r"\*(.+?)\*", said[0]) == [titles[place] for place in places_of(path.name)]
    assert said[1] == path.stem[:2]


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_page_of_exercises_names_the_chapters_of_each_notebook(path):
    page = (ROOT / "book" / "exercises.md").read_text()
    (row,) = [line for line in page.splitlines() if f"<../notebooks/exercises/{path.name}>" in line]
    assert [doc_at(name) for name in re.findall(r"\{doc\}`(.+?)`", row)] == places_of(path.name)


def doc_at(name: str) -> str:
    """What Sphinx calls the page that a {doc} in book/ names."""
    return name[1:] if name.startswith("/") else f"book/{name}"


INSTRUCTORS = (ROOT / "book" / "instructors.md").read_text()
ROWS = re.findall(r"^\| \{doc\}`(\S+)` \| (\d+) min \| .+? \| (.+?) \| ", INSTRUCTORS, flags=re.MULTILINE)


def test_the_plan_of_chapters_has_the_minutes_and_notebooks_of_their_exercises():
    planned = {doc_at(doc): cell for doc, _, cell in ROWS}
    planned["book/conventions"] = re.search(
        r"\{doc\}`conventions` has exercises as well: (.+)\.$", INSTRUCTORS, flags=re.MULTILINE
    )[1]
    for page, _, listed in EXTENSION.chapters(ROOT):
        notebooks = sorted({each.notebook for each in listed if each.notebook})
        wanted = [f"{sum(each.minutes for each in listed)} min"]
        wanted += [f"{{download}}`{name[:2]} <../notebooks/exercises/{name}>`" for name in notebooks]
        assert planned.pop(EXTENSION.document(page, ROOT)) == ", ".join(wanted), page
    assert set(planned.values()) == {"–"}


@pytest.mark.parametrize(("doc", "minutes", "_"), ROWS, ids=[row[0] for row in ROWS])
def test_the_plan_of_chapters_has_the_reading_times_of_the_pages(doc, minutes, _):
    place = doc_at(doc).replace("_executed", "notebooks")
    (path,) = (ROOT / place).parent.glob(f"{Path(place).name}.*")
    said = re.search(r"\*\*Time\.\*\* (?:(\d+) minutes|(Half an hour|Three quarters of an hour))\b", EXTENSION.text_of(path))
    assert int(minutes) == int(said[1] or {"Half an hour": 30, "Three quarters of an hour": 45}[said[2]])


def test_links_to_exercises_lead_to_one():
    titles = re.findall(r"\{exercise\}`(?:[^`<]*<)?(.+?)>?`", INSTRUCTORS)
    assert len(titles) >= 8
    for title in titles:
        assert EXTENSION.page_of(ROOT, title) is not None, title
    assert EXTENSION.page_of(ROOT, "No such exercise") is None


def test_the_role_links_the_heading_of_an_exercise():
    app = SimpleNamespace(builder=SimpleNamespace(get_relative_uri=lambda here, there: f"{there}.html"))
    noted = []
    env = SimpleNamespace(srcdir=ROOT, docname="book/instructors", app=app, note_dependency=noted.append)
    document = SimpleNamespace(settings=SimpleNamespace(env=env))
    role = EXTENSION.ExerciseLink()
    inliner = SimpleNamespace(document=document, reporter=None)
    (link,), _ = role("exercise", "", "a matrix <Take a matrix apart>", 1, inliner)
    assert link.astext() == "a matrix" and link["refuri"] == "book/theory/groups.html#exercise-take-a-matrix-apart"
    assert noted == [str(ROOT / "book" / "theory" / "groups.md")]


def test_the_page_of_exercises_offers_every_notebook():
    page = (ROOT / "book" / "exercises.md").read_text()
    for path in SOLUTIONS:
        assert f"<../notebooks/exercises/{path.name}>" in page
        assert f"<../notebooks/solutions/{path.name}>" in page
    assert f"{len(EXERCISES)} are code" in page


def test_the_list_of_exercises_links_every_heading():
    page = EXTENSION.table("A chapter", "page.html", EXTENSION.exercises_in(CHAPTERS["groups"][0]))
    links = [link["href"] for link in BeautifulSoup(page, "html.parser").select("td a")]
    assert links[0] == "page.html#exercise-which-sums-are-invariant"
    assert len(links) == len(CHAPTERS["groups"][1])


@pytest.mark.parametrize("name", quizzes())
def test_each_question_has_one_right_answer_and_says_something_to_every_choice(name):
    questions = load_quiz(name)
    assert len(questions) >= 2
    for question in questions:
        assert [choice.right for choice in question.choices].count(True) == 1, question.ask
        assert len(question.choices) >= 3
        assert len({choice.text for choice in question.choices}) == len(question.choices)
        assert all(len(choice.says) > 8 for choice in question.choices), question.ask


@pytest.mark.parametrize("name", quizzes())
def test_a_quiz_can_be_used_without_script_network_or_mouse(name):
    page = BeautifulSoup(quiz_html(name), "html.parser")
    assert not page.find_all(["script", "img", "link", "iframe"])
    assert not re.search(r"https?:|url\(", str(page))
    inputs = page.find_all("input")
    assert len({each["id"] for each in inputs}) == len(inputs) == sum(len(q.choices) for q in load_quiz(name))
    for each in inputs:
        assert page.find("label", attrs={"for": each["id"]}).get_text(strip=True)
        assert page.find(id=each["aria-describedby"]).get_text(strip=True)
    assert "$" not in page.get_text(), "a formula was not found"


def test_every_chapter_with_exercises_has_its_quiz():
    shown = {re.sub(r"^\d+_", "", chapter) for chapter in CHAPTERS}
    assert shown == set(quizzes())
    for page, _, _ in EXTENSION.chapters(ROOT):
        name = re.sub(r"^\d+_", "", page.stem)
        call = f'show_quiz(\\"{name}\\")' if page.suffix == ".ipynb" else f"```{{quiz}} {name}\n```"
        assert call in page.read_text(), page


def test_a_quiz_shows_in_a_notebook_and_an_unknown_one_is_refused():
    assert show_quiz("groups").data == quiz_html("groups")
    with pytest.raises(UserError, match="did you mean 'groups'"):
        load_quiz("group")
