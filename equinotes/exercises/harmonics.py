"""Checkers of the chapter on spherical harmonics."""

from itertools import permutations, product

import numpy as np

from equinotes.exercises.checking import Answer, expect

KNOWN = {
    "CH4": (1, 0, 0, 1, 1, 0, 1, 1, 1),
    "BF3": (1, 0, 1, 1, 1, 1, 2, 1, 2),
    "CO2": (1, 0, 1, 0, 1, 0, 1, 0, 1),
}
"""Invariants of each order l = 0..8 at the central atom: counts of A1 in Td, A1' in D3h and Sigma_g+ in D_inf,h."""


_IMPROPER = "An improper operation is -R, with determinant -1: take the angle of R = det(g) g, then multiply by det(g)^l."


def point_group(molecule: str) -> np.ndarray:
    """Symmetry operations [operations, 3, 3] of the central atom's site: Td, D3h, and D12h for the linear CO2.

    A twelvefold axis cannot be told from a full one by orders below 12.

    >>> [len(point_group(name)) for name in ("CH4", "BF3", "CO2")]
    [24, 12, 48]
    """
    if molecule == "CH4":  # signed permutations of the axes that keep the tetrahedron (1,1,1), (1,-1,-1), ...
        signed = [np.diag(s)[list(p)] for p in permutations(range(3)) for s in product((1.0, -1.0), repeat=3) if np.prod(s) > 0]
        return np.array(signed)
    fold = {"BF3": 3, "CO2": 12}[molecule]
    turns = [_about_z(2 * np.pi * k / fold) for k in range(fold)]
    half = np.diag([1.0, -1.0, -1.0])
    mirror = np.diag([1.0, 1.0, -1.0])
    return np.array([turn @ flip @ plane for turn in turns for flip in (np.eye(3), half) for plane in (np.eye(3), mirror)])


def characters(answer: Answer) -> int:
    """`answer(l, operations)` returns the number of invariants of order l, natural parity, under a group of 3 x 3 matrices."""
    for molecule, counts in KNOWN.items():
        group = point_group(molecule)
        for l, wanted in enumerate(counts):
            unsigned = sum(_character(l, g, sign=False) for g in group)
            signed = sum(_character(l, g) for g in group)
            naive = sum(_series(l, np.arccos(np.clip((np.trace(g) - 1) / 2, -1, 1))) for g in group)
            mistakes = [
                (unsigned / len(group), _IMPROPER),
                (signed, "Divide by the number of operations: it is the mean character that counts invariants."),
                (
                    naive / len(group),
                    "An improper operation has determinant -1: take the angle of det(g) g, then times det(g)^l.",
                ),
            ]
            expect(
                f"{molecule}, l = {l}, {len(group)} operations", answer(l, group.copy()), wanted, mistakes=mistakes,
                law="the mean character is a whole number; where it is 0, the order vanishes",
                hint="Check one class by hand: the identity has the character 2l+1, a half turn (-1)^l.",
            )  # fmt: skip
    return sum(map(len, KNOWN.values()))


def bending_energy(cosine: np.ndarray) -> np.ndarray:
    """Bending energy of water [eV]: harmonic in the angle, 4.35 eV/rad^2 about 104.5 degrees."""
    return 4.35 / 2 * (np.arccos(cosine) - np.radians(104.5)) ** 2


def legendre_fit(answer: Answer) -> int:
    """`answer(cosine, energy, ls)` returns the least-squares coefficients of P_l(cosine), one for each l of ls."""
    cosine = np.cos(np.radians(np.linspace(80, 130, 41)))
    exact = {(0, 1, 2): [0.5, -1.0, 2.0], (0, 3, 4): [1.0, 0.5, -0.25], (0, 2): [0.0, 1.0]}
    cases = [(f"a sum of P_l with l in {ls}", _basis(cosine, ls) @ c, ls) for ls, c in exact.items()]
    cases += [(f"the bending energy of water, l in {ls}", bending_energy(cosine), ls) for ls in exact]
    for case, energy, ls in cases:
        monomials = np.stack([cosine**l for l in ls], axis=1)
        first = _basis(cosine, tuple(range(len(ls))))
        mistakes = [
            (np.linalg.lstsq(monomials, energy)[0], "These are coefficients of cos^l. The orders are Legendre polynomials P_l."),
            (np.linalg.lstsq(first, energy)[0], "The columns must follow ls: for (0, 3, 4) they are P_0, P_3, P_4."),
        ]
        wanted = np.linalg.lstsq(_basis(cosine, ls), energy)[0]
        expect(
            case, answer(cosine.copy(), energy.copy(), ls), wanted, mistakes=mistakes, atol=1e-5,
            law="the coefficients of least squares", hint="Check the columns: P_0 = 1, P_1 = t, P_2 = (3t^2 - 1)/2 with t = cos.",
        )  # fmt: skip
    return len(cases)


def _about_z(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def _series(l: int, angle: float) -> float:
    return 1 + 2 * sum(np.cos(k * angle) for k in range(1, l + 1))


def _character(l: int, g: np.ndarray, *, sign: bool = True) -> float:
    proper = round(np.linalg.det(g))
    angle = np.arccos(np.clip((np.trace(proper * g) - 1) / 2, -1, 1))
    return _series(l, float(angle)) * (proper**l if sign else 1)


def _basis(cosine: np.ndarray, ls: tuple[int, ...]) -> np.ndarray:
    return np.stack([np.polynomial.legendre.Legendre.basis(l)(cosine) for l in ls], axis=1)
