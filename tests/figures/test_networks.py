"""Figures of the comparison of networks."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from equinotes.figures.networks import RATIOS, plot_attention, plot_costs, plot_worth


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def marks(ax):
    """Points of all lines that have marks."""
    return [tuple(map(float, xy)) for line in ax.lines if line.get_marker() not in ("", "None", None) for xy in line.get_xydata()]


def test_attention_has_a_mark_for_each_pair_and_its_entropies_above():
    def table(shift):
        rows = [("attention1", "H to C", 0.9), ("attention1", "C to C", 1.1), ("attention2", "C to C", 1.0)]
        return pd.DataFrame([{"side": s, "ends": e, "weight": w + shift, "entropy": 0.75 + shift} for s, e, w in rows])

    first, second = plot_attention(table(0.0), table(0.2)).axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["H to C", "C to C"]
    np.testing.assert_allclose(sorted(marks(first)), [(0.9, 0), (1.1, 0), (1.1, 1), (1.3, 1)])
    assert "0.950 → 0.750" in first.get_title(), "untrained, then trained"
    assert sorted(x for x, _ in marks(second) if not np.isnan(x)) == pytest.approx([1.0, 1.2])


def test_worth_has_marks_where_something_is_known_and_says_where_not():
    changes = {f"{name}{end}": [value, np.nan] for name in ("damage", "cost") for end, value in
               (("", 0.3), ("_low", 0.2), ("_high", 0.4))}  # fmt: skip
    figure = plot_worth(pd.DataFrame({"title": ["NequIP", "SEGNN"], "l": [1, 1], **changes}))
    for ax in figure.axes:
        assert [x for x, _ in marks(ax)] == [0.3]
        assert [text.get_text() for text in ax.texts] == ["not run yet"]
        assert ax.texts[0].get_position()[1] < 1.1, "in SEGNN's row, the lower one"


def test_worth_of_a_network_that_was_trained_alone_says_not_examined():
    values = {f"{name}{end}": [value] for name, value in (("damage", np.nan), ("cost", 0.1)) for end in ("", "_low", "_high")}
    damage, cost = plot_worth(pd.DataFrame({"title": ["NequIP"], "l": [1], **values})).axes
    assert [text.get_text() for text in damage.texts] == ["not examined yet"] and not cost.texts


def test_costs_are_ratios_and_wide_intervals_end_at_the_edge():
    rows = {"title": ["NequIP", "NequIP", "SEGNN"], "place": ["bonds", "radius", "bonds"], "cost": [1.0, np.nan, 0.0],
            "cost_low": [0.5, np.nan, -0.99], "cost_high": [2.0, np.nan, 99.0]}  # fmt: skip
    (ax,) = plot_costs(pd.DataFrame(rows)).axes
    assert sorted(x for x, _ in marks(ax)) == [1.0, 2.0], "twice the error, and the same"
    intervals = [tuple(segment[:, 0]) for lines in ax.collections for segment in lines.get_segments()]
    assert intervals == [(1.5, 3.0), RATIOS], "from top to bottom"


def test_costs_of_nothing_say_not_run():
    rows = {"title": ["NequIP"], "place": ["bonds"], "cost": [np.nan], "cost_low": [np.nan], "cost_high": [np.nan]}
    (ax,) = plot_costs(pd.DataFrame(rows)).axes
    assert [text.get_text() for text in ax.texts] == ["not run yet"]


def test_costs_show_every_mean():
    rows = {
        "title": ["NequIP"] * 2,
        "place": ["bonds", "radius"],
        "cost": [-0.9, 19.0],
        "cost_low": [-0.95, 9],
        "cost_high": [0.0, 29],
    }
    (ax,) = plot_costs(pd.DataFrame(rows)).axes
    assert ax.get_xlim()[0] < 0.1 and ax.get_xlim()[1] > 20
