"""The built site in a browser: every page, over http and from the file system, in light and dark, wide and narrow.

`make book` builds the site and `.ci/run` asks these tests behind it; `make test`, which comes first, leaves them out. Without a
site of today's sources, or without Chromium, they are skipped; with EQUINOTES_SITE=required they fail and say why.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, sync_playwright

from equinotes.book.site import is_current

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--no-proxy-server"]
MEBIBYTE = 2**20
WIDTHS = (1600, 1024, 768, 360, 390)
"""Screens in pixels, from a desktop's to a telephone's; axe looks at the last."""

CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = text => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const faint = {};
  const walker = document.createTreeWalker(document.querySelector("article") ?? document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    const element = node.parentElement, aside = "script, style, svg, a.headerlink, button";
    if (!node.textContent.trim() || !element.checkVisibility() || element.closest(aside)) continue;
    const style = getComputedStyle(element), background = behind(element);
    const [a, b] = [light(over(rgba(style.color), background)), light(background)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05), size = parseFloat(style.fontSize);
    const enough = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < enough) faint[`${element.tagName.toLowerCase()}.${element.className} ${style.color}`] = ratio.toFixed(2);
  }
  return faint;
}"""
"""Kinds of text whose contrast with what lies behind is below WCAG 2.2's level AA (1.4.3), with the contrast."""

MATH = """async () => {
  if (window.MathJax?.startup) await MathJax.startup.promise;
  await document.fonts.ready;
  const missing = [...document.querySelectorAll("article .math")].filter(e => !e.querySelector("mjx-container"));
  const wrong = [...document.querySelectorAll("mjx-merror")];
  return [...missing, ...wrong].map(e => e.textContent.slice(0, 80));
}"""

UNDRAWN = """[...document.querySelectorAll("figure.picture")]
  .filter(figure => !figure.dataset.drawn || !figure.querySelector("canvas")?.width).map(figure => figure.dataset.picture)"""
"""Pictures whose script did not draw them."""


