"""An executed notebook as one HTML file, formulas included, that asks nothing of the network."""

import re
from importlib.util import find_spec
from pathlib import Path

from equinotes.book.parameters import read_notebook
from equinotes.support.errors import TaskFailed
from equinotes.support.files import write_atomically

CONFIGURATION = 'window.MathJax = {tex: {inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]], processEscapes: true, tags: "ams"}};'

FROM_THE_NETWORK = ("mathjax_url", "require_js_url", "mermaid_js_url", "mermaid_layout_elk_js_url")
"""What nbconvert would load from elsewhere. MathJax stands in the page instead; no notebook here uses the others."""


def write_page(notebook: Path) -> Path:
    """Write `<name>.html` beside an executed notebook, without the cells and the code that the book hides; returns its path."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    remove = {"enabled": True, "remove_cell_tags": {"remove-cell"}, "remove_input_tags": {"remove-input"}}
    exporter = HTMLExporter(**dict.fromkeys(FROM_THE_NETWORK, ""), config=Config(TagRemovePreprocessor=remove))
    body, _ = exporter.from_notebook_node(read_notebook(notebook))
    page = notebook.with_suffix(".html")
    scripts = f"<head>\n<script>{CONFIGURATION}</script>\n<script>{_mathjax()}</script>"
    text = re.sub('<script src=""> ?</script>', "", body).replace("<head>", scripts, 1)
    write_atomically(page, lambda beside: beside.write_text(text, encoding="utf-8"))
    return page


def _mathjax() -> str:
    """MathJax 3 in one script, letters included, from the package django-static-mathjax."""
    spec = find_spec("mathjax")
    if spec is None or not spec.submodule_search_locations:
        raise TaskFailed("MathJax is not installed; pip install django-static-mathjax")
    return Path(spec.submodule_search_locations[0], "static", "mathjax", "es5", "tex-svg.js").read_text(encoding="utf-8")
