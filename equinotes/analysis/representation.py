"""How features fill their space: norms per order, effective rank, similarity of two networks."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from jaxtyping import Float

from equinotes.irreps import split_irreps


def norm_shares(layers: Iterable[tuple[str, np.ndarray, str]]) -> pd.DataFrame:
    """Mean square of a component of each order, E ||x_l||^2 / ((2l+1) c), and its share over the orders of a layer.

    `layers` holds (name, [sites, dim], irreps), as `embed` gives them. Norms mean little where a later layer rescales them.
    Returns columns `layer`, `irrep`, `mean_square`, `share`.
    """
    rows = [
        (name, irrep, float(np.square(part.astype(np.float64)).mean()))
        for name, x, irreps in layers
        for irrep, part in split_irreps(x, irreps).items()
    ]
    table = pd.DataFrame(rows, columns=["layer", "irrep", "mean_square"])
    total = table.groupby("layer")["mean_square"].transform("sum")
    return table.assign(share=(table["mean_square"] / total).where(total > 0, 0.0))


def effective_rank(part: Float[np.ndarray, "sites mul m"]) -> float:
    """Effective number of directions among the channels: between 1 and mul.

    exp of the entropy of the normalised singular values of the [sites (2l+1), mul] matrix: Roy & Vetterli, EUSIPCO 2007. The
    components of a site stand below each other, so that no rotation of the molecules changes the result. 0 where all is zero.

    >>> round(effective_rank(np.eye(3)[:, :, None]), 6)
    3.0
    """
    matrix = np.swapaxes(part, -1, -2).reshape(-1, part.shape[-2]).astype(np.float64)
    values = np.linalg.svd(matrix, compute_uv=False)
    if values.sum() == 0:
        return 0.0
    weights = values / values.sum()
    weights = weights[weights > 0]
    return float(np.exp(-(weights * np.log(weights)).sum()))


def cka(a: Float[np.ndarray, "sites dim_a"], b: Float[np.ndarray, "sites dim_b"]) -> float:
    """Linear centred kernel alignment: 1 where b is a turned and rescaled, near 0 for unrelated features of many more sites.

    Kornblith et al., ICML 2019, eq. 4. Use it on invariants: raw components of l > 0 depend on the molecules' frames.
    0 where one side does not vary.
    """
    a, b = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64) for x in (a, b))
    norm = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.square(np.linalg.norm(b.T @ a)) / norm) if norm > 0 else 0.0
