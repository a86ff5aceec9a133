"""Docstrings on the pages of the API reference: formulas and names as they are written."""

import ast
import html
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from equinotes.analysis.diagnose import diagnose

ROOT = Path(__file__).parents[2]
EXTENSIONS = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "docstrings"]
FORMULA = re.compile(r"^( *)\.\. math:: ?(.*(?:\n(?:\1 +\S.*| *$))*)", re.MULTILINE)


def modules() -> list[str]:
    """Modules whose docstrings stand on the API pages."""
    pages = "\n".join(page.read_text() for page in sorted((ROOT / "book" / "api").glob("*.md")))
    return re.findall(r"automodule:: (\S+)", pages)


def formulas(module: str) -> list[str]:
    """The formulas of a module's docstrings, without white space."""
    place = ROOT.joinpath(*module.split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    nodes = [
        node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    texts = [ast.get_docstring(node) or "" for node in nodes if not getattr(node, "name", "").startswith("_")]
    return [packed(formula[2]) for text in texts for formula in FORMULA.finditer(text)]


SECTION = re.compile(r"^(?:Parameters|Returns|Raises)\n-+\n", re.MULTILINE)


def test_sections_of_docstrings_are_ones_that_the_pages_can_show():
    """Below its heading, each entry has one line and an indented description; a paragraph after them would become an entry."""
    wrong = []
    for file in sorted((ROOT / "equinotes").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                _, *sections = SECTION.split(ast.get_docstring(node) or "")
                for lines in (section.rstrip().splitlines() for section in sections):
                    entries = [k for k, line in enumerate(lines) if line and not line.startswith(" ")]
                    described = [k for k in entries if k + 1 < len(lines) and lines[k + 1].startswith("    ")]
                    if described != entries:
                        wrong.append(f"{file.name}: {getattr(node, 'name', '')}")
    assert wrong == []


def packed(text: str) -> str:
    return re.sub(r"\s", "", text)


def build(folder: Path, body: str) -> BeautifulSoup:
    """The page that Sphinx makes of this text; a warning fails it."""
    config = ["import sys", f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'book' / '_ext')!r}, {str(folder)!r}]"]
    settings = {"extensions": EXTENSIONS, "napoleon_google_docstring": False}
    settings |= {"napoleon_attr_annotations": False, "napoleon_use_param": False, "napoleon_use_rtype": False}
    (folder / "conf.py").write_text("\n".join([*config, *(f"{name} = {value!r}" for name, value in settings.items())]))
    (folder / "index.rst").write_text(f"Page\n====\n\n{body}\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(folder), str(folder / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return BeautifulSoup((folder / "html" / "index.html").read_text(), "html.parser")


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> BeautifulSoup:
    """The API pages with formulas, as one."""
    body = "\n\n".join(f".. automodule:: {module}\n   :members:" for module in modules() if formulas(module))
    return build(tmp_path_factory.mktemp("reference"), body)


def test_every_formula_stands_on_its_page_as_it_is_written(reference):
    shown = [packed(html.unescape(part.text)) for part in reference.select("div.math")]
    written = [formula for module in modules() for formula in formulas(module)]
    assert len(written) >= 3 and any(r"\sum_{e=j\toi}" in formula for formula in written)
    assert [formula for formula in written if not any(formula in text for text in shown)] == []


def test_no_formula_holds_what_escapes_text(reference):
    assert [part.text for part in reference.select(".math") if re.search(r"\\[_*|]", part.text)] == []


def test_text_around_a_formula_stays_plain(tmp_path):
    """Names become literals, and signs that are markup to reStructuredText stay as they are; a formula ends with its block."""
    (tmp_path / "sample.py").write_text(
        "def f():\n"
        '    r"""Sum over `edge_ptr` of |x_| and y_ [*batch].\n\n'
        "    .. math:: a_{*} = \\sum_{e} |r_e|\n"
        "              + b_{|l|}\n\n"
        "    After it |y_| again.\n"
        '    """\n'
    )
    page = build(tmp_path, ".. autofunction:: sample.f")
    first, last = (part.text for part in page.select("dd > p"))
    assert first == "Sum over edge_ptr of |x_| and y_ [*batch]." and last == "After it |y_| again."
    assert [code.text for code in page.select("dd code")] == ["edge_ptr"]
    (formula,) = page.select("div.math")
    assert r"a_{*}=\sum_{e}|r_e|+b_{|l|}" in packed(formula.text)


def test_a_signature_shows_no_machinery_and_a_class_in_capitals_is_shown(tmp_path):
    (tmp_path / "sample.py").write_text(
        "from collections import namedtuple\nfrom dataclasses import dataclass, field\nfrom numpy.typing import ArrayLike\n"
        "LIMIT = 3\n"
        "@dataclass\nclass QM9:\n"
        '    """A set."""\n'
        "    rows: ArrayLike\n    kept: dict[str, int] = field(default_factory=dict)\n"
        "class Pair(namedtuple('Pair', ['first'])):\n"
        '    """Two."""\n'
    )
    page = build(tmp_path, ".. automodule:: sample\n   :members:\n   :inherited-members: object")
    shown = page.find(id="sample.QM9").text
    assert "rows: ArrayLike" in shown and "_Buffer" not in shown and "<factory>" not in shown
    assert page.find(id="sample.LIMIT") is None and "Alias for field" not in page.text


def test_names_of_what_the_pages_describe_are_links_to_it():
    spec = importlib.util.spec_from_file_location("docstrings", ROOT / "book" / "_ext" / "docstrings.py")
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    found = extension.targets("equinotes.analysis.diagnose.diagnose", diagnose)
    assert found("Adapted") == "equinotes.networks.adapted.Adapted"
    assert found("Adapted.outputs") == "equinotes.networks.adapted.Adapted.outputs"
    assert found("norm_shares") == "equinotes.analysis.representation.norm_shares"
    for text in ("layers", "change", "norm_share", "module(batch)", "pd.DataFrame", "nothing_like_it"):
        assert found(text) is None, "a parameter, a word, a column, a call, another package's, or nothing"
