"""`equinotes run`: lists of notebooks and parameters, pages that need no network, typed values."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup


def test_run_lists_notebooks_and_their_parameters(equinotes):
    code, out, _ = equinotes("run")
    assert code == 0 and any(line.startswith("01_spherical_harmonics ") for line in out)
    listed = equinotes("run", "01", "--list")
    assert listed == equinotes("run", "spherical_harmonics", "--help")
    assert listed[0] == 0 and any("lmax: int = " in line for line in listed[1])
    assert any(line.split()[0] == "exercises/01_groups" for line in out)


def test_run_says_that_a_notebook_has_no_parameters(equinotes, tmp_path):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), tmp_path / "a.ipynb")
    code, out, _ = equinotes("run", tmp_path / "a.ipynb", "--list")
    assert code == 0 and out[-1] == "  this notebook has no cell tagged `parameters`"


def executed(path, *, seconds=None):
    """A notebook as papermill leaves it."""
    cells = [
        nbformat.v4.new_markdown_cell("# A page\n\nwith $l=1$"),
        nbformat.v4.new_code_cell("secret = 1", metadata={"tags": ["remove-cell"]}),
        nbformat.v4.new_code_cell("hidden = 1", metadata={"tags": ["remove-input"]}),
        nbformat.v4.new_code_cell("shown = 1"),
    ]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"papermill": {"duration": seconds}}), path)
    return path


def test_run_says_how_long_a_notebook_took_here(equinotes, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = equinotes("run")[1]
    executed(tmp_path / "executed" / "01_spherical_harmonics.ipynb", seconds=32.4)
    after = equinotes("run")[1]
    assert after[0].endswith(" Spherical harmonics (32 s)") and after[1:] == before[1:]
    assert equinotes("run", "01", "--list")[1][0] == after[0]


@pytest.mark.parametrize("opens", [True, False])
@pytest.mark.parametrize("flag", ["--html", "--open"])
def test_run_writes_a_page_that_needs_no_network(equinotes, monkeypatch, tmp_path, flag, opens):
    from equinotes.book import notebooks

    shown = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address) or opens)
    monkeypatch.setattr(notebooks, "run_notebook", lambda path, values, *, out: executed(out))
    code, out, err = equinotes("run", "01", flag, "--out", tmp_path / "x.ipynb")
    page = tmp_path / "x.html"
    assert code == 0 and out == [f"wrote {tmp_path / 'x.ipynb'}", f"wrote {page}"]
    assert shown == ([page.as_uri()] if flag == "--open" else [])
    assert err == ([f"no browser found; open {page.as_uri()}"] if shown and not opens else [])
    soup = BeautifulSoup(page.read_text(), "html.parser")
    assert not soup.select("script[src], link[href^=http], img[src^=http]")
    assert [script for script in soup.find_all("script") if re.search(r"import\(\"http", script.text)] == []
    said = soup.body.text
    assert "shown" in said and "secret" not in said and "hidden" not in said
    configuration, mathjax = (script.text for script in soup.head.find_all("script")[:2])
    assert 'inlineMath: [["$", "$"]' in configuration and "mjx-container" in mathjax


def test_run_gives_typed_values_to_the_notebook(equinotes, monkeypatch, tmp_path):
    from equinotes.book import notebooks

    asked = []

    def run_notebook(path, values, *, out):
        asked.append((path.stem, values, out))
        return out

    monkeypatch.setattr(notebooks, "run_notebook", run_notebook)
    code, out, _ = equinotes("run", "02", "-p", "ls=0,1", "-p", "molecule=1", "--out", tmp_path / "x.ipynb")
    assert code == 0 and out == [f"wrote {tmp_path / 'x.ipynb'}"]
    assert asked == [("02_equivariant_convolution", {"ls": [0, 1], "molecule": 1}, tmp_path / "x.ipynb")]
