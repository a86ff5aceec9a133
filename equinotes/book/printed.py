"""The whole book as one PDF: the pages of the site joined into one document, printed by Chromium without a window."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from equinotes.book.chapters import local_target, reading_order
from equinotes.support.errors import TaskFailed, UserError

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Commands that print a page to PDF, the first that is found."""
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--generate-pdf-document-outline")
PATIENCE_MS = 120_000
"""Of the page's own clock, which runs faster than ours: formulas are set in it."""
LEFT_OUT = "a.headerlink, button, script, .launch, .prev-next-footer, .sd-tab-set > input, .start-buttons, .picture-controls"
STYLE = """
@page { size: A4; margin: 18mm 16mm 20mm; @bottom-center { content: counter(page); font: 9pt sans-serif; } }
@page :first { @bottom-center { content: none; } }
html { font-size: 11px; scroll-padding: 0; }
body { background: #fff; }
article { break-before: page; max-width: none; }
figure, tr, .sd-card, .math { break-inside: avoid; }
h1, h2, h3, h4, summary { break-after: avoid; }
img { max-height: 230mm; max-width: 100% !important; object-fit: contain; }
pre, code { white-space: pre-wrap !important; overflow-wrap: anywhere; }
table { display: table !important; font-size: 85%; max-width: 100%; overflow-wrap: anywhere; width: 100% !important; }
:is(td, th) { min-width: 0 !important; overflow-wrap: anywhere !important; }
nav.contents li { list-style: none; margin: 0.35rem 0; }
"""


def find_chromium() -> str:
    """Path of Chromium; UserError where there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise UserError(f"the PDF is printed by Chromium, which was not found (looked for {', '.join(CHROMIUM)}); install it")
    return found


def print_book(site: Path, out: Path) -> Path:
    """Write the built site as one PDF, with an outline and links that lead within it; returns `out`.

    Raises UserError where Chromium or the site is missing, RuntimeError where printing failed.
    """
    chromium = find_chromium()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        page, made = Path(folder, "book.html"), Path(folder, "book.pdf")
        page.write_text(joined(site), encoding="utf-8")
        options = [*FLAGS, f"--user-data-dir={folder}/profile", f"--virtual-time-budget={PATIENCE_MS}", f"--print-to-pdf={made}"]
        done = subprocess.run([chromium, *options, page.as_uri()], check=False, capture_output=True, text=True)
        if done.returncode or not made.is_file():
            raise TaskFailed(f"Chromium did not print the book:\n{done.stderr[-2000:]}")
        made.replace(out)
    return out


def joined(site: Path) -> str:
    """All pages as one, in the order of reading, after a table of contents."""
    pages = list(reading_order(site))
    names = {place: f"page{k}" for k, (place, _) in enumerate(pages)}
    styles = [
        f'<link rel="stylesheet" href="{(site / place).resolve().as_uri()}">'
        for place in dict.fromkeys(style for place, page in pages for style in _styles(site, place, page))
    ]
    scripts = [str(script) for script in pages[0][1].select("head script") if "window.MathJax" in script.text]
    scripts += [f'<script src="{path.resolve().as_uri()}"></script>' for path in site.glob("_static/mathjax/tex-chtml.js")]
    contents = "".join(f'<li><a href="#{names[place]}">{page.select_one("h1").contents[0]}</a></li>' for place, page in pages)
    bodies = "\n".join(str(_article(site, place, page, names)) for place, page in pages)
    head = (
        f'<meta charset="utf-8"><title>{pages[0][1].title.text}</title>{"".join(styles)}<style>{STYLE}</style>{"".join(scripts)}'
    )
    cover = f'<h1>{pages[0][1].select_one("h1").contents[0]}</h1><nav class="contents"><ul>{contents}</ul></nav>'
    return f'<!doctype html><html lang="en" data-theme="light"><head>{head}</head><body>{cover}{bodies}</body></html>'


def _styles(site: Path, place: str, page: Any) -> list[str]:
    found = [local_target(site, place, link["href"])[0] for link in page.select('head link[rel~="stylesheet"]')]
    return [style for style in found if style]


def _article(site: Path, place: str, page: Any, names: dict[str, str]) -> Any:
    """A page's text: unfolded, its pictures by full address, its names and links unique in the whole book."""
    article, own = page.select_one("article"), names[place]
    for each in article.select(LEFT_OUT):
        each.decompose()
    for each in article.select("details"):
        each["open"] = ""
    for each in article.select("[id]"):
        each["id"] = f"{own}-{each['id']}"
    for each in article.select("[for], [aria-describedby]"):
        for name in {"for", "aria-describedby"} & set(each.attrs):
            each[name] = f"{own}-{each[name]}"
    for image in article.select("img[src]"):
        if not image["src"].startswith("data:"):
            image["src"] = ((site / place).parent / image["src"]).resolve().as_uri()
    for link in article.select("a[href]"):
        _turn_inwards(link, site, place, names)
    article["id"] = own
    return article


def _turn_inwards(link: Any, site: Path, place: str, names: dict[str, str]) -> None:
    """Let a link to another page lead to its place in the book; a link to a file that is no page becomes plain text."""
    target, anchor = local_target(site, place, link["href"])
    if target in names:
        link["href"] = f"#{names[target]}" + (f"-{anchor}" if anchor else "")
    elif target is not None or not re.match(r"https?:|mailto:", link["href"]):
        del link["href"]
