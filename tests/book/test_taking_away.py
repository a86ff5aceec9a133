"""The book as PDF, as an archive and as slides, made from a small site; and what `make` hands on."""

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from equinotes.book import printed
from equinotes.book.archive import FOLDER, pack_site
from equinotes.book.chapters import reading_order
from equinotes.book.slides import write_slides
from equinotes.support.errors import UserError

ROOT = Path(__file__).parents[2]

PAGE = """<html><head><title>{title}</title><link rel="stylesheet" href="{up}_static/page.css"></head><body><article>
<section id="{title}"><h1>{title}<a class="headerlink" href="#x">#</a></h1>{body}</section></article>{following}</body></html>"""
FRONT = '<p id="here">See <a href="theory/one.html#figure">a figure</a> and <a href="../_static/data.npz">data</a>.</p>'
CHAPTER = """<blockquote><p><strong>Question.</strong> Which one?</p></blockquote>
<section id="part"><h2>A part</h2><figure id="figure"><img alt="A drawing of one thing" src="../../_images/a.svg">
<figcaption><p><span class="caption-number">Fig. 1 </span>One thing.</p></figcaption></figure>
<details><summary>Solution</summary><p id="here">Hidden <a href="../index.html#here">at first</a>.</p></details></section>
<section id="takeaways"><h2>Takeaways</h2><p>In short:</p><div class="cell"><div class="cell_output">
<ul><li><p>It is that one.</p></li></ul></div></div></section>"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><rect width="20" height="20" fill="#08c"/></svg>'


@pytest.fixture
def site(tmp_path) -> Path:
    texts = {
        "index.html": "", "_static/page.css": "h1 { color: #000 }", "_images/a.svg": SVG, ".buildinfo": "mine",
        "book/index.html": PAGE.format(
            title="Front", up="../", body=FRONT, following='<a class="right-next" href="theory/one.html">Next</a>'),
        "book/theory/one.html": PAGE.format(title="One", up="../../", body=CHAPTER, following=""),
    }  # fmt: skip
    for place, text in texts.items():
        (tmp_path / "html" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "html" / place).write_text(text)
    return tmp_path / "html"


def test_pages_come_in_the_order_of_reading(site):
    assert [place for place, _ in reading_order(site)] == ["book/index.html", "book/theory/one.html"]
    with pytest.raises(UserError, match="`equinotes book` builds the site"):
        list(reading_order(site / "nowhere"))


def test_links_of_the_joined_book_lead_within_it_and_names_are_unique(site):
    page = BeautifulSoup(printed.joined(site), "html.parser")
    names = [each["id"] for each in page.find_all(id=True)]
    assert len(names) == len(set(names)) and {"page0-here", "page1-here", "page1-figure"} <= set(names)
    links = [link.get("href") for link in page.select("article a")]
    assert links == ["#page1-figure", None, "#page0-here"]
    assert page.select_one("details").has_attr("open")
    assert page.select_one("img")["src"] == (site / "_images" / "a.svg").as_uri()
    assert [link["href"] for link in page.select("nav a")] == ["#page0", "#page1"]


def test_the_book_is_printed_with_an_outline(site, tmp_path):
    if not any(map(shutil.which, printed.CHROMIUM)):
        pytest.skip("no Chromium on this machine")
    pdf = printed.print_book(site, tmp_path / "book.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page/") >= 1 and b"/Outlines" in pdf
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book.pdf", "html"]


def test_without_chromium_the_pdf_is_refused_before_any_work(monkeypatch):
    from equinotes.cli.book import Book

    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"printed by Chromium, which was not found .*; install it"):
        Book(pdf=True).run()


def test_the_archive_holds_the_site_and_is_the_same_each_time(site, tmp_path):
    first = pack_site(site, tmp_path / "a.zip").read_bytes()
    assert pack_site(site, tmp_path / "b.zip").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert f"{FOLDER}/index.html" in archive.namelist() and f"{FOLDER}/.buildinfo" not in archive.namelist()
        archive.extractall(tmp_path)
    assert (tmp_path / FOLDER / "_images" / "a.svg").read_text() == SVG
    with pytest.raises(UserError, match="no site in"):
        pack_site(tmp_path / "nowhere", tmp_path / "c.zip")


def test_a_deck_has_the_question_the_figures_and_the_takeaways(site):
    written = write_slides(site)
    assert [path.name for path in written] == ["index.html", "one.html"]
    slides = BeautifulSoup(written[1].read_text(), "html.parser").select(".slide")
    assert [slide.select_one("h1, h2").get_text() for slide in slides] == ["One", "A part", "Takeaways"]
    assert "Which one?" in slides[0].get_text()
    assert slides[2].get_text(" ", strip=True) == "Takeaways In short: It is that one."
    for image in slides[1].select("img"):
        assert (site / "slides" / image["src"]).is_file() and len(image["alt"]) > 10


def test_a_chapter_without_figures_has_a_deck_too(site):
    chapter = site / "book/theory/one.html"
    chapter.write_text(re.sub("<figure.*?</figure>", "", chapter.read_text(), flags=re.DOTALL))
    slides = BeautifulSoup(write_slides(site)[1].read_text(), "html.parser").select(".slide")
    assert [slide.select_one("h1, h2").get_text() for slide in slides] == ["One", "Takeaways"]


@pytest.fixture
def workshop(tmp_path) -> Path:
    """A copy of the Makefile whose tools only write down what they are asked."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name in ("python", "equinotes"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $* [$EQUINOTES_REPOSITORY]" >> "{tmp_path}/asked"\n')
        (tools / name).chmod(0o755)
    return tmp_path


def asked(workshop: Path, *words: str) -> list[str]:
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "EQUINOTES_"))}
    subprocess.run(["make", *words], cwd=workshop, env=environment, check=True, capture_output=True)
    return (workshop / "asked").read_text().splitlines()


def test_make_takes_torch_from_another_index_when_one_is_named(workshop):
    torch = next(line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("torch=="))
    first, second = [line for line in asked(workshop, "env", "TORCH_INDEX=https://example.org/cpu") if "pip install" in line][:2]
    assert first == f"python -m pip install --no-deps --index-url https://example.org/cpu {torch} []"
    assert second == "python -m pip install -r requirements.lock []"


def test_make_installs_from_the_usual_place_otherwise_and_once(workshop):
    assert not any("--index-url" in line for line in asked(workshop, "env"))
    before = len(asked(workshop, "env"))
    assert len(asked(workshop, "env")) == before


@pytest.mark.parametrize(("target", "words"), [("book", ""), ("pdf", " --pdf"), ("zip", " --zip"), ("slides", "")])
def test_make_hands_the_address_of_the_repository_to_the_build(workshop, target, words):
    address = "https://github.com/me/book"
    assert asked(workshop, target, f"REPOSITORY={address}")[-1] == f"equinotes book{words} [{address}]"
