"""Checkers of the chapter on training."""

from typing import Any

import numpy as np

from equinotes.exercises.checking import Answer, Miss, as_array, case_seed, expect

TO_BEAT = 1.02
"""Reported test error [eV] of the orders 0 to 8 after 30 epochs, a network of 3.7 million parameters."""


def linear_baseline(answer: Answer) -> int:
    """`answer(counts_train, energy_train, counts_test)` predicts energies [eV] from atoms per element, without geometry."""
    from equinotes.exercises.small import load_small

    counts, energy = load_small().composition()
    known, asked = slice(0, 300), slice(300, None)
    case = f"{len(energy[asked])} molecules that the fit has not seen"
    wanted = f"a mean absolute error below {TO_BEAT} eV, as the paper reports for the orders 0 to 8 after 30 epochs"
    hint = "Least squares: energy = counts @ coefficients. The coefficients are found from the training molecules."
    given = counts[known].copy(), energy[known].copy(), counts[asked].copy()
    got = as_array(case, answer(*given), wanted, hint).squeeze()
    if got.shape != energy[asked].shape:
        raise Miss(case, f"shape {got.shape}", f"one energy for each test molecule, shape {energy[asked].shape}", hint)
    error = float(np.abs(got - energy[asked]).mean())
    if not error < TO_BEAT:
        few = "One number for each molecule is not enough: give each element an energy of its own, hydrogen too."
        for columns in (counts.sum(axis=1, keepdims=True), counts[:, 1:].sum(axis=1, keepdims=True), counts[:, 1:]):
            guess = columns[asked] @ np.linalg.lstsq(columns[known], energy[known])[0]
            hint = few if np.abs(got - guess).mean() < 0.2 else hint
        if np.ptp(got) < 1e-6:
            hint = "The predictions are all the same: they do not depend on counts_test."
        raise Miss(case, f"{error:.3f} eV", wanted, hint)
    return 1


def average(answer: Answer) -> int:
    """`answer(weights, decay)` returns the exponential average of a list of arrays; it starts at the first of them."""
    rng = np.random.default_rng(case_seed())
    for decay, steps in ((0.5, 2), (0.9, 10), (0.0, 3), (0.99, 50)):
        weights = [rng.normal(size=3) for _ in range(steps)]
        given = [w.copy() for w in weights]
        mistakes: list[tuple[Any, str]] = [
            (
                _averaged(weights, 1 - decay),
                "The two shares are exchanged: the average keeps `decay`, the new weights 1 - decay.",
            ),
            (_averaged(weights, decay, np.zeros(3)), "It starts from zero and is pulled there. Start from the first weights."),
            (_averaged(weights[:-1], decay), "The last weights are left out."),
            (np.mean(weights, axis=0), "This is the plain mean: it never forgets the first steps."),
        ]
        case = f"decay {decay}, {steps} steps"
        wanted = _averaged(weights, decay)
        got = answer(given, decay)
        if any(not np.array_equal(w, kept) for w, kept in zip(given, weights, strict=True)):
            hint = (
                "The average shares memory with the weights: `a = w` makes no copy, and `a *= decay` changes both. Use w.copy()."
            )
            raise Miss(case, "the weights that were handed in have changed", "weights as they were", hint)
        expect(case, got, wanted, mistakes=mistakes, law="a = decay a + (1 - decay) w",
               hint="Go through the weights in order, once.")  # fmt: skip
    return 4


def agreement(answer: Answer) -> int:
    """`answer(error_of_mean, scatter, heads, strength)` returns squared errors + strength x differences of all pairs of heads.

    `error_of_mean` is (mean - target)^2 and `scatter` the sum over heads of (y - mean)^2, both [molecules].
    """
    rng = np.random.default_rng(case_seed())
    for heads, strength in ((2, 0.0), (2, 1.0), (3, 0.5), (5, 4.0)):
        y, target = rng.normal(size=(6, heads)), rng.normal(size=6)
        middle = y.mean(axis=1)
        first, scatter = (middle - target) ** 2, ((y - middle[:, None]) ** 2).sum(axis=1)
        pairs = sum((y[:, a] - y[:, b]) ** 2 for a in range(heads) for b in range(a))
        wanted = ((y - target[:, None]) ** 2).sum(axis=1) + strength * pairs
        mistakes: list[tuple[Any, str]] = [
            (first + (1 + strength * heads) * scatter, "The error of the mean counts once for each head."),
            (heads * first + (1 + strength) * scatter, "A head differs from all others: the pairs make heads x scatter."),
            (heads * first + strength * heads * scatter, "The errors of the heads have a scatter of their own: 1 + ..."),
        ]
        expect(f"{heads} heads, strength {strength}", answer(first.copy(), scatter.copy(), heads, strength), wanted,
               mistakes=mistakes, law="heads (mean - y)^2 + (1 + strength heads) scatter",
               hint="Write each squared error as that of the mean plus a deviation from the mean.")  # fmt: skip
    return 4


def _averaged(weights: list[np.ndarray], decay: float, start: np.ndarray | None = None) -> np.ndarray:
    value = weights[0] if start is None else start
    for w in weights[1:] if start is None else weights:
        value = decay * value + (1 - decay) * w
    return value
