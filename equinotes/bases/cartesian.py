"""Irreducible Cartesian tensors up to l = 2: scalars, vectors, and symmetric matrices without trace.

They are the spherical harmonics in other coordinates: `to_harmonics` is an isometry for every order (up to the scale of the
"integral" normalisation), and carries one basis exactly into the other.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from equinotes.support.errors import UserError

HIGHEST = 2
"""Highest order written as a Cartesian tensor here."""


class Parts(NamedTuple):
    """A matrix of nine numbers by orders 0, 1 and 2: multiple of the identity, antisymmetric, symmetric without trace."""

    scalar: Float[Tensor, "*batch 3 3"]
    vector: Float[Tensor, "*batch 3 3"]
    tensor: Float[Tensor, "*batch 3 3"]


def decompose(matrix: Float[Tensor, "*batch 3 3"]) -> Parts:
    """The three irreducible parts of a matrix; they sum to it (TensorNet, arXiv 2306.06482, equation 5)."""
    transposed = matrix.transpose(-1, -2)
    trace = matrix.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    scalar = trace / 3 * torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    return Parts(scalar, (matrix - transposed) / 2, (matrix + transposed) / 2 - scalar)


def product(a: Float[Tensor, "*batch 3 3"], b: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix product AB + BA, with which TensorNet couples all orders at once (equation 10).

    Its orders 0 to 2 come in fixed proportions, where e3nn has a weight for each path; and it has no antisymmetric result of two
    symmetric matrices, nor any order above 2. A matrix product alone, AB, also holds the cross products.
    """
    return a @ b + b @ a


def cartesian(vectors: Float[Tensor, "edges 3"], ls: Sequence[int]) -> Float[Tensor, "edges components"]:
    """Components 1, r and r r^T - 1/3 of the unit vectors, order after order; 1, 3 and 9 numbers, the last symmetric.

    Scaled as the harmonics in "integral" normalisation: products summed over the components agree with theirs.

    >>> cartesian(torch.tensor([[0.0, 0.0, 2.0]]), (0, 1)).numpy().round(4)
    array([[0.2821, 0.    , 0.    , 0.4886]], dtype=float32)
    """
    unit = torch.nn.functional.normalize(vectors, dim=-1)
    found = []
    for l in ls:
        if l > HIGHEST:
            raise UserError(f"Cartesian tensors are written up to l = {HIGHEST}, got l = {l}")
        squares = unit[:, :, None] * unit[:, None, :] - torch.eye(3, dtype=unit.dtype, device=unit.device) / 3
        found.append([torch.ones_like(unit[:, :1]), unit, squares.flatten(1)][l] * SCALES[l])
    return torch.cat(found, dim=1)


SCALES = ((1 / (4 * torch.pi)) ** 0.5, (3 / (4 * torch.pi)) ** 0.5, (15 / (8 * torch.pi)) ** 0.5)
"""Factors of 1, r and r r^T - 1/3 that give "integral" normalisation."""


def to_harmonics(tensor: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 5"]:
    """Components of order 2 in e3nn's basis from a symmetric matrix without trace; the sum of squares stays the same."""
    return tensor.flatten(-2) @ _second_order(tensor.dtype, tensor.device)


def from_harmonics(components: Float[Tensor, "*batch 5"]) -> Float[Tensor, "*batch 3 3"]:
    """Inverse of `to_harmonics`."""
    return (components @ _second_order(components.dtype, components.device).T).unflatten(-1, (3, 3))


@cache
def _second_order(dtype: torch.dtype, device: torch.device) -> Float[Tensor, "9 5"]:
    """Orthonormal columns: the five symmetric matrices without trace, in e3nn's order xz, xy, 2yy-xx-zz, yz, zz-xx."""
    basis = torch.zeros(5, 3, 3, dtype=torch.float64)
    for m, (a, b) in {0: (0, 2), 1: (0, 1), 3: (1, 2)}.items():
        basis[m, a, b] = basis[m, b, a] = 0.5**0.5
    basis[2] = torch.diag(torch.tensor([-1.0, 2, -1], dtype=torch.float64)) / 6**0.5
    basis[4] = torch.diag(torch.tensor([-1.0, 0, 1], dtype=torch.float64)) / 2**0.5
    return basis.flatten(1).T.to(device, dtype)