@dataclass
class Visit:
    """What a browser met on one page."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    bytes: int = 0
    math: list[str] = field(default_factory=list)
    faint: dict[str, dict[str, str]] = field(default_factory=dict)
    sideways: dict[int, int] = field(default_factory=dict)
    barriers: dict[str, list[str]] = field(default_factory=dict)
    undrawn: list[str] = field(default_factory=list)


def pages() -> list[str]:
    """Pages of the site by place; the first one only sends the reader on to the book."""
    places = [path.relative_to(SITE).as_posix() for path in sorted(SITE.rglob("*.html"))]
    return [place for place in places if not place.startswith("_static/") and place != "index.html"]


def parsed_pages() -> dict[str, BeautifulSoup]:
    return {place: parsed(place) for place in pages()}


@cache
def parsed(place: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / place).read_text(encoding="utf-8"), "html.parser")


def missing(what: str) -> None:
    if os.environ.get("EQUINOTES_SITE") == "required":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module", autouse=True)
def site_of_these_sources() -> None:
    if not pages():
        missing("no built site: `make book` makes it")
    if not is_current(ROOT):
        missing("the site in _build/html is of other sources than those here: `make book` builds it again")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        missing("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=pages() or [None])
def place(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def over_http(place: str, browser: Browser, server: str) -> Visit:
    with browser.new_context() as context:
        return load(context.new_page(), f"{server}/{place}")


@pytest.fixture(scope="module")
def from_files(place: str, browser: Browser) -> Visit:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        visit = load(page, (SITE / place).as_uri())
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            visit.faint[theme] = page.evaluate(CONTRAST)
        visit.barriers["wide"] = barriers(page, contrast=True)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            visit.sideways[width] = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        page.wait_for_timeout(1000)  # what scripts do about the new width: the theme waits 300 ms
        visit.barriers["narrow"] = barriers(page)
        return visit


def load(page: Page, address: str) -> Visit:
    """Open a page, wait until its mathematics is set, and note all that it asked for and complained of."""
    visit, responses = Visit(), []
    page.set_default_timeout(180_000)  # busy machines take their time
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("response", lambda response: responses.append(response))  # noqa: PLW0108 - playwright wants a function
    page.on("requestfailed", lambda request: visit.errors.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("console", lambda said: visit.errors.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(address)
    visit.math = page.evaluate(MATH)
    page.wait_for_timeout(200)  # what a script would ask for late
    visit.undrawn = page.evaluate(UNDRAWN)
    visit.scripts = page.evaluate("[...document.scripts].map(script => script.src).filter(source => source)")
    visit.errors += [f"{response.status}: {response.url}" for response in responses if response.status >= 400]
    visit.bytes = sum(len(response.body()) for response in responses if response.url.startswith("http"))
    return visit


def barriers(page: Page, *, contrast: bool = False) -> list[str]:
    """What axe finds serious or critical: the rule, and the first element that breaks it.

    Style sheets are not read again by requests of axe's own, and only violations are told in full: it takes half the time.
    """
    options = {"preload": False, "resultTypes": ["violations"], "rules": {"color-contrast": {"enabled": contrast}}}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found if each["impact"] in ("serious", "critical")]


def test_nothing_serious_stands_in_the_way_of_readers_with_other_senses(place, from_files):
    assert from_files.barriers == {"wide": [], "narrow": []}


def test_pages_ask_only_for_what_lies_in_their_folder(place, over_http, from_files, server):
    own = (server + "/", SITE.as_uri() + "/", "data:", "blob:")
    assert [url for url in over_http.requests + from_files.requests if not url.startswith(own)] == []


def test_console_is_silent(place, over_http, from_files):
    assert over_http.errors + from_files.errors == []


def test_mathematics_is_set(place, over_http, from_files):
    assert over_http.math + from_files.math == []


def test_text_stands_out_in_light_and_dark(place, from_files):
    assert from_files.faint == {"light": {}, "dark": {}}


def test_tables_scroll_sideways_but_not_the_page(place, from_files):
    assert {width: beyond for width, beyond in from_files.sideways.items() if beyond > 1} == {}


def test_pages_keep_their_weight(place, over_http):
    budget = 5.5 if place.startswith("_executed/") else 3.5
    assert over_http.bytes <= budget * MEBIBYTE


def test_no_page_loads_thebe_or_require(place, over_http):
    assert [script for script in over_http.scripts if "thebe" in script or "require" in script] == []


def test_pictures_are_drawn_over_http_and_from_files(place, over_http, from_files):
    assert over_http.undrawn + from_files.undrawn == []


def test_scripts_of_pictures_load_only_with_their_pictures(place, over_http):
    kinds = {figure["data-picture"] for figure in parsed(place).select("figure.picture")}
    loaded = {Path(urlsplit(script).path).stem for script in over_http.scripts if "/pictures/" in script}
    assert loaded == (kinds | {"core", "space", "chart"} if kinds else set())


def test_links_lead_somewhere(place):
    broken = []
    for link in parsed(place).find_all(href=True):
        target = urlsplit(link["href"])
        if target.scheme or target.netloc:
            if target.scheme not in ("http", "https", "mailto") or link.name != "a":
                broken.append(link["href"])
            continue
        path = (SITE / place).parent / unquote(target.path) if target.path else SITE / place
        path = path.resolve()
        if not path.is_file():
            broken.append(link["href"])
        elif target.fragment and path.suffix == ".html":
            page = parsed(path.relative_to(SITE.resolve()).as_posix())
            if not page.find(id=unquote(target.fragment)):
                broken.append(link["href"])
    assert broken == []


def test_images_exist_and_say_what_they_show(place):
    for image in parsed(place).find_all("img"):
        source, text = image["src"], image.get("alt", "")
        assert source.startswith("data:") or (SITE / place).parent.joinpath(unquote(source)).is_file()
        assert len(text) > 10, f"{source} has no alternative text"
        assert "_images/" not in text, f"{source} has its file name for alternative text"
