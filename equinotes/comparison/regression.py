"""Ridge regression on the columns of a basis, beside the composition, which is not penalised."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

PENALTIES = np.logspace(-9, 3, 25)
"""Ridge penalties on standardised columns, per molecule; validation molecules choose."""


@dataclass(frozen=True)
class Fit:
    """A constant and energies of the elements, and ridge coefficients of what they leave of the columns."""

    elements: Float[np.ndarray, " terms"]
    expected: Float[np.ndarray, "terms columns"]
    """The columns' own fit by composition."""
    scale: Float[np.ndarray, " columns"]
    mixing: Float[np.ndarray, "columns kept"]
    """Random combinations where there are more columns than wanted, else the identity."""
    coefficients: Float[np.ndarray, " kept"]
    penalty: float

    def __call__(
        self, counts: Float[np.ndarray, "molecules elements"], x: Float[np.ndarray, "molecules columns"]
    ) -> Float[np.ndarray, " molecules"]:
        """Predictions in the target's unit from counts of elements and columns."""
        c = _with_constant(counts)
        return c @ self.elements + ((x - c @ self.expected) / self.scale) @ self.mixing @ self.coefficients


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
    c, fitted = _with_constant(counts), slice(0, len(y) - held_out)
    both = np.linalg.lstsq(c[fitted], np.concatenate([y[fitted, None], x[fitted]], axis=1), rcond=None)[0]
    elements, expected = both[:, 0], both[:, 1:]
    left, z = y - c @ elements, x - c @ expected
    scale = z[fitted].std(0)
    scale = np.where(scale > 1e-10 * np.abs(x[fitted]).max(0), scale, np.inf)  # what composition fixes says nothing more
    width = x.shape[1]
    mixing = np.random.default_rng(seed).normal(size=(width, most)) / width**0.5 if width > most else np.eye(width)
    z = (z / scale) @ mixing
    values, axes = np.linalg.eigh(z[fitted].T @ z[fitted])
    projected = axes.T @ (z[fitted].T @ left[fitted])
    tried = [axes @ (projected / (values.clip(0) + penalty * len(z[fitted]))) for penalty in PENALTIES]
    errors = [np.abs(z[fitted.stop :] @ one - left[fitted.stop :]).mean() for one in tried]
    best = int(np.argmin(errors))
    return Fit(elements, expected, scale, mixing, tried[best], float(PENALTIES[best]))


def _with_constant(counts: Float[np.ndarray, "molecules elements"]) -> Float[np.ndarray, "molecules terms"]:
    return np.concatenate([np.ones((len(counts), 1)), counts], axis=1)
