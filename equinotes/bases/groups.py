"""The rotations of tetrahedron, octahedron and icosahedron: a mean over a few of them instead of over all rotations.

The mean over a finite group keeps every polynomial without components that the group leaves invariant, order by order as the mean
over all rotations does; the first order with an invariant besides l = 0 is 3 for T, 4 for O and 6 for I.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from equinotes.support.errors import check_names

GOLDEN = (1 + 5**0.5) / 2
_CYCLE = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
_HALF_Z, _HALF_X = np.diag([-1.0, -1, 1]), np.diag([1.0, -1, -1])
_QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
_FIFTH = np.array([[1, -GOLDEN, 1 / GOLDEN], [GOLDEN, 1 / GOLDEN, -1], [1 / GOLDEN, 1, GOLDEN]]) / 2
GENERATORS = {
    "one": [],
    "D2": [_HALF_X, _HALF_Z],
    "T": [_CYCLE, _HALF_Z],
    "O": [_CYCLE, _QUARTER],
    "I": [_CYCLE, _HALF_Z, _FIFTH],
}
"""Rotations that make each group: the identity alone, half turns about the axes (D2), and the polyhedra's."""

CHARACTERS: dict[str, dict[str, tuple[float, ...]]] = {
    "T": {"A": (1, 1, 1), "E": (2, -1, 2), "T": (3, 0, -1)},
    "O": {
        "A1": (1, 1, 1, 1, 1),
        "A2": (1, 1, 1, -1, -1),
        "E": (2, -1, 2, 0, 0),
        "T1": (3, 0, -1, 1, -1),
        "T2": (3, 0, -1, -1, 1),
    },
    "I": {
        "A": (1, 1, 1, 1, 1),
        "T1": (3, 0, -1, GOLDEN, 1 - GOLDEN),
        "T2": (3, 0, -1, 1 - GOLDEN, GOLDEN),
        "G": (4, 1, 0, -1, -1),
        "H": (5, -1, 1, 0, 0),
    },
}
"""Characters of the real irreducible representations. Classes are the identity, turns by 120 degrees, half turns (of O: those of
T), then of O quarter turns and its other half turns, of I turns by 72 and by 144 degrees. E of T is two complex ones together."""


@cache
def rotations(group: str) -> Float[np.ndarray, "rotations 3 3"]:
    """All rotations of a group (x, y, z), the identity first: 1, 4, 12, 24 or 60 matrices.

    >>> [len(rotations(group)) for group in ("one", "D2", "T", "O", "I")]
    [1, 4, 12, 24, 60]
    """
    check_names("group", [group], GENERATORS)
    found = [np.eye(3)]
    for one in found:  # grows while it is read
        for generator in GENERATORS[group]:
            new = one @ generator
            if not any(np.allclose(new, old) for old in found):
                found.append(new)
    whole = np.stack(found)
    whole.flags.writeable = False
    return whole


def random_rotations(count: int, seed: int = 0) -> Float[np.ndarray, "rotations 3 3"]:
    """Uniformly random rotations: the control for a group of the same size."""
    from scipy.spatial.transform import Rotation

    return Rotation.random(count, random_state=np.random.default_rng(seed)).as_matrix()


def mean_over(
    function: Callable[[Float[np.ndarray, "points 3"]], Float[np.ndarray, " points"]],
    points: Float[np.ndarray, "points 3"],
    turns: Float[np.ndarray, "rotations 3 3"],
) -> Float[np.ndarray, " points"]:
    """The mean of a function over rotations of its argument.

    >>> cube = rotations("O")
    >>> points = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]])
    >>> mean_over(lambda r: r[:, 0] ** 2, points, cube).round(12)   # l = 0 and 2: exact
    array([0.33333333, 0.33333333])
    """
    return np.mean([function(points @ turn.T) for turn in turns], axis=0)


def character(l: int, turns: Float[np.ndarray, "rotations 3 3"]) -> Float[np.ndarray, " rotations"]:
    """Trace of the matrices D_l: 1 + 2 cos t + ... + 2 cos lt for a rotation by t."""
    angle = np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1) / 2, -1, 1))
    return 1 + 2 * sum((np.cos(k * angle) for k in range(1, l + 1)), np.zeros(len(turns)))


def invariants(group: str, l: int) -> int:
    """How many functions of order l all rotations of the group leave as they are.

    >>> [next(l for l in range(1, 9) if invariants(group, l)) for group in ("T", "O", "I")]
    [3, 4, 6]
    """
    return round(float(character(l, rotations(group)).mean()))


def splitting(group: str, l: int) -> dict[str, int]:
    """How often each irreducible representation of T, O or I is in order l, those that are.

    >>> splitting("O", 2), splitting("I", 3)
    ({'E': 1, 'T2': 1}, {'T2': 1, 'G': 1})
    """
    check_names("group with characters", [group], CHARACTERS)
    classes, chi = _classes(group), character(l, rotations(group))
    found = {}
    for name, values in CHARACTERS[group].items():
        own = np.array(values)[classes]
        found[name] = round(float((own * chi).sum() / (own * own).sum()))
    return {name: count for name, count in found.items() if count}


def _classes(group: str) -> Int[np.ndarray, " rotations"]:
    """Place of each rotation's class in `CHARACTERS`."""
    turns = rotations(group)
    degrees = np.round(np.degrees(np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1) / 2, -1, 1)))).astype(int)
    places = {0: 0, 120: 1, 180: 2, 90: 3, 72: 3, 144: 4}
    found = np.array([places[angle] for angle in degrees.tolist()])
    if group == "O":  # its half turns about edges are not in T
        in_t = [any(np.allclose(turn, other) for other in rotations("T")) for turn in turns]
        found[(degrees == 180) & ~np.array(in_t)] = 4
    return found
