"""The pages of results hold together: no number is typed, sentences lead to figures, figures to tables, tables to commands."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from equinotes.audit import history
from equinotes.audit.protocols.first.claims import CLAIMS, VERDICTS
from equinotes.audit.report import ledger
from equinotes.audit.report.errors import PAPER
from equinotes.audit.reported import REPORTED, counted_parameters
from equinotes.audit.tables import load
from equinotes.book.parameters import read_notebook
from equinotes.support.templates import sentences

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "notebooks" / f"{name}.ipynb" for name in ("07_paper_against_rerun", "08_is_order_l_used", "09_ledger")]

NAMES = [r"```.*?```", r"`[^`]*`", r"\]\([^)]*\)", r"\$[^$]*\$", r"^\(.*\)=$", r"notebook \d\d", r"\bC\d\b"]
"""Where a digit belongs to a name: code, links, formulas, labels, notebooks, claims."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_number_is_typed_into_the_text(page):
    texts = [cell.source for cell in read_notebook(page).cells if cell.cell_type == "markdown"]
    for text in "\n\n".join(texts).split("## Exercises")[0].split("\n\n"):  # exercises come last, and state times
        for name in NAMES:
            text = re.sub(name, "", text, flags=re.DOTALL | re.MULTILINE)
        assert re.findall(r".*\d.*", text) == []


@pytest.mark.parametrize("template", sorted((ROOT / "notebooks" / "templates").glob("*.md")), ids=lambda path: path.stem)
def test_no_measured_number_is_typed_into_a_template(template):
    """Digits of orders, claims and findings belong to names; measured numbers have points, commas or signs of per cent."""
    text = re.sub(r"\{[{%#].*?[#%}]\}", "", template.read_text(), flags=re.DOTALL)
    assert re.findall(r"\d+[.,]\d+|\d+ ?%", text) == []


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.stem)
def test_figures_say_where_they_come_from(page):
    cells = [cell for cell in read_notebook(page).cells if cell.cell_type == "code"]
    for cell, after in pairwise(cells):
        if "figure" in cell.metadata.get("mystnb", {}):
            assert "source(" in after.source, cell.metadata["mystnb"]["figure"]["name"]
            assert len(cell.metadata["mystnb"]["image"]["alt"]) > 40


def test_a_source_note_names_files_that_are_stored_and_commands_that_exist():
    from equinotes.cli import commands
    from equinotes.cli import main as cli

    note = sentences("results")("source", **ledger.sources(("runs", "ablations"), ("table", "substitutes")))
    assert re.findall(r"`(results/[^`]+)`", note) == ["results/audit/runs.parquet", "results/audit/ablations.parquet"]
    found = re.findall(r"`(equinotes [^`]+)`", note)
    assert found == ["equinotes audit run table substitutes", "equinotes audit diagnose", "equinotes audit store"]
    for command in found:
        _, name, *words = command.split()
        cli._parse(name, getattr(commands, name.capitalize()), words, None)


def test_evidence_links_to_figures_that_there_are():
    notebooks = [nbformat.read(path, 4) for path in (ROOT / "notebooks").glob("*.ipynb")]
    known = {cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for nb in notebooks for cell in nb.cells}
    for claim in CLAIMS:
        links = set(re.findall(r"\]\(#([\w-]+)\)", sentences("ledger")("links", claim=claim.name)))
        assert links <= known and bool(links) == (claim.name != "C6")


def test_every_verdict_has_its_badge():
    css = (ROOT / "book" / "_static" / "equinotes.css").read_text()
    for verdict in VERDICTS:
        look = re.search('class="verdict ([^"]+)"', sentences("ledger")("badge", verdict=verdict))[1]
        assert f".{look} {{" in css


def test_claims_and_thresholds_are_those_that_were_committed_before_the_runs():
    assert history.unchanged()


def test_each_claim_on_the_papers_page_leads_to_its_verdict():
    text = (ROOT / "book" / "paper.md").read_text()
    labels = "\n".join(cell.source for cell in read_notebook(PAGES[2]).cells if cell.cell_type == "markdown")
    for claim in CLAIMS:
        label = f"claim-{claim.name.lower()}"
        assert f"<{label}>`" in text and f"({label})=" in labels


def test_reported_errors_are_those_of_the_papers_page():
    lines = (ROOT / "book" / "paper.md").read_text().split("(reported-table)=")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| \d", line)]
    stated = [(int(row[1]), int(row[3].replace(",", "")), row[5], float(row[6])) for row in rows]
    assert stated == [(row.mul, counted_parameters(row.ls, row.mul), str(row.epochs or "–"), row.error) for row in REPORTED]


def test_baselines_on_the_papers_page_are_those_that_are_stored():
    text = (ROOT / "book" / "paper.md").read_text()
    stated = re.search(r"composition alone (\S+) eV, with bonds and their lengths (\S+) eV", text)
    baselines = load("baselines")
    stored = baselines[baselines["num_train"] == PAPER].set_index("baseline")["mae_eV"]
    assert stated.groups() == tuple(f"{stored[name]:.2f}" for name in ("composition", "bond lengths"))
