"""Pictures that answer to their readers, in a browser and from the file system: drawn, steered by mouse, keys and touch, right.

Skipped without Chromium (with EQUINOTES_SITE=required they fail).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from e3nn import o3
from playwright.sync_api import Browser, Page, sync_playwright

from equinotes import RunConfig, build_network
from equinotes.analysis.harmonics import order_parameters

SCRIPTS = Path(__file__).parents[1] / "book" / "_static" / "pictures"
SHARED = ("core", "space", "chart")
KINDS = sorted(path.stem for path in SCRIPTS.glob("*.js") if path.stem not in SHARED)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-background-networking"]

HEAD = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>A picture</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="{root}/pictures.css">
<style>body {{ margin: 8px; font: 16px sans-serif }} html {{ --pst-color-text-base: #222 }}
html[data-theme=dark] {{ --pst-color-text-base: #ddd; background: #14181e }}</style>
{scripts}</head><body>"""

LOOKS = """() => [...document.querySelectorAll("canvas")].map(canvas => canvas.toDataURL()).join() +
  document.querySelector(".picture-says").textContent"""
"""All that a reader sees of a picture, as one string, of which `looks` makes a short one."""

SETTLED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"

INK = """() => [...document.querySelectorAll("canvas")].map(canvas => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  let inked = 0;
  for (let k = 0; k < pixels.length; k += 4) {
    if (!pixels[k + 3]) continue;
    inked++;
    colours.add(pixels[k] << 16 | pixels[k + 1] << 8 | pixels[k + 2]);
  }
  return [inked / (pixels.length / 4), colours.size];
})"""
"""Share of the pixels that are drawn, and number of colours, of each canvas."""

