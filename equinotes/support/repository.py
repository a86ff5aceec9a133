"""Location of the repository that contains the book."""

from pathlib import Path


def find_root(start: Path | str | None = None) -> Path:
    """The repository that contains the book: `start`, or the first found above the working directory or the package.

    Raises FileNotFoundError if there is none.
    """
    if start is not None:
        candidates = [Path(start)]
    else:
        candidates = [Path.cwd(), *Path.cwd().parents, Path(__file__).parents[2]]
    for folder in candidates:
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder.resolve()
    raise FileNotFoundError(f"no book (_toc.yml and notebooks/) at {candidates[0]}: run this in a clone of the repository")
