"""Below the title of each notebook's page: the executed notebook to download, and links that open it on Binder or Colab.

These links need the address of a repository while the book is built: `make book REPOSITORY=https://github.com/OWNER/NAME`.
Without it, no page speaks of launching.
"""

import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ADDRESS = "EQUINOTES_REPOSITORY"


def launch_links(repository: str, notebook: str) -> dict[str, str]:
    """Addresses that open a notebook of a GitHub repository, by service.

    >>> launch_links("https://github.com/me/book/", "01_a")["Binder"]
    'https://mybinder.org/v2/gh/me/book/HEAD?labpath=notebooks/01_a.ipynb'
    """
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", repository)
    if not found:
        raise ValueError(f"{ADDRESS} must read https://github.com/OWNER/NAME, got {repository!r}")
    return {
        "Binder": f"https://mybinder.org/v2/gh/{found[1]}/HEAD?labpath=notebooks/{notebook}.ipynb",
        "Colab": f"https://colab.research.google.com/github/{found[1]}/blob/HEAD/notebooks/{notebook}.ipynb",
    }


def add_links(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Below the title of a notebook's page."""
    repository = os.environ.get(ADDRESS, "")
    if not page.startswith("_executed/"):
        return
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None:
        return
    line = nodes.paragraph(classes=["launch"])
    line += nodes.raw(
        "", f'<a href="../_sources/{page}.ipynb" download>Download this notebook with its outputs</a>', format="html"
    )
    for service, address in (launch_links(repository, Path(page).name) if repository else {}).items():
        line += [nodes.Text(" · "), nodes.reference("", f"Open on {service}", refuri=address)]
    title.parent.insert(title.parent.index(title) + 1, line)


class Launch(SphinxDirective):
    """How to run the notebooks without installing anything; nothing where no repository is given."""

    def run(self) -> list[nodes.Node]:
        repository = os.environ.get(ADDRESS, "")
        if not repository:
            return []
        folder = Path(self.env.app.srcdir, "notebooks")
        text = [
            "On Colab, paste this into a cell and run it first:",
            "",
            "```python",
            f"%pip install git+{repository}",
            "```",
            "",
        ]
        for path in sorted(folder.glob("*.ipynb")):
            links = " · ".join(f"[{service}]({address})" for service, address in launch_links(repository, path.stem).items())
            text.append(f"- {path.stem}: {links}")
        container = nodes.container()
        self.state.nested_parse(StringList(text, source="launch"), 0, container)
        return container.children


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("launch", Launch)
    app.connect("doctree-resolved", add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
