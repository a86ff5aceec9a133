"""The pages of a built site in the order of reading, as its "next" links go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

from equinotes.support.errors import UserError

FIRST = "book/index.html"


def reading_order(site: Path) -> Iterator[tuple[str, Any]]:
    """Place in the site and parsed page (BeautifulSoup), from the front page on; UserError where no site was built."""
    from bs4 import BeautifulSoup

    place: str | None = FIRST
    seen = set[str]()
    while place and place not in seen:
        seen.add(place)
        path = site / place
        if not path.is_file():
            raise UserError(f"no page {path}; `equinotes book` builds the site")
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        yield place, page
        following = page.select_one("a.right-next")
        place = local_target(site, place, str(following["href"]))[0] if following else None


def local_target(site: Path, place: str, address: str) -> tuple[str | None, str]:
    """Place in the site and anchor that a link of a page leads to; None as place for an address outside of the site."""
    address, anchor = urldefrag(address)
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None, anchor
    target = (site / place).parent / unquote(parts.path) if parts.path else site / place
    try:
        return target.resolve().relative_to(site.resolve()).as_posix(), unquote(anchor)
    except ValueError:
        return None, anchor
