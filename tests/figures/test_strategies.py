"""The figure of strategies: what is drawn, and what it says where nothing is."""

import matplotlib.pyplot as plt
import pandas as pd

from equinotes.figures.strategies import plot_strategies


def row(strategy, quantity, against="plain", estimate=0.1):
    return {"strategy": strategy, "quantity": quantity, "against": against, "estimate": estimate, "low": 0.05, "high": 0.15}


def test_words_stand_where_nothing_was_run_or_measured_and_no_line_crosses_them():
    effects = pd.DataFrame([row("a", "error"), row("a", "error", "control"), row("a", "use of 1"), row("b", "error")])
    figure = plot_strategies(effects, ["a", "b", "c"], [1])
    words = [sorted((text.get_position()[1], text.get_text()) for text in ax.texts) for ax in figure.axes]
    assert words == [[(1, "not run yet")], [(1, "not run yet"), (2, "not measured")]]
    zero = [[sorted(segment[:, 1]) for segment in ax.collections[0].get_segments()] for ax in figure.axes]
    assert zero == [[[2.5, 3.5], [1.5, 2.5]], [[2.5, 3.5]]]
    assert len(figure.axes[0].lines) == 2 * 3, "a mark and an interval for each row"
    plt.close(figure)


def test_without_rows_the_figure_says_so():
    figure = plot_strategies(pd.DataFrame(), ["a"], [1])
    assert [text.get_text() for text in figure.axes[0].texts] == ["not run yet"]
    plt.close(figure)
