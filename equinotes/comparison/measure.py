"""One row of the table, measured: errors for each seed, cost in turns with the reference, and change under rotation."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from equinotes.bases.density import ELEMENTS
from equinotes.bases.groups import random_rotations
from equinotes.comparison import rows as rules
from equinotes.comparison.confusions import confusions
from equinotes.comparison.regression import Fit, fit
from equinotes.comparison.rows import ROWS, row_named
from equinotes.data.batches import Batch
from equinotes.data.qm9 import QM9
from equinotes.support.progress import bar

TARGET = "U0_atom"
BATCH = 50
"""Molecules whose columns are made at once."""
SHAKEN = 1e-3
"""Standard deviation of the noise on every coordinate, to ask whether predictions jump [Angstrom]."""
NEAR_TOP = 0.01
"""A molecule is nearly a symmetric top where two spreads along principal axes differ by less than this share."""


def pool(qm9: QM9, size: int | None = None) -> Int[np.ndarray, " molecules"]:
    """The molecules of the comparison: rows of QM9, in the order of their drawing."""
    return np.random.default_rng(0).permutation(len(qm9))[: size or rules.MOLECULES]


def split_of(seed: int, count: int) -> tuple[Int[np.ndarray, " fitted"], Int[np.ndarray, " test"]]:
    """Places in the pool that a seed fits (the last ones choose the penalty), and those that it tests on."""
    order = np.random.default_rng([1, seed]).permutation(count)
    fitted = (rules.TRAIN + rules.VALIDATION) * count // rules.MOLECULES
    return order[:fitted], order[fitted:]


def measure(name: str, qm9: QM9, *, size: int | None = None, progress: bool = True) -> dict[str, pd.DataFrame]:
    """The tables of one row: `errors` (a line for each seed), `costs` (a line for each round) and `confusions`.

    errors: `basis`, `seed`, `columns`, `mae_eV`, `penalty`; changes of predictions for a turned molecule `turned_eV`, and for a
    shaken one `shaken_eV`, apart for molecules that are nearly symmetric tops (`shaken_tops_eV`, of `tops` molecules).
    """
    row_named(name)
    rows = pool(qm9, size)
    counts = _counts(qm9, rows)
    y = np.asarray(qm9.targets[TARGET])[rows]
    errors, kept = [], None
    for seed in bar(rules.SEEDS, desc=name, progress=progress):
        x = kept if kept is not None else columns(name, qm9, rows, seed)
        kept = x if ROWS[name].seedless else None
        fitted, test = split_of(seed, len(rows))
        held_out = len(fitted) * rules.VALIDATION // (rules.TRAIN + rules.VALIDATION)
        model = fit(counts[fitted], x[fitted], y[fitted], held_out, len(ELEMENTS) * rules.PER_ELEMENT, seed)
        mae = np.abs(model(counts[test], x[test]) - y[test]).mean()
        some = test[: rules.TURNED]
        turned = _change(name, qm9, rows[some], seed, model, counts[some], "turned")
        tops = np.flatnonzero(nearly_tops(qm9, rows))[: rules.TURNED]
        shaken, of_tops = (_change(name, qm9, rows[part], seed, model, counts[part], "shaken") for part in (some, tops))
        errors.append((name, seed, len(model.coefficients), mae, model.penalty, turned, shaken, of_tops, len(tops)))
    named = ["basis", "seed", "columns", "mae_eV", "penalty", "turned_eV", "shaken_eV", "shaken_tops_eV", "tops"]
    return {
        "errors": pd.DataFrame(errors, columns=named),
        "costs": costs(name, qm9, rows[:BATCH]),
        "confusions": confusions([name]),
    }


def columns(name: str, qm9: QM9, rows: Int[np.ndarray, " molecules"], seed: int = 0) -> Float[np.ndarray, "molecules columns"]:
    """The columns of these molecules in one basis."""
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return np.concatenate([ROWS[name](batch_of(qm9, part), seed).double().numpy() for part in parts])


def batch_of(qm9: QM9, rows: Int[np.ndarray, " molecules"]) -> Batch:
    """These molecules in double precision, with all neighbours within the cutoff of the comparison."""
    return qm9.batch(rows, graph="radius", cutoff=rules.CUTOFF).to(dtype=torch.float64)


def costs(name: str, qm9: QM9, rows: Int[np.ndarray, " molecules"]) -> pd.DataFrame:
    """Milliseconds per molecule of a row and of the reference, in turns on the same molecules: `basis`, `ms`, `reference_ms`."""
    batch = batch_of(qm9, rows)
    found = []
    for _ in range(rules.PAIRED_ROUNDS + 1):
        taken = []
        for each in (name, rules.REFERENCE):
            start = time.process_time()
            ROWS[each](batch)
            taken.append(1e3 * (time.process_time() - start) / len(rows))
        found.append((name, *taken))
    return pd.DataFrame(found[1:], columns=["basis", "ms", "reference_ms"])  # the first round warms up


def _change(name: str, qm9: QM9, rows: Int[np.ndarray, " some"], seed: int, model: Fit, counts: np.ndarray, how: str) -> float:
    """Mean change of predictions [eV] for molecules that are turned at random, or shaken."""
    if not len(rows):
        return float("nan")
    batch = batch_of(qm9, rows)
    rng = np.random.default_rng([2, seed])
    if how == "turned":
        turn = torch.from_numpy(random_rotations(len(rows), seed))
        changed = replace(batch, pos=torch.einsum("nij,nj->ni", turn[batch.molecule], batch.pos))
    else:
        changed = replace(batch, pos=batch.pos + SHAKEN * torch.from_numpy(rng.normal(size=batch.pos.shape)))
    before, after = (model(counts, ROWS[name](each, seed).double().numpy()) for each in (batch, changed))
    return float(np.abs(after - before).mean())


def _counts(qm9: QM9, rows: Int[np.ndarray, " molecules"]) -> Float[np.ndarray, "molecules elements"]:
    owner, atoms = qm9.atoms_of(rows)
    found = np.zeros((len(rows), len(ELEMENTS)))
    np.add.at(found, (owner, np.searchsorted(ELEMENTS, qm9.z[atoms])), 1)
    return found


def nearly_tops(qm9: QM9, rows: Sequence[int] | Int[np.ndarray, " molecules"]) -> np.ndarray:
    """Whether two spreads of the nuclear charge along principal axes are nearly the same."""
    found = []
    for row in np.asarray(rows).tolist():
        atoms = slice(qm9.atom_ptr[row], qm9.atom_ptr[row + 1])
        charge, pos = qm9.z[atoms].astype(float), qm9.pos[atoms].astype(float)
        offset = pos - (charge[:, None] * pos).sum(0) / charge.sum()
        spread = np.linalg.eigvalsh((charge[:, None, None] * offset[:, :, None] * offset[:, None, :]).sum(0))
        found.append((np.diff(spread) < NEAR_TOP * spread[-1]).any())
    return np.array(found)
