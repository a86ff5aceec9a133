"""Gradient flow by order, and weights that nothing moves."""

import numpy as np
import pandas as pd
import pytest

from equinotes.analysis.gradients import dead_weights, gradient_shares


def test_flow_is_the_product_of_the_two_norms_and_shares_sum_to_one():
    x = np.array([[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 12.0, 0.0]])  # 1x0e+1x1o: |x_0| = 3, |x_1| = sqrt(16 + 144)
    gradient = np.array([[2.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    table = gradient_shares([(("block1", x, "1x0e+1x1o"), ("block1", gradient, "1x0e+1x1o"))]).set_index("irrep")
    assert table["flow"].to_dict() == pytest.approx({"0e": 3 * 2, "1o": np.sqrt(160) * 1})
    assert table["share"].sum() == pytest.approx(1)
    assert table["zero_fraction"].to_dict() == pytest.approx({"0e": 1 / 2, "1o": 5 / 6})


def test_rescaling_an_order_and_its_reader_changes_no_share():
    rng = np.random.default_rng(0)
    x, gradient = rng.normal(size=(2, 30, 8))
    scale = np.repeat([1.0, 1e3], [2, 6])
    irreps = "2x0e+2x1o"
    before = gradient_shares([(("a", x, irreps), ("a", gradient, irreps))])
    after = gradient_shares([(("a", x * scale, irreps), ("a", gradient / scale, irreps))])
    np.testing.assert_allclose(after["share"], before["share"])


def test_an_order_that_the_loss_never_sees_has_no_share():
    x, gradient = np.ones((2, 5, 4))
    gradient[:, 1:] = 0
    table = gradient_shares([(("last", x, "1x0e+1x1o"), ("last", gradient, "1x0e+1x1o"))]).set_index("irrep")
    assert table.loc["1o", ["share", "zero_fraction"]].tolist() == [0, 1]
    nothing = gradient_shares([(("last", x, "1x0e+1x1o"), ("last", 0 * gradient, "1x0e+1x1o"))])
    assert nothing["share"].tolist() == [0, 0]


def test_dead_weights_are_counted_by_block_and_output():
    paths = pd.DataFrame(
        {"block": [1, 2, 2, 2], "l3": [0, 0, 1, 1], "numel": [10, 20, 30, 50], "zero_fraction": [0.0, 0.5, 1.0, 1.0]}
    )
    table = dead_weights(paths)
    assert table[["weights", "dead"]].to_numpy().tolist() == [[10, 0], [20, 10], [80, 80]]
    assert dead_weights(paths, by=("block",))["dead_share"].tolist() == [0.0, 0.9]
