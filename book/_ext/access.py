"""What the theme leaves out for readers who listen to a page or use its keys."""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

MENDED = (
    (re.compile(r'<summary>(?=<span class="toctree-toggle")'), '<summary aria-label="Pages of this part">'),
    # a list in ARIA holds items, which citations are not
    (
        re.compile(r'<div role="list" class="citation-list">|<div class="citation-list" role="list">'),
        '<div class="citation-list">',
    ),
    # a signature's parameters have no terms that they describe
    (re.compile(r"<dl>\s*((?:<dd>.*?</dd>\s*)+)</dl>", re.DOTALL), r'<div class="sig-params">\1</div>'),
)
PARAMETER = re.compile(r"<(/?)dd>")


def mended(html: str) -> str:
    """A page whose folding parts have names, and whose lists hold what they may.

    >>> mended("f(<dl><dd>x,</dd><dd>y</dd></dl>)")
    'f(<div class="sig-params"><div>x,</div><div>y</div></div>)'
    """
    for pattern, words in MENDED[:2]:
        html = pattern.sub(words, html)
    pattern, words = MENDED[2]
    return pattern.sub(lambda found: PARAMETER.sub(r"<\1div>", found.expand(words)), html)


def mend_pages(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            before = page.read_text(encoding="utf-8")
            if (after := mended(before)) != before:
                page.write_text(after, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_js_file("access.js", loading_method="defer")
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
