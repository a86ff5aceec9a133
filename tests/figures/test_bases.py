"""Figures of the chapter on other bases."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from equinotes.figures import bases as draw
from equinotes.figures.style import GREY, order_colour


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_pattern_has_a_panel_for_each_basis_and_each_matrix():
    tensor = np.diag([1.0, -1, 0])
    fig = draw.plot_pattern({"orders": {"l=0": 1.0, "l=2": 0.3}, "frame": {"m=0": 0.2}}, {"tensor": tensor})
    assert [ax.get_title() for ax in fig.axes] == ["orders", "frame", "tensor"]
    assert [bar.get_height() for bar in fig.axes[0].patches] == [1.0, 0.3]
    colours = [to_hex(bar.get_facecolor()) for ax in fig.axes[:2] for bar in ax.patches]
    assert colours == [to_hex(order_colour(0)), to_hex(order_colour(2)), to_hex(GREY)]
    assert np.array_equal(fig.axes[2].images[0].get_array(), tensor)
    assert len(draw.plot_pattern({"lengths": {"B1": 1.0}}).axes) == 1


def test_a_mean_is_drawn_on_the_scale_of_its_function():
    whole = np.outer(np.linspace(-1, 1, 5), np.ones(7))
    fig = draw.plot_means({"l = 3": (whole, 0 * whole)})
    before, after = (ax.images[0] for ax in fig.axes)
    assert before.get_clim() == after.get_clim() == (-1, 1)
    assert "largest 0" in fig.axes[1].get_title()


def test_two_sets_have_all_their_distances_and_one_scale():
    points = np.eye(3)
    fig = draw.plot_pair(points, 2 * points, {"one": 0.0, "other": 0.1})
    assert len(fig.axes[0].lines) == 3 + 1
    assert fig.axes[0].get_xlim() == fig.axes[1].get_xlim()
    assert [bar.get_width() for bar in fig.axes[2].patches] == [draw.TINY, 0.1]


def test_differences_are_ordered_as_the_labels():
    table = pd.DataFrame(
        [("b", "bend", 1e-3), ("a", "bend", 0.0), ("a", "square", 1.0), ("b", "square", 1.0)],
        columns=["basis", "pair", "difference"],
    )
    fig = draw.plot_seen(table, {"a": "first", "b": "second", "c": "not stored"})
    assert [text.get_text() for text in fig.axes[0].get_yticklabels()] == ["first", "second"]
    np.testing.assert_allclose(fig.axes[0].images[0].get_array(), [[-16, 0], [-3, 0]])


def test_errors_and_costs_stand_in_the_line_of_their_basis():
    table = pd.DataFrame({"label": ["a", "b"], "mae_eV": [0.3, 0.4], "spread_eV": [0.01, 0.02], "cost": [1.0, 9.0]})
    fig = draw.plot_errors(table)
    assert fig.axes[1].lines[0].get_xdata().tolist() == [1.0, 9.0]
    assert [text.get_text() for text in fig.axes[0].get_yticklabels()] == ["a", "b"]
