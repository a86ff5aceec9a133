"""What the figures of products show is what their tables hold."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from equinotes.analysis.harmonics import coupling, selection_rules
from equinotes.figures.products import plot_couplings, plot_legendre_sizes, plot_selection_rules, plot_turning


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("ls", [(0,), (0, 1, 2), (0, 3, 4, 5, 6)], ids=str)
def test_each_triple_is_marked_once_and_each_path_by_a_square(ls):
    rules = selection_rules(ls)
    panels = [ax for ax in plot_selection_rules(rules).axes if ax.axison]
    assert len(panels) == len(ls)
    for ax, l3 in zip(panels, ls, strict=True):
        marked = [len(dots.get_offsets()) for dots in ax.collections]
        assert sum(marked) == len(ls) ** 2
        assert marked[0] == rules[rules.l3 == l3].allowed.sum()
        assert f"{marked[0]} paths" in ax.get_title()


def test_one_matrix_for_each_component_of_the_result():
    fig = plot_couplings({l3: coupling(1, 1, l3) for l3 in (0, 1, 2)})
    shown = [image.get_array() for image in fig.axes[0].images]
    assert len(shown) == 1 + 3 + 5
    np.testing.assert_allclose(shown[0], np.eye(3) / np.sqrt(3), atol=1e-12)


def test_turning_draws_a_line_and_predictions_for_each_component_and_names_them():
    angles = np.arange(0.0, 361.0, 5.0)
    table = pd.concat(
        pd.DataFrame({"angle_deg": angles, "name": name, "value": value, "predicted": value})
        for name, value in {"m = -1": np.cos(np.radians(angles)), "length": 1.0}.items()
    )
    ax = plot_turning(table)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["m = -1", "length"]
    assert len(ax.lines) == 4


def test_coefficients_of_exactly_zero_are_drawn_at_the_floor():
    table = pd.DataFrame({"network": "a", "l": [1, 2, 3], "size": [1.0, 0.0, 1e-3]})
    ax = plot_legendre_sizes(table, floor=1e-16)
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1.0, 1e-16, 1e-3])