CHANGE = """control => {
  if (control.type === "range") control.value = control.value === control.max ? control.min : control.max;
  else if (control.tagName === "SELECT") control.selectedIndex = (control.selectedIndex + 1) % control.options.length;
  else { control.click(); return; }
  control.dispatchEvent(new Event(control.type === "range" ? "input" : "change", {bubbles: true}));
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None and os.environ.get("EQUINOTES_SITE") == "required":
        pytest.fail("no Chromium on this machine")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def addresses(picture_samples, tmp_path_factory) -> dict[str, str]:
    """A page for each kind of picture, in the file system."""
    folder, found = tmp_path_factory.mktemp("pictures"), {}
    for kind in KINDS:
        scripts = "".join(f'<script defer src="{SCRIPTS.as_uri()}/{name}.js"></script>' for name in (*SHARED, kind))
        page = folder / f"{kind}.html"
        head = HEAD.format(root=SCRIPTS.as_uri(), scripts=scripts)
        page.write_text(f"{head}{picture_samples.SAMPLES[kind]()._repr_html_()}</body></html>", encoding="utf-8")
        found[kind] = page.as_uri()
    return found


@pytest.fixture
def opened(browser, addresses) -> Iterator:
    """Opens the page of a kind; at the end, nothing may have been asked for or complained of."""
    contexts, said, asked = [], [], []

    def open_page(kind: str, *, width: int = 900, **options: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(addresses[kind])
        if options.get("java_script_enabled", True):
            page.evaluate(SETTLED)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def looks(page: Page) -> str:
    page.evaluate(SETTLED)
    return hashlib.sha256(page.evaluate(LOOKS).encode()).hexdigest()


def told(page: Page, name: str) -> object:
    page.evaluate(SETTLED)
    return json.loads(page.evaluate(f"document.querySelector('figure').dataset.{name}"))


def test_every_script_has_a_sample_and_the_shared_part_is_small(picture_samples):
    assert set(KINDS) == set(picture_samples.SAMPLES)
    assert sum((SCRIPTS / f"{name}.js").stat().st_size for name in SHARED) < 25_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [390, 1280])
def test_every_canvas_is_drawn_and_fits_the_page(kind, width, opened):
    page = opened(kind, width=width)
    for share, colours in page.evaluate(INK):
        assert share > 0.01 and colours >= 2
    assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_dark_theme_is_drawn_in_other_colours(kind, opened):
    page = opened(kind)
    light = looks(page)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert looks(page) != light


@pytest.mark.parametrize("kind", KINDS)
def test_every_control_changes_what_is_drawn(kind, opened):
    page = opened(kind)
    controls = page.query_selector_all(".picture-controls :is(input, select, button):enabled")
    assert controls
    for control in controls:
        before = looks(page)
        control.evaluate(CHANGE)
        assert looks(page) != before, control.evaluate("control => control.outerHTML")


@pytest.mark.parametrize("kind", KINDS)
def test_keys_reach_every_control_and_each_has_a_name(kind, opened):
    page = opened(kind)
    wanted = page.evaluate(
        """() => [...document.querySelectorAll(".picture-controls :is(input, select, button):enabled, canvas[tabindex='0']")]
             .map((node, k) => { node.dataset.number = k; return k; })"""
    )
    reached = []
    for _ in wanted:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("Number(document.activeElement.dataset.number)"))
    assert sorted(reached) == wanted
    unnamed = "[...document.querySelectorAll('input, select')].filter(node => !node.labels[0]?.textContent.trim()).length"
    assert page.evaluate(unnamed) == 0
    assert all(page.evaluate("[...document.querySelectorAll('canvas')].map(canvas => canvas.ariaLabel.length > 20)"))


@pytest.mark.parametrize("kind", ["harmonics", "turning", "site", "maps"])
def test_arrow_keys_and_the_mouse_steer_a_canvas(kind, opened):
    page = opened(kind)
    canvas = page.locator("canvas[tabindex='0']")
    views = [looks(page)]
    canvas.press("ArrowRight")
    views.append(looks(page))
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.45
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(12):
        page.mouse.move(x + 9 * step, y + 6 * step)
    page.mouse.up()
    views.append(looks(page))
    assert len(set(views)) == 3


@pytest.mark.parametrize("kind", ["harmonics", "turning", "site"])
def test_a_finger_turns_and_still_scrolls_the_page(kind, opened):
    page = opened(kind, width=390, has_touch=True, is_mobile=True)
    assert page.locator("canvas[tabindex='0']").evaluate("node => getComputedStyle(node).touchAction") == "pan-y"


@pytest.mark.parametrize("kind", KINDS)
def test_without_scripts_a_still_with_its_text_is_shown(kind, opened):
    page = opened(kind, java_script_enabled=False)
    still = page.locator("img.picture-still")
    assert still.is_visible() and len(still.get_attribute("alt")) > 30
    assert page.locator("canvas").count() == 0
    assert not opened(kind).locator("img.picture-still").is_visible()


def test_matrix_of_the_turned_harmonic_is_that_of_e3nn(opened, float64):
    page = opened("harmonics")
    for name in ("x", "y", "y", "z"):
        page.get_by_role("button", name=f"Turn about {name}").click()
    R = torch.tensor(told(page, "rotation"), dtype=float64)
    expected = o3.Irrep("2e").D_from_matrix(R).numpy()
    np.testing.assert_allclose(told(page, "matrix"), expected, atol=1e-6)
    assert abs(told(page, "length") - 1) < 1e-6


def test_features_turn_by_the_matrices_of_e3nn_and_invariants_stay(opened, picture_samples, float64):
    page = opened("turning")
    for name in ("x", "z", "z", "y"):
        page.get_by_role("button", name=f"Turn about {name}").click()
    R = torch.tensor(told(page, "rotation"), dtype=float64)
    for (l, before), after in zip(picture_samples.features().items(), told(page, "features"), strict=True):
        np.testing.assert_allclose(after, before @ o3.Irrep(l, (-1) ** l).D_from_matrix(R).numpy().T, atol=1e-6)
    assert told(page, "invariants") < 1e-6


@pytest.mark.parametrize("add", [(), (3,), (3, 4, 5, 6)], ids=str)
@pytest.mark.parametrize("width", [10, 80])
def test_fits_of_the_angle_are_those_of_numpy(add, width, opened):
    page = opened("angle")
    for l in add:
        page.get_by_label(f"{l}", exact=True).check()
    page.locator("input[type=range]").evaluate(
        "(node, width) => { node.value = width; node.dispatchEvent(new Event('input', {bubbles: true})); }", width
    )
    page.evaluate(SETTLED)
    data = json.loads(page.locator("script[type='application/json']").text_content())
    angles = np.array(data["angles"])
    inside = np.abs(angles - data["centre"]) <= width
    columns = np.array(data["legendre"])[[0, 1, 2, *add]][:, inside].T
    energy = np.array(data["targets"][0]["values"])[inside]
    rest = energy - columns @ np.linalg.lstsq(columns, energy, rcond=None)[0]
    np.testing.assert_allclose(told(page, "rms"), np.sqrt((rest**2).mean()), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("ls", "mul"), [((0, 1, 2), 32), ((0, 3, 4), 16), ((0, 1, 2, 3, 4, 5, 6), 16), ((0,), 8)], ids=str)
def test_parameters_are_those_of_the_network(ls, mul, opened):
    page = opened("paths")
    for l in range(1, 7):
        page.get_by_label(f"{l}", exact=True).set_checked(l in ls)
    page.locator("input[type=range]").evaluate(
        "(node, mul) => { node.value = mul; node.dispatchEvent(new Event('input', {bubbles: true})); }", mul
    )
    network = build_network(RunConfig(ls=ls, mul=mul), implementation="e3nn")
    last = [path for path in network.block_paths() if path.block == 5]
    dead = sum(path.where.stop - path.where.start for path in last if path.l3 > 0) * mul
    assert told(page, "total") == sum(p.numel() for p in network.parameters())
    assert told(page, "dead") == dead
    assert told(page, "paths") == len(last)


def test_lengths_of_a_site_are_its_order_parameters(opened, picture_samples):
    page = opened("site")
    bonds = picture_samples.METHANE[1:] - picture_samples.METHANE[0]
    np.testing.assert_allclose(told(page, "lengths"), order_parameters(bonds, 6), atol=1e-4)


def test_spoilt_orders_show_the_stored_numbers(opened, picture_samples):
    page, table = opened("spoil"), picture_samples.ablations()
    for label, option in {"How": "Set to zero", "Order": "2", "Behind block": "2", "Seed": "1"}.items():
        page.get_by_label(label, exact=True).select_option(label=option)
    shown = told(page, "chosen")
    row = table.query("mul == 16 and mode == 'zero' and irrep == '2e' and layer == 2 and seed == 1").iloc[0]
    assert [shown[name] for name in ("mae", "low", "high")] == pytest.approx([row.mae_eV, row.low_eV, row.high_eV], abs=1e-5)
    assert shown["whole"] == pytest.approx(row.mae_eV - row.delta_mae_eV, abs=1e-5)


def test_a_molecule_is_named_under_the_pointer_and_kept_when_the_map_changes(opened):
    page = opened("maps")
    canvas = page.locator("canvas")
    before = page.locator(".picture-says").text_content()
    box = canvas.bounding_box()
    for k in range(40):  # somewhere along this line lies a molecule
        page.mouse.move(box["x"] + box["width"] * (0.2 + 0.015 * k), box["y"] + box["height"] * 0.45)
    named = page.locator(".picture-says").text_content()
    assert named != before
    page.get_by_label("Network").select_option("untrained")
    assert page.locator(".picture-says").text_content() == named
