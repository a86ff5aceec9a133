"""Linear probes: what a linear map reads from features, beyond composition.

Compare every score with the same probe on untrained features. Composition-projected probes: see also Steier, arXiv 2603.03155.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, KFold
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
    given: Float[np.ndarray, "molecules _"] | None = None, groups: Shaped[np.ndarray, " molecules"] | None = None,
    folds: int = 5, seed: int = 0,
) -> Probe:  # fmt: skip
    """Ridge regression of y on x, cross-validated; R^2 on the folds left out.

    With `given` (atoms per element, say) what it explains linearly is first taken off y and x, fitted on the same training folds:
    the R^2 is that of the rest of y. The penalty is chosen inside the training folds. 0 means no better than the mean.

    Molecules of one group (a formula, say) stand in one fold, also where the penalty is chosen: isomers, which resemble each
    other, are then not on both sides.
    """
    return probes(x, np.asarray(y)[:, None], given=given, groups=groups, folds=folds, seed=seed)[0]


def probes(
    x: Float[np.ndarray, "molecules dim"], y: Float[np.ndarray, "molecules targets"], *,
    given: Float[np.ndarray, "molecules _"] | None = None, groups: Shaped[np.ndarray, " molecules"] | None = None,
    folds: int = 5, seed: int = 0,
) -> list[Probe]:  # fmt: skip
    """`probe` for several targets at once, which takes no more time than for one; each has a penalty of its own."""
    scores = []
    for train, test in folds_of(len(x), groups, folds=folds, seed=seed):
        features, targets = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if given is not None:
            features, targets = (_residual(given, values, train) for values in (features, targets))
        ridge = RidgeCV(ALPHAS, alpha_per_target=True)
        if groups is not None:
            scaled = StandardScaler().fit_transform(features[train])
            ridge = Ridge(_penalties(scaled, targets[train], groups[train], seed))
        model = make_pipeline(StandardScaler(), ridge).fit(features[train], targets[train])
        fit = model.predict(features[test]).reshape(len(test), -1)
        means = targets[train].mean(axis=0)
        scores.append([_r2(targets[test, k], fit[:, k], means[k]) for k in range(targets.shape[1])])
    return [Probe(float(np.mean(column)), float(np.std(column))) for column in zip(*scores, strict=True)]


def folds_of(
    count: int, groups: Shaped[np.ndarray, " molecules"] | None = None, *, folds: int = 5, seed: int = 0
) -> list[tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]]:
    """Random folds as (train, test) pairs of row numbers; with `groups`, no group stands on both sides of a fold."""
    splitter = (KFold if groups is None else GroupKFold)(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros((count, 1)), groups=groups))


def probe_table(
    features: Mapping[str, Float[np.ndarray, "molecules _"]], targets: Mapping[str, Float[np.ndarray, " molecules"]], *,
    given: Float[np.ndarray, "molecules _"] | None = None, groups: Shaped[np.ndarray, " molecules"] | None = None,
    folds: int = 5, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """`probe` for every set of features and every target: columns `features`, `target`, `r2`, `sd`."""
    values = np.stack(list(targets.values()), axis=1)
    rows = [
        (name, target, *found)
        for name, x in features.items()
        for target, found in zip(targets, probes(x, values, given=given, groups=groups, folds=folds, seed=seed), strict=True)
    ]
    return pd.DataFrame(rows, columns=["features", "target", "r2", "sd"])


def _penalties(
    x: Float[np.ndarray, "n dim"], y: Float[np.ndarray, "n targets"], groups: Shaped[np.ndarray, " n"], seed: int
) -> Float[np.ndarray, " targets"]:
    """The penalty for each target that predicts groups best which it was not fitted to."""
    errors = np.zeros((len(ALPHAS), y.shape[1]))
    for train, test in folds_of(len(x), groups, folds=4, seed=seed):
        for k, alpha in enumerate(ALPHAS):
            fit = Ridge(alpha).fit(x[train], y[train]).predict(x[test]).reshape(len(test), -1)
            errors[k] += np.square(fit - y[test]).sum(axis=0)
    return ALPHAS[errors.argmin(axis=0)]


def _residual(
    given: Shaped[np.ndarray, "n _"], values: Float[np.ndarray, "n *dim"], train: Int[np.ndarray, " train"]
) -> Float[np.ndarray, "n *dim"]:
    return values - LinearRegression().fit(given[train], values[train]).predict(given)


def _r2(y: Float[np.ndarray, " n"], fit: Float[np.ndarray, " n"], mean: float) -> float:
    spread = float(np.square(y - mean).sum())
    return 1 - float(np.square(y - fit).sum()) / spread if spread > 0 else 0.0
