"""The frames of bonds: rotations that bring each bond to the pole, as matrices on features (Wigner D matrices)."""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from equinotes.model.basis import harmonics

POLE = (0.0, 1.0, 0.0)
"""e3nn's polar axis is y: there, of all harmonics of order l, only the middle one (m = 0) is not zero."""


def frames(vectors: Float[Tensor, "bonds 3"], ls: tuple[int, ...]) -> list[Float[Tensor, "bonds m m"]]:
    """D_b of each order, so that Y_l(r_b) = D_b Y_l(pole); then D_b^T x are the features x as seen from the bond.

    D_b is a rotation about x followed by one about y, by the angles of the bond. They are found in float64 and without loss near
    the poles. How a frame is turned about its own bond is arbitrary, and cancels in every equivariant result.
    """
    x, y, z = vectors.double().unbind(1)
    alpha, beta = torch.atan2(x, z), torch.atan2(torch.hypot(x, z), y)
    return [(about_y(alpha, l) @ about_x(beta, l)).to(vectors.dtype) for l in ls]


def about_y(angle: Float[Tensor, " bonds"], l: int) -> Float[Tensor, "bonds m m"]:
    """Rotations about y: components m and -m turn into each other by m times the angle.

    >>> about_y(torch.tensor([torch.pi / 2]), 1)[0].numpy().round(3) + 0.0
    array([[ 0.,  0.,  1.],
           [ 0.,  1.,  0.],
           [-1.,  0.,  0.]], dtype=float32)
    """
    turned = angle[:, None] * torch.arange(-l, l + 1, device=angle.device)
    return torch.diag_embed(torch.cos(turned)) - torch.diag_embed(torch.sin(turned)).flip(2)


def about_x(angle: Float[Tensor, " bonds"], l: int) -> Float[Tensor, "bonds m m"]:
    """Rotations about x, as rotations about y between a quarter turn and its undoing."""
    quarter = _y_to_x(l).to(angle)
    return quarter @ about_y(angle, l) @ quarter.T


@cache
def _y_to_x(l: int) -> Float[Tensor, "m m"]:
    """The matrix of a quarter turn about z as the harmonics have it; e3nn's own depends on torch's default precision."""
    points = torch.randn(4 * l + 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turned = torch.stack([points[:, 1], -points[:, 0], points[:, 2]], dim=1)
    return torch.linalg.lstsq(harmonics(points, (l,)), harmonics(turned, (l,))).solution.T
