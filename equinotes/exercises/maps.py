"""Checkers of the chapter on maps of latent features."""

from typing import Any

import numpy as np

from equinotes.exercises.checking import Answer, Miss, as_array, case_seed, expect


def melt(answer: Answer) -> int:
    """`answer(stored, turned, k)` is the mean share of each row's k nearest other rows that two arrays have in common."""
    rng = np.random.default_rng(case_seed())
    stored = rng.normal(size=(60, 3))
    other = rng.normal(size=(60, 3))
    shifted = stored + 0.3 * rng.normal(size=(60, 3))
    cases = {
        "the same array twice": (stored, stored),
        "two unrelated arrays": (stored, other),
        "a little noise": (stored, shifted),
    }
    for k in (5, 10):
        for case, (first, second) in cases.items():
            wanted = _overlap(first, second, k)
            mistakes: list[tuple[Any, str]] = [
                (_overlap(first, second, k, own=True), "Each row is its own nearest neighbour here: leave it out."),
                (wanted * k, "Divide by k: a share lies between 0 and 1."),
                (wanted * k * len(first), "This is a count. Divide by the number of rows and by k."),
                (_in_place(first, second, k), "You compare the first with the first, the second with the second. Compare sets."),
            ]
            expect(
                f"{case}, k = {k}", answer(first.copy(), second.copy(), k), wanted,
                mistakes=mistakes if case != "the same array twice" else mistakes[1:3],
                hint="numpy.argsort of the distances along a row gives the nearest rows; the first entry is the row itself.",
            )  # fmt: skip
    return len(cases) * 2


def permutation_test(answer: Answer) -> int:
    """`answer(statistic, x, y, groups, permutations, rng)` returns the p-value; y is permuted within groups only."""
    rng = np.random.default_rng(1)
    groups = np.repeat(["C2H6O", "C3H8", "C2H7N", "CH4"], [20, 20, 20, 1])
    level = np.repeat([0.0, 3.0, 6.0, 9.0], [20, 20, 20, 1])
    noise = rng.normal(size=(2, len(groups)))
    for case, y, low in (
        ("x and y share the formula only", level + noise[1], False),
        ("x and y go together within each formula", level + noise[0] + 0.1 * noise[1], True),
    ):
        x = level + noise[0]
        seen: list[np.ndarray] = []

        def statistic(a: np.ndarray, b: np.ndarray, seen: list[np.ndarray] = seen) -> float:
            seen.append(np.array(b, dtype=float))
            return abs(float(np.corrcoef(a, b)[0, 1]))

        given = y.copy()
        got = as_array(case, answer(statistic, x.copy(), given, groups, 199, np.random.default_rng(0)), "a p-value", _FORMULA)
        if not np.array_equal(given, y):
            raise Miss(case, "y was changed", "y as it was", "Shuffle a copy: y.copy(), anew for each permutation.")
        _check_draws(case, seen, y, groups)
        real = abs(float(np.corrcoef(x, y)[0, 1]))
        reached = sum(abs(float(np.corrcoef(x, drawn)[0, 1])) >= real - 1e-12 for drawn in _without_real(seen, y))
        wanted = (reached + 1) / 200
        expect(
            case, got, wanted, law="(permutations that reach the real value + 1) / (permutations + 1)", hint=_FORMULA,
            mistakes=[
                (reached / 199, "The real order is one of the possible ones: (count + 1) / (permutations + 1). Never exactly 0."),
                (1 - wanted, "You count the permutations that stay below the real value. Count those that reach it."),
                ((200 - reached) / 200, "You count the permutations that stay below the real value. Count those that reach it."),
            ],
        )  # fmt: skip
        if low != (wanted < 0.05):
            raise Miss(case, f"p = {wanted:.3f}", "below 0.05" if low else "above 0.05", _FORMULA)
    return 2


_FORMULA = "Compare the statistic of the real y with that of each permuted y, and count how often the latter is as large."


def _check_draws(case: str, seen: list[np.ndarray], y: np.ndarray, groups: np.ndarray) -> None:
    drawn = _without_real(seen, y)
    if len(drawn) < 199:
        hint = "Permute y before the statistic is taken, 199 times, and start from the real y or from the last draw."
        raise Miss(case, f"{len(drawn)} permuted sets of y", "199", hint)
    for permuted in drawn:
        if permuted.shape != y.shape or not np.array_equal(np.sort(permuted), np.sort(y)):
            hint = "Values are lost or doubled: permute, do not draw with replacement (rng.permutation, not rng.choice)."
            raise Miss(case, "a draw with other values than y", "the values of y in another order", hint)
        for group in np.unique(groups):
            if not np.array_equal(np.sort(permuted[groups == group]), np.sort(y[groups == group])):
                hint = "Values moved from one formula to another: that null also destroys what composition explains."
                raise Miss(f"{case}, {group}", "values of another formula", "each formula keeps its own values", hint)


def _without_real(seen: list[np.ndarray], y: np.ndarray) -> list[np.ndarray]:
    return [drawn for drawn in seen if not np.array_equal(drawn, y)]


def _nearest(x: np.ndarray, k: int, own: bool = False) -> np.ndarray:
    distance = np.linalg.norm(x[:, None] - x[None], axis=-1)
    return (
        np.argsort(distance, axis=1, kind="stable")[:, :k] if own else np.argsort(distance, axis=1, kind="stable")[:, 1 : k + 1]
    )


def _overlap(first: np.ndarray, second: np.ndarray, k: int, own: bool = False) -> float:
    pairs = zip(_nearest(first, k, own), _nearest(second, k, own), strict=True)
    return float(np.mean([len(set(a) & set(b)) / k for a, b in pairs]))


def _in_place(first: np.ndarray, second: np.ndarray, k: int) -> float:
    return float((_nearest(first, k) == _nearest(second, k)).mean())
