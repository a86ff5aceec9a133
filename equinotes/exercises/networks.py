"""Checkers of the chapter on other networks."""

from typing import Any

import numpy as np

from equinotes.exercises.checking import Answer, Miss, as_array, case_seed, expect

NOT_FINITE = (
    "exp(1000) is too large for a float, and exp(-1000) is zero. Take the largest logit of each atom off that atom's logits."
)


def attention(answer: Answer) -> int:
    """`answer(logits, target, atoms)` returns the attention weight [edges] of each edge among those into the same atom."""
    rng = np.random.default_rng(case_seed())
    chain = np.array([1, 0, 2, 1, 3, 2])
    cases = {
        "a chain of four atoms": (rng.normal(size=6), chain, 4),
        "an atom with four neighbours": (rng.normal(size=8), np.array([0, 0, 0, 0, 1, 2, 3, 4]), 5),
        "an atom without neighbours": (rng.normal(size=2), np.array([0, 2]), 3),
        "large logits": (1000 + rng.normal(size=6), chain, 4),
        "large logits at one atom": (rng.normal(size=6) + 1000 * (chain == 2), chain, 4),
    }
    for case, (logits, target, atoms) in cases.items():
        given = logits.copy()
        with np.errstate(all="ignore"):
            got = answer(given, target.copy(), atoms)
            mistakes = _mistakes(logits, target, atoms)
        if not np.array_equal(given, logits):
            raise Miss(case, "the logits that were handed in have changed", "logits as they were", "Work on a copy: logits - ...")
        if got is not None and not np.isfinite(as_array(case, got, "finite weights", NOT_FINITE)).all():
            raise Miss(case, "weights that are not finite", "finite weights that add up to 1 for each atom", NOT_FINITE)
        expect(case, got, _weights(logits, target, atoms), mistakes=mistakes, law="weights into an atom add up to 1",
               hint="Sum numpy.exp of the logits by target, then divide each edge by the sum of its own target.")  # fmt: skip
    return len(cases)


def _weights(logits: np.ndarray, target: np.ndarray, atoms: int) -> np.ndarray:
    top = np.full(atoms, -np.inf)
    np.maximum.at(top, target, logits)
    powers = np.exp(logits - top[target])
    return powers / np.bincount(target, powers, atoms)[target]


def _mistakes(logits: np.ndarray, target: np.ndarray, atoms: int) -> list[tuple[Any, str]]:
    powers = np.exp(logits - logits.max())
    return [
        (powers / powers.sum(), "This is one softmax over all edges: atoms far apart compete. Each atom has its own."),
        (powers, "These are not divided by the sum over the edges into the same atom."),
        (np.bincount(target, powers, atoms), "One number for each atom: give each edge the share that it has in its atom."),
        (logits / np.bincount(target, logits, atoms)[target], "These are shares of the logits: take the exponential first."),
    ]
