"""What the pages and the README state is what the package computes, and the commands that they show are understood."""

import base64
import importlib.util
import re
import shlex
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import nbformat
import numpy as np
import pytest

import equinotes
from equinotes.analysis.harmonics import IDEAL_SITES, order_parameters, selection_rules
from equinotes.book.parameters import find_notebook, parse_parameters
from equinotes.config import PRESETS, RunConfig
from equinotes.networks import build_network
from equinotes.support.values import parse

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
PAGES = [ROOT / "README.md", *sorted(BOOK.rglob("*.md"))]
TEXT = re.sub(r" \\\n\s+", " ", "\n".join(page.read_text() for page in PAGES))  # a command may go on in the next line
COMMANDS = re.findall(r"^equinotes .+$", TEXT, flags=re.MULTILINE)


def table_under(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table after a line, without its head."""
    lines = (BOOK / page).read_text().split(heading, 1)[1].splitlines()
    start = next(i for i, line in enumerate(lines) if re.fullmatch(r"\|[-|]+\|", line.strip()))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def number(text: str) -> int:
    return int(text.strip("*").replace(",", ""))


@pytest.mark.parametrize("row", table_under("paper.md", "(reported-table)="), ids=lambda row: f"{row[0]}, {row[5]} epochs")
def test_counted_paths_and_parameters_of_the_papers_table(row):
    ls, mul = parse("ls", row[0].replace("–", "-"), tuple[int, ...]), int(row[1])
    network = build_network(RunConfig(ls=ls, mul=mul))
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert (selection_rules(ls).allowed.sum(), counted) == (int(row[2]), number(row[3]))
    assert f"{counted / 1e6:.1f} M" == row[4]


def test_reported_errors_are_those_of_the_slides():
    """https://laserkelvin.github.io/neurips24-ai4mat-slides"""
    reported = [float(row[6]) for row in table_under("paper.md", "(reported-table)=")]
    assert reported == [0.12, 0.15, 0.21, 0.19, 0.19, 1.24, 0.73, 1.02, 0.52, 0.22, 0.01]


def test_the_worked_count_of_parameters_adds_up():
    sums = [number(row[2]) for row in table_under("theory/products.md", "(parameter-count)=")]
    assert sum(sums[:-1]) == sums[-1] == sum(p.numel() for p in build_network(RunConfig(ls=(0, 1, 2), mul=32)).parameters())


@pytest.mark.parametrize("row", table_under("theory/harmonics.md", "symmetric sites are blind"), ids=lambda row: row[0])
def test_exact_lengths_at_ideal_sites(row):
    stated = [Fraction(*map(int, re.findall(r"\d+", cell)[:2])) if "frac" in cell else Fraction(cell) for cell in row[1:]]
    values = order_parameters(IDEAL_SITES[row[0].split(",")[0]], len(stated) - 1) ** 2
    np.testing.assert_allclose(values, [float(value) for value in stated], atol=1e-12)


@pytest.mark.parametrize("row", table_under("theory/products.md", "is a {term}`path`"), ids=lambda row: f"l3={row[0]}")
def test_paths_listed_for_orders_up_to_two(row):
    rules = selection_rules((0, 1, 2))
    found = rules[rules.allowed & (rules.l3 == int(row[0]))]
    stated = {tuple(map(int, pair)) for pair in re.findall(r"\((\d),(\d)\)", row[1])}
    assert stated == set(zip(found.l1, found.l2, strict=True))
    assert len(stated) == int(row[2])


def test_presets_are_as_described():
    """Columns have three fields of every preset; the last cell has all others that are not at their defaults."""
    rows, hints, default = table_under("rerun.md", "## Presets"), get_type_hints(RunConfig), RunConfig().to_dict()
    for row in rows:
        config = RunConfig.preset(row[0].strip("`")).to_dict()
        columns = dict(zip(("num_train", "epochs", "mul"), map(number, row[2:5]), strict=True))
        others = dict(pair.split("=") for pair in re.findall(r"`(\w+=[^`]+)`", row[5]))
        stated = columns | {name: parse(name, text, hints[name]) for name, text in others.items()}
        assert stated == {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
                          if name in columns or value != default[name]}  # fmt: skip
    assert [row[0].strip("`") for row in rows] == list(PRESETS)


def test_the_example_of_packing_is_what_split_irreps_does():
    parts = equinotes.split_irreps(np.arange(8), "2x0e+2x1o")
    assert parts["0e"].tolist() == [[0], [1]]
    assert parts["1o"].tolist() == [[2, 3, 4], [5, 6, 7]]
    assert "| positions in the row | 0 | 1 | 2, 3, 4 | 5, 6, 7 |" in (BOOK / "conventions.md").read_text()


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_commands_are_understood(command):
    from equinotes.cli import commands
    from equinotes.cli import main as cli
    from equinotes.cli.flags import config_of, configs_of

    name, *words = shlex.split(re.sub(r'"\$\w+"', "0", command), comments=True)[1:]  # a shell's variable is a number here
    parsed = cli._parse(
        name, getattr(commands, name.capitalize()), words, commands.start_of(getattr(commands, name.capitalize()), words)
    )
    if name == "run" and parsed.notebook is not None:
        parse_parameters(find_notebook(parsed.notebook), parsed.parameters)
    elif name == "train":
        config_of(parsed.config)
    elif name == "sweep":
        assert len(configs_of(parsed.config)) > 1


def test_names_imported_in_the_readme_are_public():
    names = re.findall(r"^from equinotes import (.+)$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert names
    for name in ", ".join(names).split(", "):
        assert getattr(equinotes, name) is not None


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_can_show_the_named_figures_of_a_notebook():
    extension = load(BOOK / "_ext" / "notebook_figures.py")
    outputs = [
        nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(picture).decode()}) for picture in (b"1", b"2")
    ]
    named = nbformat.v4.new_code_cell(outputs=outputs, metadata={"mystnb": {"figure": {"name": "fig-a"}}})
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(outputs=outputs), named, nbformat.v4.new_markdown_cell("text")]
    )
    assert list(extension.named_figures(notebook)) == [("fig-a", b"2")]


def test_the_picture_of_the_readme_is_drawn_by_its_command(tmp_path):
    load(BOOK / "cover.py").draw(tmp_path / "cover.png")
    sizes = [path.read_bytes()[16:24] for path in (tmp_path / "cover.png", BOOK / "_static" / "cover.png")]
    assert sizes[0] == sizes[1]  # width and height of the PNGs
    assert "](book/_static/cover.png)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_local_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
