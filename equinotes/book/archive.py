"""The built site as one file to take away: unpacked anywhere, it opens from the file system."""

import zipfile
from pathlib import Path

from equinotes.support.errors import UserError
from equinotes.support.files import write_atomically

FOLDER = "equinotes-book"
"""What everything lies in when the archive is unpacked."""
MOMENT = (1980, 1, 1, 0, 0, 0)
"""Of every file: the same site gives the same archive."""


def pack_site(site: Path, out: Path) -> Path:
    """Write all files of the site into a ZIP archive; returns `out`. UserError where no site was built."""
    if not (site / "index.html").is_file():
        raise UserError(f"no site in {site}; `equinotes book` builds it")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, lambda beside: _write(site, beside))
    return out


def _write(site: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            place = path.relative_to(site)
            if not place.name.startswith("."):
                packed.writestr(_entry(f"{FOLDER}/{place.as_posix()}"), path.read_bytes())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, MOMENT)
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry
