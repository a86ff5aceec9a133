"""Keep the built site to itself, and light: MathJax comes from the installed package, scripts that do nothing here go."""

import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATHJAX_PARTS = ("LICENSE", "es5/tex-chtml.js", "es5/input/tex/extensions", "es5/output/chtml/fonts/woff-v2")
MATHJAX_SHA256 = "b001d74cc88c995992bbd71ac6ac39c3397c2ecd8bd187938fcdd453bd381649"
"""Over the files of those parts, in order of their paths."""


def mathjax_files() -> dict[str, Path]:
    """What the pages need of MathJax 3, by its place in the site; from the package django-static-mathjax."""
    spec = find_spec("mathjax")
    if spec is None or not spec.submodule_search_locations:
        raise ExtensionError("MathJax is not installed; requirements.lock brings it as django-static-mathjax")
    root = Path(spec.submodule_search_locations[0], "static", "mathjax")
    parts = [root / part for part in MATHJAX_PARTS]
    files = [file for part in parts for file in (sorted(part.rglob("*.*")) if part.is_dir() else [part])]
    return {file.relative_to(root).as_posix().removeprefix("es5/"): file for file in files}


def copy_mathjax(app: Sphinx) -> None:
    """Put MathJax into the site, one level below _static so that only its own script tag loads it."""
    files = mathjax_files()
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files.values())).hexdigest()
    if digest != MATHJAX_SHA256:
        raise ExtensionError(f"MathJax's files have SHA-256 {digest}, expected {MATHJAX_SHA256} (book/_ext/offline.py)")
    for place, file in files.items():
        target = Path(app.outdir, "_static", "mathjax", place)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def drop_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Jupyter Book adds thebe's script to every page, even where it is off, and it fails there."""
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in str(script)]


def drop_icon_script(app: Sphinx, error: Exception | None) -> None:
    """The theme's icons are there twice, as a font and as a script of 1.5 MB that draws the same; the font is enough."""
    script = Path(app.outdir, "_static", "scripts", "fontawesome.js")
    if error is None and script.exists():
        script.write_text("/* icons come from the font */\n")


def setup(app: Sphinx) -> dict[str, Any]:
    app.config.mathjax_path = "mathjax/tex-chtml.js"
    app.connect("builder-inited", copy_mathjax)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", drop_icon_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
