"""Figures about published models."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from equinotes.figures.foundation import plot_by_layer
from equinotes.figures.style import order_colour


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_trained_values_are_joined_and_random_ones_hollow():
    rows = [
        (model, weights, layer, l, layer + l + (weights == "random"))
        for model in ("first", "second") for weights in ("trained", "random") for layer in (1, 2) for l in (0, 1)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["model", "weights", "layer", "l", "value"])
    figure = plot_by_layer(table, ylabel="a share", threshold=0.5, label="matters")
    assert [ax.get_title() for ax in figure.axes] == ["first", "second"]
    lines = figure.axes[1].get_lines()
    assert [line.get_linestyle() for line in lines] == ["-", "None", "-", "None", "--"]
    assert [list(line.get_ydata()) for line in lines] == [[1, 2], [2, 3], [2, 3], [3, 4], [0.5, 0.5]]
    assert lines[3].get_markerfacecolor() == "none" and lines[3].get_color() == order_colour(1)
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["$l=0$", "$l=1$", "trained", "random weights", "matters"]


def test_intervals_are_drawn_where_there_are_any():
    table = pd.DataFrame(
        {"model": "m", "weights": "trained", "layer": [1, 2], "l": 1, "value": 1.0, "low": 0.5, "high": [2.0, 3.0]}
    )
    (bars,) = plot_by_layer(table, ylabel="").axes[0].collections
    assert [list(bar[:, 1]) for bar in bars.get_segments()] == [[0.5, 2.0], [0.5, 3.0]]


def test_nothing_measured_is_said():
    empty = pd.DataFrame(columns=["model", "weights", "layer", "l", "value"])
    assert plot_by_layer(empty, ylabel="").axes[0].texts[0].get_text() == "not run"
