"""Slides, one deck for each chapter, made from the pages of the built site: its question, figures, equations and takeaways."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from equinotes.book.chapters import reading_order

FOLDER = "slides"
SHOWN = "figure[id], figure.picture, div.math[id]"
"""What becomes a slide: numbered figures, pictures that answer, numbered equations."""
LAST = ("takeaways", "what was learnt", "pitfalls")
"""Headings of the sections that a deck ends with."""
SHARED = ("core", "space", "chart")
"""Scripts that every picture needs before its own."""


def write_slides(site: Path) -> list[Path]:
    """Write `slides/NAME.html` for each chapter that opens with its question, and `slides/index.html`, which lists them."""
    pages = list(reading_order(site))
    decks = [(place, page) for place, page in pages if _question(page) is not None]
    folder = site / FOLDER
    folder.mkdir(exist_ok=True)
    written = [folder / f"{Path(place).stem}.html" for place, _ in decks]
    head = _head(pages[0][1])
    for path, (place, page) in zip(written, decks, strict=True):
        path.write_text(deck(place, page, head), encoding="utf-8")
    (folder / "index.html").write_text(_index(decks, head), encoding="utf-8")
    return [folder / "index.html", *written]


def deck(place: str, page: Any, head: str) -> str:
    """One chapter's slides as a page: a section for each, which the browser snaps to."""
    body = "\n".join(f'<section class="slide" tabindex="-1">{slide}</section>' for slide in _slides(place, page))
    kinds = dict.fromkeys(figure["data-picture"] for figure in page.select("article figure.picture"))
    if kinds:
        head += '<link rel="stylesheet" href="../_static/pictures/pictures.css">'
        body += "".join(f'<script src="../_static/pictures/{name}.js" defer></script>' for name in (*SHARED, *kinds))
    return _page(_title(page), head, body)


def _slides(place: str, page: Any) -> Iterator[str]:
    """The title with its question; each figure and equation that stands in the open; the last sections."""
    ways = f'<p><a href="../{place}">The chapter</a> · <a href="index.html">All slides</a></p>'
    yield f"<h1>{escape(_title(page))}</h1>{_question(page)}{ways}"
    for shown in page.select(f"article :is({SHOWN})"):
        if shown.find_parent("details") is None:
            yield f"<h2>{escape(_heading(shown))}</h2>{_before(shown)}{_moved(shown)}"
    for section in page.select("article section"):
        heading = section.find(re.compile("h[1-6]"), recursive=False)
        if heading and _text(heading).lower() in LAST:
            points = [each for each in section.select("ul, ol, p") if not each.find_parent(("li", "details", "figure"))]
            yield f"<h2>{escape(_text(heading))}</h2>{''.join(map(_moved, points))}"


def _index(decks: list[tuple[str, Any]], head: str) -> str:
    items = "".join(f'<li><a href="{Path(place).stem}.html">{escape(_title(page))}</a></li>' for place, page in decks)
    words = "Made from the pages of the book. Arrow keys or Page Down turn them; printed, each slide is a page."
    back = '<p><a href="../book/index.html">The book</a></p>'
    return _page("Slides", head, f'<section class="slide"><h1>Slides</h1><p>{words}</p><ol>{items}</ol>{back}</section>')


def _page(title: str, head: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{head}</head><body><main>{body}</main></body></html>\n"
    )


def _head(first: Any) -> str:
    """Style and scripts that all decks share; MathJax as the pages set it up."""
    setup = "".join(str(script) for script in first.select("head script") if "window.MathJax" in script.text)
    return (
        '<link rel="icon" href="../_static/favicon.svg"><link rel="stylesheet" href="../_static/slides/slides.css">'
        f'{setup}<script defer src="../_static/mathjax/tex-chtml.js"></script>'
        '<script defer src="../_static/slides/slides.js"></script>'
    )


def _title(page: Any) -> str:
    return _text(page.select_one("article h1"))


def _text(heading: Any) -> str:
    return heading.get_text().removesuffix("#").strip()


def _question(page: Any) -> str | None:
    """The quotation or the paragraph below a chapter's title that states its question; None where there is none."""
    for block in page.select("article section > h1 ~ blockquote, article section > h1 ~ p")[:3]:
        if _text(block).startswith("Question."):
            first = block if block.name == "p" else block.select_one("p")
            return _moved(first)
    return None


def _heading(shown: Any) -> str:
    section = shown.find_parent("section")
    return _text(section.find(re.compile("h[1-6]"))) if section else ""


def _before(shown: Any) -> str:
    """The paragraph that leads to an equation; figures have captions."""
    before = shown.find_previous_sibling() if shown.name == "div" else None
    return _moved(before) if before is not None and before.name == "p" else ""


def _moved(element: Any) -> str:
    """A piece of a page, a copy whose links lead on from the folder of slides; names of places in the text stay on their page."""
    from bs4 import BeautifulSoup

    copy = BeautifulSoup(str(element), "html.parser")
    for each in copy.select("a.headerlink, span.eqno"):
        each.decompose()
    for link in copy.select("a[href]"):
        if link.select("img"):
            link.unwrap()
        elif not str(link["href"]).startswith("http"):
            link.replace_with(link.get_text())
    for image in copy.select("img[src]"):
        image["loading"] = "lazy"
        source = str(image["src"])
        if not source.startswith("data:"):
            image["src"] = f"../{source[source.find('_images') :]}"
            image.attrs.pop("style", None)
    for each in copy.select("[id]"):
        del each["id"]
    return str(copy)
