"""Checkers of the chapter on the equivariant convolution: laws, tried on a small molecule."""

from typing import Any

import numpy as np

from equinotes.exercises.checking import Answer, Miss, as_array, case_seed, shown

HINTS = {
    "translation": "A shift changes the result: use differences pos[source] - pos[target] only, never positions themselves.",
    "numbering": "Numbering the atoms anew changes more than the order of the rows: sum messages at each target, by index_add.",
    "axes": "The scalars turn right and the vectors come back in another order of components: e3nn's order is x, y, z.",
    "rotation": "Something reads components. Scalars may use lengths only; a vector is r times a function of its length.",
    "inversion": "It passes rotations and fails the inversion: a cross product, or a constant added to a vector, is no 1o.",
    "blind": "The result does not depend on what it should: use the features of the sources, and the lengths and directions.",
}


def made_up_molecule() -> tuple[Any, Any, Any]:
    """Scalar features [5, 1], positions [5, 3] and edges [2, 8] of five atoms without symmetry, float64."""
    import torch

    generator = torch.Generator().manual_seed(3 + case_seed())
    pos = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    x = torch.tensor([[1.0], [6.0], [7.0], [8.0], [9.0]], dtype=torch.float64)
    bonds = torch.tensor([[0, 0, 0, 1], [1, 2, 3, 4]])
    return x, pos, torch.cat([bonds, bonds.flip(0)], dim=1)


def convolution(answer: Answer) -> int:
    """`answer(x, pos, edge_index)` maps scalars [atoms, 1] to `1x0e+1x1o` features [atoms, 4], equivariantly."""
    import torch

    x, pos, edges = made_up_molecule()

    def layer(x: Any, pos: Any, edges: Any) -> np.ndarray:
        return as_array("a made-up molecule", answer(x.clone(), pos.clone(), edges.clone()), "[5, 4] numbers", HINTS["blind"])

    here = layer(x, pos, edges)
    if here.shape != (5, 4):
        raise Miss("five atoms", f"shape {here.shape}", "shape (5, 4): one scalar and x, y, z for each atom", HINTS["blind"])
    if not np.isfinite(here).all():
        raise Miss("five atoms", shown(here), "finite numbers", "Divide by the length of an edge only: it is never zero.")
    _same("all atoms shifted", layer(x, pos + torch.tensor([1.0, -2.0, 3.0]), edges), here, HINTS["translation"])
    order = torch.tensor([3, 0, 4, 1, 2])
    renumbered = layer(x[order], pos[order], torch.argsort(order)[edges])
    _same("atoms numbered anew", renumbered, here[order.numpy()], HINTS["numbering"])
    for R in map(_rotation, range(3)):
        _turns("the molecule turned", layer(x, pos @ R.T, edges), here, R.numpy())
    wanted = _turned(here, -np.eye(3))
    _same("the molecule inverted", layer(x, -pos, edges), wanted, HINTS["inversion"])
    for what, changed in {
        "the features of the atoms changed": layer(x + torch.arange(5.0)[:, None], pos, edges),
        "the molecule stretched": layer(x, 1.3 * pos, edges),
    }.items():
        if np.allclose(changed, here):
            raise Miss(what, "the same values as before", "other values", HINTS["blind"])
    for part, what in ((here[:, :1], "scalars"), (here[:, 1:], "vectors")):
        if np.allclose(part, 0):
            raise Miss(f"the {what}", "zeros only", "values that are not all zero", HINTS["blind"])
    return 8


def suspicious_layer(x: Any, pos: Any, edge_index: Any) -> Any:
    """A layer that claims to return `1x0e+1x1o` [atoms, 4], and keeps all laws but one."""
    import torch

    source, target = edge_index
    r = pos[source] - pos[target]
    length = r.norm(dim=1, keepdim=True)
    first = pos.new_zeros(len(pos), 3).index_add(0, target, x[source] * r)
    second = pos.new_zeros(len(pos), 3).index_add(0, target, r * torch.exp(-length))
    scalar = pos.new_zeros(len(pos), 1).index_add(0, target, x[source] * torch.exp(-length))
    return torch.cat([scalar, first + torch.linalg.cross(first, second)], dim=1)


def counterexample(answer: Answer) -> int:
    """`answer()` returns an orthogonal matrix [3, 3] for which `suspicious_layer` breaks the law of `1x0e+1x1o`."""
    import torch

    case = "the matrix that you return"
    wanted = "an orthogonal 3 x 3 matrix"
    R = as_array(case, answer(), wanted, "Return an array or a tensor.")
    if R.shape != (3, 3) or not np.allclose(R @ R.T, np.eye(3), atol=1e-6):
        hint = "R R^T must be the identity: rotations, mirrors and the inversion are, a stretched or sheared matrix is not."
        raise Miss(case, shown(R), wanted, hint)
    x, pos, edges = made_up_molecule()
    here = suspicious_layer(x, pos, edges).numpy()
    there = suspicious_layer(x, pos @ torch.from_numpy(R).T, edges).numpy()
    violation = float(np.abs(there - _turned(here, R)).max())
    if violation < 1e-6:
        proper = "The layer keeps the law for every rotation. O(3) has other elements: what is the determinant of yours?"
        raise Miss(f"determinant {np.linalg.det(R):+.0f}", f"violation {violation:.1e}", "a violation above 0.001", proper)
    return 1


def _rotation(seed: int) -> Any:
    import torch

    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return torch.from_numpy(q * np.linalg.det(q))


def _turned(x: np.ndarray, R: np.ndarray) -> np.ndarray:
    return np.concatenate([x[:, :1], x[:, 1:] @ R.T], axis=1)


def _turns(case: str, got: np.ndarray, here: np.ndarray, R: np.ndarray) -> None:
    wanted = _turned(here, R)
    hint = HINTS["rotation"]
    if np.allclose(got[:, :1], wanted[:, :1]):
        for order in ([1, 2, 0], [2, 0, 1]):  # components y, z, x or z, x, y
            undone = np.argsort(order)
            if np.allclose(got[:, 1:][:, undone], here[:, 1:][:, undone] @ R.T):
                hint = HINTS["axes"]
    _same(case, got, wanted, hint)


def _same(case: str, got: np.ndarray, wanted: np.ndarray, hint: str) -> None:
    if got.shape != wanted.shape or not np.allclose(got, wanted, atol=1e-8):
        off = int(np.abs(got - wanted).max(axis=1).argmax()) if got.shape == wanted.shape else 0
        raise Miss(f"{case}, atom {off}", shown(got[off]), f"{shown(wanted[off])}: scalar as before, vector turned along", hint)
