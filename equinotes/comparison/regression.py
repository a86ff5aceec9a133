"""Ridge regression on the columns of a basis: the composition first, then the rest."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

PENALTIES = np.logspace(-9, 3, 25)
"""Ridge penalties on standardised columns, per molecule; validation molecules choose."""


@dataclass(frozen=True)
class Fit:
    """Energies of the elements by least squares, then ridge regression of what they leave."""

    elements: Float[np.ndarray, " elements"]
    mean: Float[np.ndarray, " columns"]
    scale: Float[np.ndarray, " columns"]
    mixing: Float[np.ndarray, "columns kept"]
    """Random combinations where there are more columns than wanted, else the identity."""
    coefficients: Float[np.ndarray, " kept"]
    rest: float
    penalty: float

    def __call__(
        self, counts: Float[np.ndarray, "molecules elements"], x: Float[np.ndarray, "molecules columns"]
    ) -> Float[np.ndarray, " molecules"]:
        """Predictions in the target's unit from counts of elements and columns."""
        return counts @ self.elements + self.rest + ((x - self.mean) / self.scale) @ self.mixing @ self.coefficients


def fit(
    counts: Float[np.ndarray, "molecules elements"],
    x: Float[np.ndarray, "molecules columns"],
    y: Float[np.ndarray, " molecules"],
    held_out: int,
    most: int,
    seed: int = 0,
) -> Fit:
    """Fit to all molecules but the last `held_out`, which choose the penalty by their mean absolute error.

    More than `most` columns become `most` random combinations of them, so that bases are compared at an equal number.
    """
    fitted = slice(0, len(y) - held_out)
    elements = np.linalg.lstsq(counts[fitted], y[fitted], rcond=None)[0]
    left = y - counts @ elements
    mean, scale = x[fitted].mean(0), x[fitted].std(0)
    scale = np.where(scale > 1e-12 * np.abs(x[fitted]).max(0).clip(1e-30), scale, np.inf)  # constant columns say nothing
    z = (x - mean) / scale
    width = x.shape[1]
    mixing = np.random.default_rng(seed).normal(size=(width, most)) / width**0.5 if width > most else np.eye(width)
    z = z @ mixing
    rest = float(left[fitted].mean())
    values, axes = np.linalg.eigh(z[fitted].T @ z[fitted])
    projected = axes.T @ (z[fitted].T @ (left[fitted] - rest))
    number = len(z[fitted])
    tried = [axes @ (projected / (values.clip(0) + penalty * number)) for penalty in PENALTIES]
    errors = [np.abs(z[fitted.stop :] @ one + rest - left[fitted.stop :]).mean() for one in tried]
    best = int(np.argmin(errors))
    return Fit(elements, mean, scale, mixing, tried[best], rest, float(PENALTIES[best]))
