"""The subcommands for notebooks and the book: `equinotes run` and `equinotes book`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from equinotes.cli.estimates import duration


@dataclass(kw_only=True)
class Run:
    """Run a notebook with your own parameters, or list notebooks and parameters.

    Without a notebook, all are listed, with the time that each took when it was last run here; with --list (or --help), the
    parameters of one.

    $ equinotes run 01_spherical_harmonics -p lmax=3 -p molecule=1
    $ equinotes run 01_spherical_harmonics -p lmax=3 --open
    """

    notebook: Annotated[str | None, tyro.conf.Positional] = None
    """Name, number or path of a notebook; exercise notebooks go by exercises/01_groups."""
    parameters: Annotated[
        tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(name="parameter", aliases=("-p",), metavar="NAME=VALUE")
    ] = ()
    """A parameter; repeat the flag for several. Lists are written 0,1,2 or 0-2."""
    out: Path | None = None
    """Path of the executed notebook, or a folder for it (default executed/<name>.ipynb; the result of another notebook is not
    overwritten there)."""
    list: bool = False
    """List the notebook's parameters, with the values that each may have."""
    html: bool = False
    """Write the executed notebook as an HTML page as well, beside it; the page needs no network."""
    open: bool = False
    """Write the HTML page and show it in the browser."""

    def run(self) -> int:
        from equinotes.book import parameters

        if self.notebook is None:
            print("\n".join(map(_line_of_notebook, [*parameters.list_notebooks(), *parameters.list_exercises()])))
            return 0
        path = parameters.find_notebook(self.notebook)
        if self.list:
            print(_line_of_notebook(path))
            known = parameters.parameters_of(path)
            for parameter in known.values():
                print(f"  -p {parameter!s:48} {parameter.explained}")
            if not known:
                print("  this notebook has no cell tagged `parameters`")
            return 0
        values = parameters.parse_parameters(path, self.parameters)
        from equinotes.book.notebooks import run_notebook

        executed = run_notebook(path, values, out=self.out)
        print(f"wrote {executed}")
        if self.html or self.open:
            self._show(executed)
        return 0

    def _show(self, executed: Path) -> None:
        from equinotes.book.page import write_page

        page = write_page(executed)
        print(f"wrote {page}")
        if self.open:
            import webbrowser

            if not webbrowser.open(page.resolve().as_uri()):
                print(f"no browser found; open {page.resolve().as_uri()}", file=sys.stderr)


@dataclass(kw_only=True)
class Book:
    """Execute the notebooks that are out of date and build the site into _build/html.

    $ equinotes book
    $ equinotes book --pdf --zip
    """

    execute: Literal["stale", "all", "none"] = "stale"
    """Notebooks to execute first: those out of date, all, or none."""
    jobs: int = 2
    """Notebooks that run at a time; they share the cores."""

    pdf: bool = False
    """Print the whole book into _build/equinotes.pdf as well; needs Chromium."""
    zip: bool = False
    """Pack the site into _build/equinotes.zip as well, to take away: unpacked, it opens from the file system."""

    def run(self) -> int:
        from equinotes.book import archive, printed
        from equinotes.book.site import build

        if self.pdf:
            printed.find_chromium()  # before minutes of work
        site = build(execute=self.execute, jobs=self.jobs).parent
        if self.zip:
            print(f"wrote {archive.pack_site(site, site.with_name('equinotes.zip'))}")
        if self.pdf:
            print("printing the book: some minutes", flush=True)
            print(f"wrote {printed.print_book(site, site.with_name('equinotes.pdf'))}")
        return 0


def _line_of_notebook(path: Path) -> str:
    from equinotes.book.parameters import name_of, seconds_of, title_of

    seconds = seconds_of(path)
    return f"{name_of(path) or path.stem:32} {title_of(path)}" + ("" if seconds is None else f" ({duration(seconds)})")
