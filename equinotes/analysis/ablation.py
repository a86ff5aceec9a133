"""Inference ablations: how much worse does a trained network predict when one order of one layer is spoilt?

The edits take the features of one irrep, [atoms, mul, 2l+1], as a torch tensor or an array, and return the like. Zeroing leads
the network away from the features that it was trained on: read it beside shuffling and random directions, which keep the norms.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from equinotes.support.errors import UserError
from equinotes.support.progress import bar

Edit = Callable[[int, dict[str, Any]], dict[str, Any]]
"""What `Network.forward` takes: the number of a layer and its parts by irrep, to the parts that go on instead."""


class Interval(NamedTuple):
    """A mean and its bootstrap interval."""

    mean: float
    low: float
    high: float


def zero(part: Any, rng: np.random.Generator) -> Any:
    """The irrep set to zero."""
    return part * 0


def shuffle(part: Any, rng: np.random.Generator) -> Any:
    """Features permuted among the atoms of the batch: their distribution is kept."""
    return part[rng.permutation(len(part))]


def random_direction(part: Any, rng: np.random.Generator) -> Any:
    """Every channel of every atom in a random direction, its norm kept."""
    directions = rng.normal(size=tuple(part.shape))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    norms = (part * part).sum(-1, keepdims=True) ** 0.5
    return norms * (part.new_tensor(directions) if hasattr(part, "new_tensor") else directions.astype(part.dtype))


MODES: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "zero": zero,
    "shuffle": shuffle,
    "direction": random_direction,
}
"""The edits by name."""


def edit_of(mode: str, layer: int, irrep: str, *, seed: int = 0) -> Edit:
    """The edit that spoils one irrep behind one block and leaves the rest as it is.

    >>> parts = {"0e": np.ones((4, 2, 1)), "1o": np.ones((4, 2, 3))}
    >>> {ir: float(part.sum()) for ir, part in edit_of("zero", 2, "1o")(2, parts).items()}
    {'0e': 8.0, '1o': 0.0}
    """
    if mode not in MODES:
        raise UserError(f"mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}")
    rng = np.random.default_rng(seed)

    def edit(block: int, parts: dict[str, Any]) -> dict[str, Any]:
        if block != layer:
            return parts
        if irrep not in parts:
            raise UserError(f"block {block} has no {irrep}, it has {', '.join(parts)}")
        return parts | {irrep: MODES[mode](parts[irrep], rng)}

    return edit


def inference_ablation(
    predict: Callable[..., np.ndarray], targets: Float[np.ndarray, " molecules"], *,
    irreps: Sequence[str] | Mapping[int, Sequence[str]], layers: Sequence[int], modes: Sequence[str] = tuple(MODES),
    repeats: int = 3, seed: int = 0, unit: str = "eV", progress: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Change of the mean absolute error when one irrep behind one block is spoilt.

    Parameters
    ----------
    predict
        `predict(edit=None)` -> predictions [molecules]; see `equinotes.analysis.features.predictor`.
    targets
        True values [molecules], same unit.
    irreps, layers, modes
        What to spoil ("0e", "1o", ...; by layer, where layers differ: see `features.reaching`), behind which layers (by their
        numbers, from 1), and how. Scalars have no direction: that pair is left out.
    repeats
        Random draws of each edit that has chance in it.
    unit
        Ending of the columns' names.

    Returns
    -------
    pandas.DataFrame
        One row per layer, irrep and mode: `mae_eV` (spoilt), `delta_mae_eV` (spoilt - whole), `low_eV` and `high_eV` (95 %
        interval of the change over molecules, paired), `repeat_sd_eV` (over the draws; NaN where there was one) and `draws`. The
        mean over the draws is taken before the interval.
    """
    whole = np.abs(predict() - targets)
    cases = [
        (layer, irrep, mode)
        for layer in layers for irrep in (irreps[layer] if isinstance(irreps, Mapping) else irreps) for mode in modes
        if not (mode == "direction" and irrep.startswith("0"))
    ]  # fmt: skip
    rows = []
    for layer, irrep, mode in bar(cases, desc="ablation", progress=progress):
        draws = range(1 if mode == "zero" else repeats)
        edits = [edit_of(mode, layer, irrep, seed=seed + draw) for draw in draws]
        changes = np.stack([np.abs(predict(edit=edit) - targets) - whole for edit in edits])
        mean, low, high = paired_interval(changes.mean(axis=0), seed=seed)
        rows.append(
            {
                "layer": layer,
                "irrep": irrep,
                "mode": mode,
                f"mae_{unit}": whole.mean() + mean,
                f"delta_mae_{unit}": mean,
                f"low_{unit}": low,
                f"high_{unit}": high,
                f"repeat_sd_{unit}": changes.mean(axis=1).std(ddof=1) if len(draws) > 1 else np.nan,
                "draws": len(draws),
            }
        )
    return pd.DataFrame(rows)


def paired_changes(pairs: Mapping[str, Float[np.ndarray, "seeds molecules"]], *, unit: str = "eV", seed: int = 0) -> pd.DataFrame:
    """Named differences between runs as a table: `name`, `mean_eV`, `low_eV`, `high_eV` (95 %), `seeds_agree`, `clear`.

    `pairs` holds errors with the change minus errors without it, seed by seed and molecule by molecule. A change is clear when
    its interval leaves out zero and all seeds, two or more, agree on its sign: intervals over a few seeds are too narrow.
    """
    rows = []
    for name, differences in pairs.items():
        mean, low, high = paired_interval(differences, seed=seed)
        agree = len(differences) > 1 and len(set(np.sign(differences.mean(axis=1)))) == 1
        rows.append((name, mean, low, high, agree, agree and not low <= 0 <= high))
    return pd.DataFrame(rows, columns=["name", f"mean_{unit}", f"low_{unit}", f"high_{unit}", "seeds_agree", "clear"])


def paired_interval(
    differences: Float[np.ndarray, "*seeds molecules"], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Mean of paired differences with its percentile bootstrap interval.

    [molecules]: molecules are drawn again. [seeds, molecules]: pairs of seeds and molecules are both drawn again, so that the
    interval is about other seeds as well; with fewer than five seeds it is too narrow (a percentile bootstrap of n values is
    short by about sqrt((n-1)/n), and knows no tails).
    """
    differences = np.asarray(differences, dtype=np.float64)
    rng = np.random.default_rng(seed)
    molecules = differences.shape[-1]
    weights = rng.multinomial(molecules, np.full(molecules, 1 / molecules), size=resamples) / molecules
    if differences.ndim == 1:
        means = weights @ differences
    else:
        seeds = len(differences)
        of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
        means = ((weights @ differences.T) * of_seeds).sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(differences.mean()), float(low), float(high))
