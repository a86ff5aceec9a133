"""Checkers of the chapter on other bases."""

import numpy as np

from equinotes.exercises.checking import Answer, case_seed, expect


def angular_spectrum(answer: Answer) -> int:
    """`answer(vectors, weights, l)` returns the sum over all pairs, each neighbour with itself included, of w w' P_l(cos)."""
    rng = np.random.default_rng(case_seed())
    cases = [(2, 0), (3, 1), (4, 2), (4, 3), (6, 5)]
    for n, l in cases:
        vectors, weights = rng.normal(size=(n, 3)), rng.normal(size=n)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        polynomial = np.polynomial.legendre.Legendre.basis(l)
        table = np.outer(weights, weights) * polynomial(np.clip(unit @ unit.T, -1, 1))
        wanted = table.sum()
        mistakes = [
            (wanted - np.trace(table), "The pairs of a neighbour with itself are missing: they add w squared each."),
            ((wanted + np.trace(table)) / 2, "Each pair counts twice, as (j, k) and as (k, j)."),
            (
                (np.outer(weights, weights) * polynomial(vectors @ vectors.T)).sum(),
                "Normalise the vectors before their dot products.",
            ),
        ]
        expect(
            f"{n} neighbours, l = {l}", answer(vectors.copy(), weights.copy(), l), wanted, mistakes=mistakes,
            hint="numpy.polynomial.legendre.Legendre.basis(l) is P_l. Apply it to the matrix of cosines.",
        )  # fmt: skip
    return len(cases)
