"""Checkers of the chapter on groups and representations."""

import numpy as np

from equinotes.exercises.checking import Answer, Miss, case_seed, expect


def decompose(answer: Answer) -> int:
    """`answer(A)` returns the parts of order 0, 1 and 2 of a 3 x 3 matrix, each 3 x 3."""
    rng = np.random.default_rng(case_seed())
    a, b = rng.normal(size=(2, 3))
    cases = {"A = a b^T for two vectors": np.outer(a, b), "a random matrix": rng.normal(size=(3, 3)), "the identity": np.eye(3)}
    for case, matrix in cases.items():
        parts = answer(matrix.copy())
        if not isinstance(parts, list | tuple) or len(parts) != 3:
            raise Miss(case, type(parts).__name__, "three 3 x 3 arrays (order 0, 1, 2)", "End in `return first, second, third`.")
        mean = np.trace(matrix) * np.eye(3) / 3
        wanted = [mean, (matrix - matrix.T) / 2, (matrix + matrix.T) / 2 - mean]
        wrong = [
            [(np.trace(matrix) * np.eye(3), "The trace is shared by three diagonal elements: divide by 3.")],
            [((matrix - matrix.T), "Take half of A - A^T; otherwise the parts do not add up to A.")],
            [((matrix + matrix.T) / 2, "This part still holds the trace. Take the part of order 0 off it.")],
        ]
        for l, (part, right, mistakes) in enumerate(zip(parts, wanted, wrong, strict=True)):
            expect(
                f"{case}, part of order {l}", part, right, mistakes=mistakes, law="the three parts add up to A",
                hint="Order 0 is a multiple of the identity, order 1 antisymmetric, order 2 symmetric and traceless.",
            )  # fmt: skip
    return len(cases)
