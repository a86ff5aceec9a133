"""The front page follows the stored tables; launch links and parameters follow what they are made from."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from docutils import nodes
from docutils.utils import new_document

from equinotes.audit.protocol import NOT_RUN, named
from equinotes.audit.protocols.first.claims import VERDICTS
from equinotes.audit.protocols.second import claims as second
from equinotes.audit.report.front import before, front
from equinotes.audit.tables import load_all
from equinotes.book.parameters import find_notebook, list_notebooks, parameters_of
from equinotes.comparison.rows import ROWS
from equinotes.figures.style import order_colour
from equinotes.support.templates import sentences

BOOK = Path(__file__).parents[2] / "book"
NUMBERS = {"molecules": 2000, "steps": 500, "orders": (0, 1, 2), "seeds": 5, "used": 1, "many": (0, 1, 2, 3)}
NAN = float("nan")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page():
    return load(BOOK / "_ext" / "front.py")


@pytest.mark.parametrize("verdict", sorted({*VERDICTS, NOT_RUN, *second.VERDICTS}))
def test_every_verdict_of_every_protocol_has_one_badge_and_is_counted(verdict):
    claims = [{"claim": "C1", "verdict": verdict}]
    say = sentences("front")
    assert len(re.findall(r'class="verdict verdict-\w+"', say("board", claims=claims))) == 1
    assert "(C1)" in say("result", claims=claims, shown=[], gained=[], level=[], **NUMBERS)


def test_the_result_has_three_sentences_and_follows_the_numbers():
    shown = [
        {"l": 1, "damage": 2.0, "cost": 0.1, "cost_low": -0.1, "cost_high": 0.3},
        {"l": 2, "damage": 0.5, "cost": NAN, "cost_low": NAN, "cost_high": NAN},
        {"l": 3, "damage": -0.1, "cost": 0.3, "cost_low": 0.1, "cost_high": 0.5},
    ]
    claims = [{"claim": f"C{k}", "verdict": second.VERDICTS[k % 2]} for k in (1, 2, 3)]
    say = sentences("front")
    said = say("result", claims=claims, shown=shown, gained=[3], level=[1, 2], **NUMBERS)
    assert len(re.findall(r"\.(?= [A-Z]|$)", said)) == 3
    assert "−10 % (l = 3) to +200 % (l = 1)" in said and "+10 % (l = 1) to +30 % (l = 3)" in said
    assert "1 is supported at this scale (C2) and 2 are supported in part (C1, C3)" in said
    assert "As the paper says, training" in said and "of l = 3, and not clearly to those of l = 1 and 2." in said
    assert "As the paper" not in say("result", claims=claims, shown=shown, gained=[1, 3], level=[2], **NUMBERS)
    assert len(said.split()) < 110
    assert "not been examined" in say("result", claims=claims, shown=[], gained=[], level=[], **NUMBERS)
    assert say("chart_title", shown=shown, used=1).startswith("1 of 3 orders above 0 are shown to be used; ")
    title = say("chart_title", shown=shown, used=3)
    assert title.startswith("Every order above 0 is used; ") and title.endswith("+30 % (l = 3), for l = 1 not clearly")
    used = say("result", claims=claims, shown=shown, gained=[3], level=[1, 2], ignored=False, **NUMBERS)
    assert "not clearly to those of l = 1 and 2, which are used all the same." in used


def test_the_chart_has_bars_as_long_as_their_numbers_and_says_what_is_missing(page):
    drawn = page.chart([{"l": 1, "damage": 0.5, "cost": NAN}, {"l": 4, "damage": 1.0, "cost": 0.1}])
    widths = [float(width) for width in re.findall(r'<rect [^>]*width="([\d.]+)"', drawn)]
    assert widths == [pytest.approx(page.LENGTH / 2), page.LENGTH, pytest.approx(page.LENGTH / 10)]
    assert re.findall(r'fill="(#\w+)"', drawn) == [order_colour(1), order_colour(4), order_colour(4)]
    label = re.search('aria-label="([^"]+)"', drawn)[1]
    assert "<line" not in drawn and "l = 4 shuffled: +100 %" in label and "l = 1 trained without: not trained" in label


def test_intervals_of_the_chart_are_as_wide_as_their_numbers(page):
    row = {"l": 1, "damage": 1.0, "damage_low": 0.5, "damage_high": 2.0, "cost": 0.0, "cost_low": -0.5, "cost_high": 0.5}
    drawn = page.chart([row])
    widths = [float(end) - float(start) for start, end in re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)"', drawn)]
    assert widths == [pytest.approx(0.75 * page.LENGTH), pytest.approx(0.5 * page.LENGTH)]
    assert "l = 1 shuffled: +100 % [+50, +200]" in drawn


def test_the_stored_tables_give_a_claim_for_each_card():
    for found in (front(load_all(protocol=named("second"))), before(load_all())):
        assert [row["claim"] for row in found["claims"]] == ["C1", "C2", "C3", "C4", "C5", "C6"]


def test_launch_links_need_an_address_of_github():
    launch = load(BOOK / "_ext" / "launch.py")
    links = launch.launch_links("https://github.com/some-one/a.book.git", "02_x")
    assert links["Colab"] == "https://colab.research.google.com/github/some-one/a.book/blob/HEAD/notebooks/02_x.ipynb"
    with pytest.raises(ValueError, match="EQUINOTES_REPOSITORY must read"):
        launch.launch_links("https://example.org/a/b", "02_x")


@pytest.mark.parametrize("repository", ["", "https://github.com/me/book"])
def test_a_notebook_can_be_downloaded_and_launched_where_a_repository_is_known(repository, monkeypatch):
    monkeypatch.setenv("EQUINOTES_REPOSITORY", repository)
    document = new_document("page")
    document += nodes.section("", nodes.title("", "A notebook"), nodes.paragraph("", "Text."))
    load(BOOK / "_ext" / "launch.py").add_links(None, document, "_executed/02_x")
    line = document[0][1]
    assert 'href="../_sources/_executed/02_x.ipynb" download' in line[0].astext()
    addresses = [link["refuri"] for link in line.findall(nodes.reference)]
    expected = ["https://mybinder.org/v2/gh/me/book/HEAD?labpath=notebooks/02_x.ipynb",
                "https://colab.research.google.com/github/me/book/blob/HEAD/notebooks/02_x.ipynb"]  # fmt: skip
    assert addresses == (expected if repository else [])


def test_every_parameter_says_what_it_costs():
    extension = load(BOOK / "_ext" / "notebook_parameters.py")
    names = {name for path in list_notebooks() for name in parameters_of(path)}
    assert names == {name for each in extension.COSTS.values() for name in each}
    assert all(extension.cost_of(name) for name in names)


def test_the_page_of_parameters_has_every_one_of_them():
    lines = load(BOOK / "_ext" / "notebook_parameters.py").tables_of([find_notebook("01"), find_notebook("04")])
    assert "| `lmax` | highest order drawn and checked | `4` | 0 to 11 | int | seconds: functions grow with the square |" in lines
    assert sum(line.startswith("| `") for line in lines) == 11


def test_the_page_of_parameters_lists_a_registry_or_its_beginning_and_its_place():
    lines = load(BOOK / "_ext" / "notebook_parameters.py").tables_of([find_notebook("13"), find_notebook("14")])
    (network,) = [line for line in lines if line.startswith("| `network`")]
    assert "| one of `0-2`; `0-2, gated`; `0-4`; `0-4, gated`; `SE(3)-Transformer` |" in network
    (basis,) = [line for line in lines if line.startswith("| `basis`")]
    assert "| one of `l0`; `vectors`;" in basis
    assert f"and {len(ROWS) - 6} more: {{py:data}}`~equinotes.comparison.rows.ROWS` |" in basis


def test_the_drawings_are_what_their_code_draws(tmp_path):
    drawings = load(BOOK / "drawings.py")
    drawings.draw(tmp_path)
    kept = BOOK / "_static" / "drawings"
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in kept.iterdir()}
    sizes = [re.search(r'viewBox="([^"]+)"', path.read_text())[1] for path in tmp_path.iterdir()]
    assert sizes == [re.search(r'viewBox="([^"]+)"', (kept / path.name).read_text())[1] for path in tmp_path.iterdir()]
