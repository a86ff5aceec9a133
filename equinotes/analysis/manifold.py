"""PHATE projections of features, one per irrep, and measures of shared neighbourhoods.

PHATE: Moon et al., Nat. Biotechnol. 37, 1482 (2019). The paper projects raw components, which turn with the molecule for l > 0;
`kind="norms"` and `kind="power"` project what no rotation changes.
"""

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.spatial import procrustes
from sklearn.manifold import trustworthiness as _trustworthiness
from sklearn.neighbors import NearestNeighbors

from equinotes.irreps import invariants, split_irreps
from equinotes.support.errors import UserError
from equinotes.support.progress import bar

if TYPE_CHECKING:
    from e3nn import o3

RESOLUTION = 1e-6
"""Points closer than this share of the data's spread are one: float32 features of equal molecules differ in the last digits."""


class Overlap(NamedTuple):
    """Shared neighbours of two sets of points, and what two unrelated sets would share."""

    overlap: float
    chance: float


def phate_by_irrep(
    x: Float[np.ndarray, "molecules dim"], irreps: "o3.Irreps | str", *, kind: str = "raw", knn: int = 5, seed: int = 0,
    joint: bool = True, landmarks: int = 2000, n_jobs: int = 1, progress: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Two PHATE coordinates per molecule for each irrep on its own, and for all irreps together ("joint").

    Parameters
    ----------
    x
        Packed features, as `embed` gives them.
    kind
        "raw": components as they are (the paper's choice); "norms": lengths of the channels; "power": power spectrum.
    knn
        Neighbours that span PHATE's graph.
    seed
        Same seed and data, same picture.
    landmarks
        PHATE diffuses between so many cluster centres. Fewer than its own 2000 are faster, but the picture as a whole can
        change: the book's page of benchmarks says how much.

    Returns
    -------
    pandas.DataFrame
        Columns `molecule` (position in `x`), `irrep` ("0e", ..., "joint"), `phate1`, `phate2`.

    Raises
    ------
    ValueError
        An irrep's features are not finite or hold too few distinct points, e.g. because they are constant.
    """
    parts = feature_tables(x, irreps, kind)
    if joint:
        parts["joint"] = np.concatenate(list(parts.values()), axis=1)
    tables = []
    for irrep, part in bar(parts.items(), desc="PHATE", progress=progress):
        try:
            places = phate(part, knn=knn, seed=seed, landmarks=landmarks, n_jobs=n_jobs)
        except ValueError as error:
            raise UserError(f"no PHATE picture of {irrep}: {error}") from error
        tables.append(
            pd.DataFrame({"molecule": np.arange(len(x)), "irrep": irrep, "phate1": places[:, 0], "phate2": places[:, 1]})
        )
    return pd.concat(tables, ignore_index=True)


def feature_tables(
    x: Float[np.ndarray, "molecules dim"], irreps: "o3.Irreps | str", kind: str = "raw"
) -> dict[str, Float[np.ndarray, "molecules _"]]:
    """One table of features per irrep: `raw` components, or the invariants `norms` or `power`."""
    if kind not in ("raw", "norms", "power"):
        raise UserError(f"kind must be 'raw', 'norms' or 'power', got {kind!r}")
    if kind != "raw":
        return invariants(x, irreps, kind)
    return {ir: part.reshape(len(part), -1) for ir, part in split_irreps(x, irreps).items()}


def phate(
    x: Float[np.ndarray, "points dim"], *, knn: int = 5, seed: int = 0, landmarks: int = 2000, n_jobs: int = 1
) -> Float[np.ndarray, "points 2"]:
    """Two PHATE coordinates of each point; points that coincide get the same place.

    The axes have no sign of their own: they are turned so that their third moments are positive.
    """
    if knn < 1:
        raise UserError(f"knn must be at least 1, got {knn}")
    if not np.isfinite(x).all():
        raise UserError(f"{int((~np.isfinite(x)).any(axis=1).sum())} of {len(x)} points are not finite")
    distinct, back = _distinct(np.asarray(x, dtype=np.float64))
    if len(distinct) < knn + 3:
        raise UserError(f"{len(x)} points hold {len(distinct)} distinct ones, knn={knn} needs at least {knn + 3}")
    from phate import PHATE

    # SMACOF is the solver of the PHATE paper's figures: it finds the same places as PHATE's default, and it converges
    n_pca = min(100, len(distinct) - 1)
    operator = PHATE(
        knn=knn, n_landmark=landmarks if landmarks < len(distinct) else None, n_pca=n_pca if n_pca < x.shape[1] else None,
        mds_solver="smacof", random_state=seed, n_jobs=n_jobs, verbose=0,
    )  # fmt: skip
    with warnings.catch_warnings():  # that clusters are not connected is for the picture to show
        warnings.filterwarnings("ignore", message="Graph is disconnected", category=RuntimeWarning)
        places = operator.fit_transform(distinct)
    return (places * np.where((places**3).sum(axis=0) < 0, -1.0, 1.0))[back]


def neighbours(x: Float[np.ndarray, "points dim"], k: int) -> Int[np.ndarray, "points k"]:
    """The k nearest other points of each point, in Euclidean distance."""
    if not 1 <= k < len(x):
        raise UserError(f"k must lie between 1 and {len(x) - 1} for {len(x)} points, got {k}")
    return NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)


def neighbour_overlap(a: Float[np.ndarray, "points dim_a"], b: Float[np.ndarray, "points dim_b"], k: int = 10) -> Overlap:
    """Mean over points of |N_k(a) and N_k(b)| / k, beside k / (n - 1), which unrelated points have on average.

    >>> x = np.random.default_rng(0).normal(size=(101, 3))
    >>> neighbour_overlap(x, 2 * x, k=10)
    Overlap(overlap=1.0, chance=0.1)
    """
    if len(a) != len(b):
        raise UserError(f"both sets must hold the same points, got {len(a)} and {len(b)}")
    shared = [len(np.intersect1d(*pair)) for pair in zip(neighbours(a, k), neighbours(b, k), strict=True)]
    return Overlap(float(np.mean(shared)) / k, k / (len(a) - 1))


def trustworthiness(x: Float[np.ndarray, "points dim"], picture: Float[np.ndarray, "points 2"], k: int = 10) -> float:
    """1 where every neighbour in the picture is a neighbour in the features, .5 for a random picture (Venna & Kaski 2001)."""
    return float(_trustworthiness(x, picture, n_neighbors=k))


def procrustes_correlation(a: Float[np.ndarray, "points dim"], b: Float[np.ndarray, "points dim"]) -> float:
    """1 where b is a after a shift, a turn (or reflection) and a change of size; near 0 for unrelated points.

    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> round(procrustes_correlation(x, 3 * x[:, ::-1] + 1), 6)
    1.0
    """
    return float(np.sqrt(max(0.0, 1 - procrustes(a, b)[2])))


def _distinct(x: Float[np.ndarray, "points dim"]) -> tuple[Float[np.ndarray, "distinct dim"], Int[np.ndarray, " points"]]:
    """The points without repeats, and where each point went."""
    step = RESOLUTION * float(np.abs(x - x.mean(axis=0)).max())
    if step <= np.finfo(float).eps * float(np.abs(x).max()):
        return x[:1], np.zeros(len(x), dtype=int)
    _, first, back = np.unique(np.round(x / step), axis=0, return_index=True, return_inverse=True)
    return x[first], back.reshape(-1)
