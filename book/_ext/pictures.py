"""Pictures that answer to their readers: a directive `{picture} NAME` for pages of text, and scripts for pages that have one.

The directive's content is the caption. Notebooks show a `Picture` themselves. All scripts lie in _static/pictures, one level
below the top of the static folder, whose scripts Jupyter Book would put on every page.
"""

import re
from typing import Any

import matplotlib as mpl
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from equinotes.book.pictures import PICTURES
from equinotes.figures.style import use_style

SHARED = ("core", "space", "chart")
KIND = re.compile(r'data-picture="([\w-]+)"')


class PictureDirective(SphinxDirective):
    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in PICTURES:
            raise self.error(f"no picture {name!r}; there are {', '.join(PICTURES)}")
        with mpl.rc_context():
            use_style()
            opening = PICTURES[name]().opening()
        caption = nodes.container(classes=["picture-caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        return [nodes.raw("", opening, format="html"), caption, nodes.raw("", "</figure>", format="html")]


def add_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    kinds = dict.fromkeys(KIND.findall(context.get("body", "")))
    if kinds:
        app.add_css_file("pictures/pictures.css")
        for name in (*SHARED, *kinds):
            app.add_js_file(f"pictures/{name}.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("picture", PictureDirective)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
