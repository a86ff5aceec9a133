"""Paths of a tensor product for a set of orders that the reader chooses."""

from collections.abc import Mapping

import pandas as pd

from equinotes.figures.interactive.base import Picture, as_png
from equinotes.figures.products import plot_selection_rules

SHOWN = (0, 1, 2)
"""Orders that are on at first."""

SIZES = ("embedding", "inputs", "blocks", "basis")


def tensor_paths(rules: pd.DataFrame, sizes: Mapping[str, int]) -> Picture:
    """Paths into each order, parameters of each part of the network, and those that never get a gradient.

    Parameters
    ----------
    rules
        Columns `l1`, `l2`, `l3`, `triangle`, `parity` and `allowed` for all triples of the orders on offer, as
        `analysis.harmonics.selection_rules` gives them.
    sizes
        `embedding` (numbers in the table of elements), `inputs` (scalars that enter the first block), `blocks` and `basis`
        (radial functions). The network that makes the weights of the paths has as many hidden units as there are channels.
    """
    allowed = rules[rules["allowed"]]
    data = {
        "orders": sorted(rules["l1"].unique().tolist()),
        "triples": allowed[["l1", "l2", "l3"]].to_numpy().tolist(),
        **{name: int(sizes[name]) for name in SIZES},
    }
    few = rules[rules[["l1", "l2", "l3"]].isin(SHOWN).all(axis=1)]
    alt = "One panel for each output order 0, 1, 2: which pairs of input order and harmonic order form a path into it."
    return Picture("paths", data, as_png(plot_selection_rules(few)), alt)
