"""Linear probes: what can be read off features with one linear map, beyond what the composition gives away.

Compare every score with the same probe on untrained features. Composition-projected probes: see also Steier, arXiv 2603.03155.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped
from scipy.linalg import cho_factor, cho_solve
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-4, 4, 17)
"""Ridge penalties tried, on standardised features."""


class Probe(NamedTuple):
    """Coefficient of determination on molecules that the probe was not fitted to: mean and spread over the folds."""

    r2: float
    sd: float


def probe(
    x: Float[np.ndarray, "molecules dim"], y: Float[np.ndarray, " molecules"], *,
    given: Float[np.ndarray, "molecules _"] | None = None, folds: int = 5, seed: int = 0,
) -> Probe:  # fmt: skip
    """Ridge regression of y on x, cross-validated; R^2 on the folds left out.

    With `given` (atoms per element, say) what it explains linearly is first taken off y and x, fitted on the same training folds:
    the R^2 is that of the rest of y. The penalty is chosen inside the training folds. 0 means no better than the mean.
    """
    return probes(x, np.asarray(y)[:, None], given=given, folds=folds, seed=seed)[0]


def probes(
    x: Float[np.ndarray, "molecules dim"], y: Float[np.ndarray, "molecules targets"], *,
    given: Float[np.ndarray, "molecules _"] | None = None, folds: int = 5, seed: int = 0,
) -> list[Probe]:  # fmt: skip
    """`probe` for several targets at once, which takes no more time than for one; each has a penalty of its own."""
    scores = []
    for train, test in KFold(folds, shuffle=True, random_state=seed).split(x):
        features, targets = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if given is not None:
            features, targets = (_residual(given, values, train) for values in (features, targets))
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, alpha_per_target=True))
        fit = model.fit(features[train], targets[train]).predict(features[test]).reshape(len(test), -1)
        means = targets[train].mean(axis=0)
        scores.append([_r2(targets[test, k], fit[:, k], means[k]) for k in range(targets.shape[1])])
    return [Probe(float(np.mean(column)), float(np.std(column))) for column in zip(*scores, strict=True)]


def equivariant_probe(
    x: Float[np.ndarray, "sites mul m"], y: Float[np.ndarray, "sites m"], *, folds: int = 5, seed: int = 0
) -> Probe:
    """Ridge regression y_m = sum_c w_c x_cm: one weight per channel, so that the fit turns with the molecule.

    x and y must be of one order and in one frame. There is no constant (none is equivariant for l > 0), so 0 means no better than
    predicting zero: R^2 = 1 - sum |y - fit|^2 / sum |y|^2 on the folds left out. The penalty, relative to the mean square of a
    channel, is chosen on a fifth of the training sites.
    """
    features, target = np.asarray(x, np.float64), np.asarray(y, np.float64)
    scores = []
    for train, test in KFold(folds, shuffle=True, random_state=seed).split(features):
        fit, check = train[: -(len(train) // 5)], train[-(len(train) // 5) :]
        alphas = np.logspace(-8, 2, 11)
        weights = [_channel_weights(features[fit], target[fit], alpha) for alpha in alphas]
        tried = [_r2(target[check], _apply(one, features[check])) for one in weights]
        best = _channel_weights(features[train], target[train], alphas[int(np.argmax(tried))])
        scores.append(_r2(target[test], _apply(best, features[test])))
    return Probe(float(np.mean(scores)), float(np.std(scores)))


def probe_table(
    features: Mapping[str, Float[np.ndarray, "molecules _"]], targets: Mapping[str, Float[np.ndarray, " molecules"]], *,
    given: Float[np.ndarray, "molecules _"] | None = None, folds: int = 5, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """`probe` for every set of features and every target: columns `features`, `target`, `r2`, `sd`."""
    values = np.stack(list(targets.values()), axis=1)
    rows = [
        (name, target, *found)
        for name, x in features.items()
        for target, found in zip(targets, probes(x, values, given=given, folds=folds, seed=seed), strict=True)
    ]
    return pd.DataFrame(rows, columns=["features", "target", "r2", "sd"])


def _residual(
    given: Shaped[np.ndarray, "n _"], values: Float[np.ndarray, "n *dim"], train: Int[np.ndarray, " train"]
) -> Float[np.ndarray, "n *dim"]:
    return values - LinearRegression().fit(given[train], values[train]).predict(given)


def _channel_weights(x: Float[np.ndarray, "n mul m"], y: Float[np.ndarray, "n m"], alpha: float) -> Float[np.ndarray, " mul"]:
    gram = np.einsum("ncm,ndm->cd", x, x)
    gram[np.diag_indices_from(gram)] += alpha * np.trace(gram) / len(gram) + np.finfo(float).tiny
    return cho_solve(cho_factor(gram), np.einsum("ncm,nm->c", x, y))


def _apply(weights: Float[np.ndarray, " mul"], x: Float[np.ndarray, "n mul m"]) -> Float[np.ndarray, "n m"]:
    return np.einsum("c,ncm->nm", weights, x)


def _r2(y: Float[np.ndarray, "n *m"], fit: Float[np.ndarray, "n *m"], mean: float = 0.0) -> float:
    spread = float(np.square(y - mean).sum())
    return 1 - float(np.square(y - fit).sum()) / spread if spread > 0 else 0.0
