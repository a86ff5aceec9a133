"""Calibrated damage: what a network loses with one order's features, less what any network would lose.

Three corrections to plain shuffling. Features move only among atoms of the same element with as many neighbours (conditional),
so that shuffling l = 0 does not swap elements. Damaged predictions are recalibrated: what offset, composition and bond counts
can repair, refitted on other molecules, does not count. And the same damage is measured in an untrained trunk with a fitted
readout, so that only what training added counts. Networks appear as `predict(edit)` and `parts` alone.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from equinotes.analysis.ablation import Edit
from equinotes.analysis.complexity import permute_within
from equinotes.support.errors import UserError

DRAWS = 10
"""Permutations of each edit."""
PENALTIES = np.logspace(-6, 4, 21)
"""Ridge penalties of a fitted readout, on standardised features; leave-one-out errors choose."""


def environments(elements: Shaped[np.ndarray, " atoms"], neighbours: Shaped[np.ndarray, " atoms"]) -> Int[np.ndarray, " atoms"]:
    """A number for each atom that is the same for atoms of one element with as many neighbours.

    >>> environments(np.array([6, 1, 6, 6]), np.array([4, 1, 4, 3])).tolist()
    [2, 0, 2, 1]
    """
    return np.unique(np.stack([elements, neighbours], axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def conditional_shuffle(layer: int, irrep: str, groups: Int[np.ndarray, " atoms"], seed: Any = 0) -> Edit:
    """The edit that permutes the features of one irrep behind one layer among atoms of a group; singletons stay fixed.

    Raises ValueError where the layer lacks the irrep or holds another number of atoms than `groups`.
    """
    order = permute_within(groups, np.random.default_rng(seed))

    def edit(block: int, parts: dict[str, Any]) -> dict[str, Any]:
        if block != layer:
            return parts
        if irrep not in parts:
            raise UserError(f"layer {block} has no {irrep}, it has {', '.join(parts)}")
        if len(parts[irrep]) != len(order):
            raise UserError(f"groups are of {len(order)} atoms, the features of {len(parts[irrep])}: predict in one batch")
        return parts | {irrep: parts[irrep][order]}

    return edit


def recalibrated(
    prediction: Float[np.ndarray, " molecules"], target: Float[np.ndarray, " molecules"],
    design: Float[np.ndarray, "molecules columns"], fitted: Bool[np.ndarray, " molecules"],
) -> Float[np.ndarray, " rest"]:  # fmt: skip
    """Predictions for the molecules not `fitted`, after the residual's least-squares fit on those that are.

    `design` holds counts of atoms and bonds; a constant is added. Columns that are empty or alike do no harm.
    """
    design = np.concatenate([np.ones((len(design), 1)), design], axis=1)
    change = np.linalg.lstsq(design[fitted], (target - prediction)[fitted], rcond=None)[0]
    return prediction[~fitted] + design[~fitted] @ change


def calibrated_damage(
    predict: Callable[..., Float[np.ndarray, " molecules"]], targets: Float[np.ndarray, " molecules"],
    design: Float[np.ndarray, "molecules columns"], fitted: Bool[np.ndarray, " molecules"], groups: Int[np.ndarray, " atoms"], *,
    layer: int, irreps: Sequence[str], draws: int = DRAWS, seed: int = 0, unit: str = "eV",
) -> pd.DataFrame:  # fmt: skip
    """Damage by conditional shuffles of each irrep behind one layer, recalibrated.

    Parameters
    ----------
    predict
        `predict(edit=None)` -> predictions of all molecules, computed in one batch.
    targets, design, fitted
        As for `recalibrated`; errors are those of the molecules that are not `fitted`.
    groups
        Which atoms may change places; see `environments`.

    Returns
    -------
    pandas.DataFrame
        One row per irrep and draw: `layer`, `irrep`, `draw`, `whole_mae_eV` and `mae_eV` (without and with the edit, both
        recalibrated), `damage` = log(mae / whole_mae).
    """

    def error(prediction: np.ndarray) -> float:
        return float(np.abs(recalibrated(np.asarray(prediction, np.float64), targets, design, fitted) - targets[~fitted]).mean())

    whole, rows = error(predict()), []
    for irrep in irreps:
        for draw in range(draws):
            edit = conditional_shuffle(layer, irrep, groups, seed=[seed, layer, int(irrep[:-1]), draw])
            mae = error(predict(edit=edit))
            rows.append((layer, irrep, draw, whole, mae, float(np.log(mae / whole)) if mae != whole else 0.0))
    return pd.DataFrame(rows, columns=["layer", "irrep", "draw", f"whole_mae_{unit}", f"mae_{unit}", "damage"])


def share_of_spread(
    whole: Float[np.ndarray, " molecules"], damaged: Float[np.ndarray, " molecules"],
    design: Float[np.ndarray, "molecules columns"], fitted: Bool[np.ndarray, " molecules"],
    groups: Int[np.ndarray, " rest"],
) -> Float[np.ndarray, " groups"]:  # fmt: skip
    """How far an edit moves a network's own predictions, as a share of what composition and bonds leave of them.

    The mean of |recalibrated damaged prediction - prediction| over the molecules not `fitted`, divided by the mean of
    |fit by `design` alone - prediction|, for each of the `groups` of these molecules: 0 for no effect, about 1 where nothing
    beyond the design survives. For a network that predicts another quantity than any label at hand.
    """
    moved = np.abs(recalibrated(damaged, whole, design, fitted) - whole[~fitted])
    spread = np.abs(recalibrated(np.zeros_like(whole), whole, design, fitted) - whole[~fitted])
    return np.bincount(groups, moved) / np.bincount(groups) / spread.mean()


def fitted_readout(
    scalars: Float[np.ndarray, "molecules channels"], target: Float[np.ndarray, " molecules"]
) -> tuple[Float[np.ndarray, " channels"], float]:
    """Ridge regression on a trunk's final scalars, summed over the atoms of each molecule: weights per channel and constant."""
    scaler = StandardScaler().fit(scalars)
    ridge = RidgeCV(PENALTIES).fit(scaler.transform(scalars), target)
    weights = ridge.coef_ / scaler.scale_
    return weights, float(ridge.intercept_ - weights @ scaler.mean_)


def above_untrained(uses: pd.DataFrame) -> pd.DataFrame:
    """Mean damage over the draws of each trained network, less that of its untrained twin.

    `uses` has `ls`, `mul`, `seed`, `trained`, `layer`, `irrep`, `damage`; pairs share all of them but `trained`. Returns these
    columns with `damage`, `untrained`, `excess`; networks without a twin are left out.
    """
    key = ["ls", "mul", "seed", "layer", "irrep"]
    table = uses.assign(ls=uses["ls"].map(tuple), trained=uses["trained"].astype(bool))
    means = table.groupby([*key, "trained"])["damage"].mean().reset_index()
    trained, untrained = means[means["trained"]], means[~means["trained"]]
    both = trained.merge(untrained.rename(columns={"damage": "untrained"}), on=key)[[*key, "damage", "untrained"]]
    return both.assign(excess=both["damage"] - both["untrained"])
