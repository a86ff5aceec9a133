"""Controls: linear baselines, and what symmetry alone makes small."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from equinotes.analysis.harmonics import harmonics
from equinotes.config import TARGETS
from equinotes.runs.store import error_statistics

if TYPE_CHECKING:
    from equinotes.data.batches import Split
    from equinotes.data.qm9 import QM9

ELEMENTS = (1, 6, 7, 8, 9)
"""H, C, N, O, F."""
PENALTY = 1e-3
"""Ridge penalty on standardised columns: small, so that empty or collinear columns do no harm."""
LENGTH = 1.25
"""Origin of bond lengths in the linear baselines [Angstrom]: the middle of QM9's."""


def linear_baselines(qm9: "QM9", split: "Split", target: str = "U0_atom") -> pd.DataFrame:
    """Test errors of three linear models of a molecule, fitted by ridge regression to the training set of `split`.

    "composition": atoms per element; "bond counts": and bonds per pair of elements; "bond lengths": and sums of their lengths and
    squared lengths. Returns columns `baseline`, `mae_eV`, `rmse_eV`, `mse_eV2` (named after the target's unit, as `error_columns`
    names them), `columns`.
    """
    rows = np.concatenate([split.train, split.test])
    fitted, tested = slice(0, len(split.train)), slice(len(split.train), None)
    values = np.asarray(qm9.targets[target][rows], dtype=np.float64)
    tables, table = molecule_tables(qm9, rows), np.zeros((len(rows), 0))
    results = []
    for name, columns in tables.items():
        table = np.concatenate([table, columns], axis=1)
        model = make_pipeline(StandardScaler(), Ridge(PENALTY)).fit(table[fitted], values[fitted])
        errors = error_statistics(values[tested], model.predict(table[tested]), TARGETS[target])
        results.append({"baseline": name, **errors, "columns": table.shape[1]})
    return pd.DataFrame(results)


def molecule_tables(qm9: "QM9", rows: Integer[np.ndarray, " rows"]) -> dict[str, Float[np.ndarray, "rows _"]]:
    """Inputs of the linear baselines, each [rows, columns], in the order in which they are added.

    "composition" counts H, C, N, O, F; "bond counts" counts bonds by pair of elements (15 columns); "bond lengths" sums lengths
    and squared lengths by pair (30 columns), measured from `LENGTH`. Beside the counts that says the same as plain lengths do,
    but the columns are far less alike, so that the penalty does not decide the fit.
    """
    composition = np.zeros((len(rows), len(ELEMENTS)))
    pairs = np.zeros((3, len(rows), len(ELEMENTS) ** 2))
    place = np.full(max(ELEMENTS) + 1, -1)
    place[list(ELEMENTS)] = range(len(ELEMENTS))
    owner, atoms = qm9.atoms_of(rows)
    np.add.at(composition, (owner, place[qm9.z[atoms]]), 1)
    owner, bonds = qm9.bonds_of(rows)
    ends = qm9.bonds[bonds].astype(np.int64) + qm9.atom_ptr[rows[owner], None]
    length = np.linalg.norm((qm9.pos[ends[:, 0]] - qm9.pos[ends[:, 1]]).astype(np.float64), axis=-1)
    kinds = np.sort(place[qm9.z[ends]], axis=1) @ [len(ELEMENTS), 1]
    for power in range(3):
        np.add.at(pairs[power], (owner, kinds), (length - LENGTH) ** power)
    used = np.flatnonzero(np.triu(np.ones((len(ELEMENTS), len(ELEMENTS)))).ravel())
    count, total, squares = pairs[:, :, used]
    return {"composition": composition, "bond counts": count, "bond lengths": np.concatenate([total, squares], axis=1)}


def mean_harmonics(
    vectors: Float[np.ndarray, "bonds 3"], site: Integer[np.ndarray, " bonds"], lmax: int
) -> Float[np.ndarray, "sites orders"]:
    """Length of the mean of Y_l over the bonds of each site, l = 0..lmax, scaled to 1 for a single bond.

    `vectors` are bonds from their site (x, y, z; any length), `site` the number of the site that each belongs to, 0, 1, ...
    What is small here is small by symmetry, before anything is learned. Sites without bonds give 0.
    """
    sites = int(site.max()) + 1 if len(site) else 0
    bonds = np.maximum(np.bincount(site, minlength=sites), 1)
    lengths = []
    for l in range(lmax + 1):
        total = np.zeros((sites, 2 * l + 1))
        np.add.at(total, site, harmonics(l, vectors, "norm"))
        lengths.append(np.linalg.norm(total, axis=-1) / bonds)
    return np.stack(lengths, axis=-1)


def site_harmonics(qm9: "QM9", rows: Integer[np.ndarray, " rows"], lmax: int, *, element: int = 6) -> pd.DataFrame:
    """`mean_harmonics` of every atom of an element in these molecules: columns `bonds` (how many), `l`, `length`."""
    owner, bonds = qm9.bonds_of(rows)
    ends = qm9.bonds[bonds].astype(np.int64) + qm9.atom_ptr[rows[owner], None]
    ends = np.concatenate([ends, ends[:, ::-1]])
    ends = ends[qm9.z[ends[:, 0]] == element]
    _, site = np.unique(ends[:, 0], return_inverse=True)
    vectors = (qm9.pos[ends[:, 1]] - qm9.pos[ends[:, 0]]).astype(np.float64)
    lengths = mean_harmonics(vectors, site, lmax)
    count = np.bincount(site)
    return pd.DataFrame(
        {
            "bonds": np.repeat(count, lmax + 1),
            "l": np.tile(np.arange(lmax + 1), len(count)),
            "length": lengths.ravel(),
        }
    )
