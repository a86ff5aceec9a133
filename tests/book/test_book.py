"""Building the book does no work twice, and a failure harms nothing that was there."""

import json
import os
from functools import partial
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

import equinotes.book.notebooks
from equinotes.book import site as book

build = partial(book.build, jobs=1)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What a build looks at, in miniature."""
    texts = {
        "_toc.yml": "format: jb-book\nroot: book/index\nchapters:\n- glob: _executed/0*",
        "_config.yml": "title: a book",
        "requirements.lock": "numpy==2.0",
        "book/index.md": "# A book",
        "equinotes/irreps.py": "L = 1",
        "equinotes/cli/main.py": "COMMANDS = 1",
        "notebooks/01_first.ipynb": json.dumps({"cells": ["one"]}),
        "notebooks/02_second.ipynb": json.dumps({"cells": ["two"]}),
    }
    for place, text in texts.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    return tmp_path


class Work:
    """Stands for papermill and for Jupyter Book, and notes what they were asked to do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.broken: set[str] = set()
        monkeypatch.setattr(equinotes.book.notebooks, "run_notebook", self.run_notebook)
        monkeypatch.setattr(book, "_run_jupyter_book", self.run_jupyter_book)

    def run_notebook(self, path: Path, parameters: dict, *, out: Path, progress: bool) -> Path:
        self.done.append(path.stem)
        if path.stem in self.broken:
            raise equinotes.book.notebooks.NotebookFailed(f"cell [1] of {path.name} failed: ValueError: no such molecule")
        out.parent.mkdir(exist_ok=True)
        out.write_text(path.read_text() + "executed")
        return out

    def run_jupyter_book(self, root: Path, output: Path) -> None:
        self.done.append("site")
        if "site" in self.broken:
            raise RuntimeError("the site was not built")
        page = output / "_build" / "html" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"page {len(self.done)}")

    def asked(self) -> list[str]:
        """What was done since the last question."""
        done, self.done = self.done, []
        return done


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def test_first_build_does_all_and_the_second_nothing(repository, work):
    page = build(repository)
    assert page == repository / "_build" / "html" / "index.html"
    assert work.asked() == ["01_first", "02_second", "site"]
    assert build(repository) == page
    assert work.asked() == []


def test_a_site_is_current_until_a_source_changes(repository, work):
    assert not book.is_current(repository)
    build(repository)
    assert book.is_current(repository)
    (repository / "book" / "index.md").write_text("something else")
    assert not book.is_current(repository)


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("notebooks/02_second.ipynb", ["02_second", "site"]),
        ("equinotes/irreps.py", ["01_first", "02_second", "site"]),
        ("requirements.lock", ["01_first", "02_second", "site"]),
        ("results/table.parquet", ["01_first", "02_second", "site"]),
        ("equinotes/cli/main.py", ["site"]),
        ("book/index.md", ["site"]),
        ("_config.yml", ["site"]),
    ],
)
def test_only_what_depends_on_a_change_is_done_again(repository, work, changed, again):
    build(repository)
    work.asked()
    (repository / changed).parent.mkdir(parents=True, exist_ok=True)
    (repository / changed).write_text("something else")
    build(repository)
    assert work.asked() == again


@pytest.mark.parametrize(
    "place", ["_executed/.01_first.ipynb.77", "_executed/.x.ipynb", "notebooks/.ipynb_checkpoints/01_first-checkpoint.ipynb"]
)
def test_hidden_files_are_none_of_its_sources(repository, work, place):
    build(repository)
    work.asked()
    (repository / place).parent.mkdir(parents=True, exist_ok=True)
    (repository / place).write_text("being written")
    build(repository)
    assert work.asked() == [] and (repository / place).exists()


def test_a_failing_notebook_is_reported_and_the_others_are_kept(repository, work):
    work.broken = {"01_first"}
    with pytest.raises(RuntimeError, match=r"1 of 2 notebooks failed.*\n01_first.ipynb: cell \[1\].*no such molecule"):
        build(repository)
    assert work.asked() == ["01_first", "02_second"]
    work.broken = set()
    build(repository)
    assert work.asked() == ["01_first", "site"]


def test_a_failing_site_leaves_the_last_one_and_is_tried_again(repository, work):
    page = build(repository)
    before = page.read_text()
    (repository / "book" / "index.md").write_text("broken")
    work.broken = {"site"}
    with pytest.raises(RuntimeError, match="not built"):
        build(repository)
    assert page.read_text() == before
    work.broken = set()
    work.asked()
    build(repository)
    assert work.asked() == ["site"]
    assert page.read_text() != before


def test_an_executed_notebook_goes_with_its_source(repository, work):
    build(repository)
    (repository / "notebooks" / "01_first.ipynb").unlink()
    build(repository)
    assert sorted(path.name for path in (repository / "_executed").iterdir()) == ["02_second.ipynb", "02_second.sha256"]


