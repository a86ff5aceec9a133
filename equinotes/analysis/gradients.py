"""Gradients of the loss with respect to features and weights, as shares of the orders."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from equinotes.irreps import split_irreps


def gradient_shares(layers: Iterable[tuple[tuple[str, np.ndarray, str], tuple[str, np.ndarray, str]]]) -> pd.DataFrame:
    """Share of each order in the flow g_l = ||dL/dx_l|| ||x_l||, per layer.

    `layers` holds pairs (features, gradients), each (name, [atoms, dim], irreps), as `feature_gradients`
    gives them. The norms run over all atoms, channels and components; the product does not change when x_l is rescaled and what
    reads it is rescaled the other way.

    Returns columns `layer`, `irrep`, `feature_norm`, `gradient_norm`, `flow`, `share` (sums to 1 over a layer's irreps), and
    `zero_fraction`, the share of gradient components that are exactly zero.
    """
    rows = []
    for (name, x, irreps), (_, gradient, _) in layers:
        slopes = split_irreps(gradient, irreps)
        for irrep, part in split_irreps(x, irreps).items():
            slope = slopes[irrep]
            size, steepness = (float(np.linalg.norm(values.astype(np.float64))) for values in (part, slope))
            zeros = float((slope == 0).mean())
            rows.append((name, irrep, size, steepness, size * steepness, zeros))
    table = pd.DataFrame(rows, columns=["layer", "irrep", "feature_norm", "gradient_norm", "flow", "zero_fraction"])
    total = table.groupby("layer")["flow"].transform("sum")
    return table.assign(share=(table["flow"] / total).where(total > 0, 0.0))


def dead_weights(weights: pd.DataFrame, by: tuple[str, ...] = ("block", "l3")) -> pd.DataFrame:
    """Weights, and how many of them no data set can move: those whose gradient is exactly zero.

    `weights` has a row per path, as `features.weight_gradients` gives them (`numel`, `zero_fraction`). Returns the
    columns of `by`, `weights`, `dead` and `dead_share`.
    """
    counted = weights.assign(weights=weights["numel"], dead=(weights["zero_fraction"] * weights["numel"]).round().astype(int))
    table = counted.groupby(list(by), as_index=False)[["weights", "dead"]].sum()
    return table.assign(dead_share=table["dead"] / table["weights"])
