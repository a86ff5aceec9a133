"""Let every page show a figure of an executed notebook: `{figure} /_executed/figures/NAME.png`.

NAME is the name that the notebook gives to the figure in the cell's metadata (`mystnb: {figure: {name: ...}}`). myst-nb itself
cannot show a picture of one document in another with a caption and alternative text.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

EXECUTED = "_executed"
DOTS_PER_INCH = 200
"""Of the figures (`equinotes.figures.style.use_style`); a page has 96 pixels to the inch."""


def named_figures(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, bytes]]:
    """Name and PNG of each figure that has a name, the last picture of its cell."""
    for cell in notebook.cells:
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        pictures = [output.data["image/png"] for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
        if name and pictures:
            yield name, base64.b64decode(pictures[-1])


def write_figures(app: Sphinx) -> None:
    """Put the named figures of all executed notebooks beside them; untouched where nothing changed."""
    folder = Path(app.srcdir, EXECUTED)
    figures = {
        f"{name}.png": png for path in sorted(folder.glob("*.ipynb")) for name, png in named_figures(nbformat.read(path, 4))
    }
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for old in (folder / "figures").glob("*.png"):
        if old.name not in figures:
            old.unlink()
    for name, png in figures.items():
        place = folder / "figures" / name
        if not place.exists() or place.read_bytes() != png:
            place.write_bytes(png)


def show_at_their_size(app: Sphinx, doctree: nodes.document) -> None:
    """Figures of notebooks have two to three pixels for each one on the page: letters stay as large as they were drawn."""
    for image in doctree.findall(nodes.image):
        place = Path(app.srcdir, image.get("uri", ""))
        if EXECUTED not in app.env.docname or place.suffix != ".png" or "width" in image or not place.is_file():
            continue
        pixels = int.from_bytes(place.read_bytes()[16:20], "big")
        image["width"] = f"{round(pixels * 96 / DOTS_PER_INCH)}px"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write_figures)
    app.connect("doctree-read", show_at_their_size)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
