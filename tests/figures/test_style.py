"""The palette is legible on both pages and for every eye; an order has one colour everywhere."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from equinotes.figures.style import (
    ELEMENT_COLOURS,
    GREY,
    NEGATIVE,
    ORDER_COLOURS,
    POSITIVE,
    SEQUENTIAL,
    order_colour,
    order_marker,
    use_style,
)

LIGHT, DARK = "#ffffff", "#121212"
# how colours look without one kind of cones: Machado, Oliveira & Fernandes, IEEE TVCG 15, 1291 (2009), severity 1, linear RGB
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour):
    value = np.array(to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(colour, page):
    """WCAG 2.1, relative luminance."""
    light, dark = sorted((linear(one) @ [0.2126, 0.7152, 0.0722] for one in (colour, page)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def oklab(rgb):
    """Perceptual coordinates of linear RGB (Ottosson 2020)."""
    cones = np.cbrt([
        [0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ] @ np.clip(rgb, 0, 1))  # fmt: skip
    return np.array([
        [0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]) @ cones  # fmt: skip


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_text_and_marks_stand_out_from_both_pages(page):
    assert contrast(GREY, page) > 4.2
    marks = (*ORDER_COLOURS, POSITIVE, NEGATIVE, *ELEMENT_COLOURS.values())
    assert min(contrast(colour, page) for colour in marks) >= 3
    assert min(contrast(SEQUENTIAL(value), page) for value in np.linspace(0, 0.85, 18)) > 1.4


@pytest.mark.parametrize("vision", VISION)
def test_no_two_orders_look_alike(vision):
    seen = {colour: oklab(np.array(VISION[vision]) @ linear(colour)) for colour in (*ORDER_COLOURS, GREY)}
    nearest = min(np.linalg.norm(seen[a] - seen[b]) for a, b in combinations(seen, 2))
    assert nearest > 0.09  # more than four just noticeable differences of .02


def test_names_numbers_and_numpy_numbers_of_an_order_share_its_colour():
    assert {order_colour(name) for name in (2, "2e", "2o", "2", np.int64(2))} == {ORDER_COLOURS[2]}
    assert order_colour("joint") == GREY
    assert len({(order_colour(l), order_marker(l)) for l in range(7)}) == 7


def test_the_style_is_transparent_and_can_be_set_twice():
    with mpl.rc_context():
        use_style()
        use_style()
        assert mpl.rcParams["figure.facecolor"] == mpl.rcParams["axes.facecolor"] == "none"
        assert mpl.rcParams["text.color"] == GREY