def test_everything_is_executed_on_request_and_nothing_on_request(repository, work):
    with pytest.raises(FileNotFoundError, match=r"not executed yet: 01_first.ipynb, 02_second.ipynb"):
        build(repository, execute="none")
    build(repository)
    work.asked()
    build(repository, execute="all")
    assert work.asked() == ["01_first", "02_second"], "the site is made again only where a result changed"
    (repository / "notebooks" / "01_first.ipynb").write_text("changed")
    (repository / "book" / "index.md").write_text("changed")
    work.asked()
    build(repository, execute="none")
    assert work.asked() == ["site"]


def test_a_notebook_that_the_table_of_contents_leaves_out_fails_the_build(repository, work):
    for name in ("10_tenth", "11_eleventh"):
        (repository / "notebooks" / f"{name}.ipynb").write_text("more")
    with pytest.raises(
        ValueError, match=r"^10_tenth.ipynb, 11_eleventh.ipynb would be missing from the book: no entry of _toc.yml"
    ):
        build(repository)
    assert work.asked() == []
    (repository / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- glob: _executed/0*\n- file: _executed/10_tenth\n- glob: _executed/*"
    )
    build(repository)
    assert work.asked() == ["01_first", "02_second", "10_tenth", "11_eleventh", "site"]
    (repository / "_toc.yml").write_text("root: book/index\nchapter:\n- glob: _executed/*")
    with pytest.raises(ValueError, match=r"^_toc.yml is not a table of contents: Unknown keys found: {'chapter'}"):
        build(repository)


def test_the_books_own_contents_have_a_place_for_every_notebook_to_come():
    root = Path(__file__).parents[2]
    book._check_contents(root, [*(root / "notebooks").glob("*.ipynb"), Path("10_more.ipynb"), Path("99_last.ipynb")])


def test_the_book_is_found_from_below_and_missed_elsewhere(repository, monkeypatch):
    monkeypatch.chdir(repository / "book")
    assert book.find_root() == repository.resolve()
    with pytest.raises(FileNotFoundError, match="no book"):
        book.find_root(repository / "notebooks")


def notebook(*sources: str) -> str:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


def test_notebooks_side_by_side_share_the_machine_and_harm_each_other_in_nothing(repository, monkeypatch):
    """For real: each in a process of its own, waiting for a file that the other one writes."""
    monkeypatch.setattr(book, "_run_jupyter_book", None)
    meet = "import pathlib, time\npathlib.Path('{}').touch()\nwhile not pathlib.Path('{}').exists():\n    time.sleep(0.1)"
    (repository / "notebooks" / "01_first.ipynb").write_text(notebook("n: int = 1", meet.format("a", "b")))
    (repository / "notebooks" / "02_second.ipynb").write_text(notebook("n: int = 1", meet.format("b", "a"), "1 / 0"))
    with pytest.raises(RuntimeError, match=r"1 of 2 notebooks failed.*\n02_second.ipynb: .*ZeroDivisionError"):
        book.build(repository, jobs=2)
    assert sorted(path.name for path in (repository / "_executed").glob("[!.]*")) == [
        "01_first.ipynb", "01_first.sha256", "02_second.failed.ipynb"
    ]  # fmt: skip


def test_a_process_that_dies_takes_no_other_notebook_with_it(repository, monkeypatch):
    """The first notebook's process dies while the second is executed, and before the third one's turn."""
    (repository / "notebooks" / "03_third.ipynb").write_text("three")
    (repository / "_executed").mkdir()
    (repository / "dying.py").write_text(
        "import os, time\n\n\n"
        "def execute(root, notebook, progress):\n"
        "    (root / notebook.stem).touch()\n"
        "    while not (root / '02_second').exists():\n"
        "        time.sleep(0.02)\n"
        "    if notebook.stem == '01_first':\n"
        "        os._exit(1)\n"
        "    time.sleep(1)\n"
        "    return 1.0, None\n"
    )
    monkeypatch.syspath_prepend(repository)
    monkeypatch.setattr(book, "_execute", import_module("dying").execute)
    with pytest.raises(RuntimeError, match=r"1 of 3 notebooks failed.*\n01_first.ipynb: .*terminated abruptly"):
        book.build(repository, jobs=2)
    assert sorted(path.name for path in (repository / "_executed").iterdir()) == ["02_second.sha256", "03_third.sha256"]


@pytest.mark.parametrize(("cores", "share"), [(8, "4"), (1, "1"), (None, "1")])
def test_cores_are_shared_where_the_system_does_not_say_which_are_ours(monkeypatch, cores, share):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(os, "environ", {})
    book._share_the_machine(2, 1)
    assert os.environ == {"OMP_NUM_THREADS": share, "EQUINOTES_BAR_LINE": "1"}


def test_no_notebook_at_a_time_is_refused(repository):
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        book.build(repository, jobs=0)
