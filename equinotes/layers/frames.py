"""Bond frames: rotations that take the pole to each bond, as Wigner D matrices."""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from equinotes.bases.harmonics import harmonics
from equinotes.layers.constants import moved

POLE = (0.0, 1.0, 0.0)
"""e3nn's polar axis is y: there only the m = 0 harmonic of each order is nonzero."""


def frames(vectors: Float[Tensor, "bonds 3"], ls: tuple[int, ...]) -> list[Float[Tensor, "bonds m m"]]:
    """D_b of each order, with Y_l(r_b) = D_b Y_l(pole); D_b^T x are the features x in the frame of the bond.

    D_b is a rotation about x followed by one about y, by the angles of the bond, computed in float64 and
    accurate near the poles. The remaining rotation about the bond is arbitrary and cancels in every equivariant result.
    """
    x, y, z = vectors.double().unbind(1)
    alpha, beta = torch.atan2(x, z), torch.atan2(torch.hypot(x, z), y)
    found = []
    for l in ls:
        quarter = moved(_y_to_x(l), x.device, x.dtype)
        about_x = quarter @ turned_about_y(quarter.T, beta)  # conjugating by a quarter turn maps y to x
        found.append(turned_about_y(about_x, alpha).to(vectors.dtype))
    return found


def smooth_frames(vectors: Float[Tensor, "bonds 3"], ls: tuple[int, ...]) -> list[Float[Tensor, "bonds m m"]]:
    """As `frames`, but differentiable any number of times in every direction, the poles included.

    With R the bond's frame, held constant, and Q a quarter turn that takes the pole to x, the bond is R Q^-1 r' for an r' along
    x, where angles are smooth: D_b = D(R Q^-1) D(r').
    """
    constant = frames(vectors.detach(), (1, *ls))
    quarters = [moved(_y_to_x(l), vectors.device, vectors.dtype) for l in (1, *ls)]
    (to_bond, *bases) = [frame @ quarter.T for frame, quarter in zip(constant, quarters, strict=True)]
    local = (vectors[:, None] @ to_bond)[:, 0]
    return [base @ frame for base, frame in zip(bases, frames(local, ls), strict=True)]


def near_axis(vectors: Float[Tensor, "bonds 3"], ls: tuple[int, ...], m_max: int) -> dict[int, Float[Tensor, "bonds m m"]]:
    """Projections of features of each order onto components with |m| up to `m_max` in the frame of the bond: D 1(|m|) D^T."""
    chosen = smooth_frames if vectors.requires_grad else frames
    return {
        l: D[:, :, max(0, l - m_max) : l + m_max + 1] @ D[:, :, max(0, l - m_max) : l + m_max + 1].transpose(1, 2)
        for l, D in zip(ls, chosen(vectors, ls), strict=True)
    }


def turned_about_y(x: Float[Tensor, "*bonds m c"], angle: Float[Tensor, " bonds"]) -> Float[Tensor, "bonds m c"]:
    """Features of one order after rotations about y: components m and -m mix by m times the angle.

    >>> turned_about_y(torch.eye(3), torch.tensor([torch.pi / 2]))[0].numpy().round(3) + 0.0
    array([[ 0.,  0.,  1.],
           [ 0.,  1.,  0.],
           [-1.,  0.,  0.]], dtype=float32)
    """
    l = x.shape[-2] // 2
    turn = angle[:, None, None] * torch.arange(-l, l + 1, device=angle.device)[:, None]
    return torch.cos(turn) * x - torch.sin(turn) * x.flip(-2)


def turned(x: Float[Tensor, "atoms m c"], ls: tuple[int, ...]) -> Float[Tensor, "atoms 3 m c"]:
    """Derivatives J_a x of features of these orders with respect to rotations about the axes a = x, y, z."""
    generators = moved(_generators(ls), x.device, x.dtype)
    return torch.matmul(generators.flatten(0, 1), x).unflatten(1, generators.shape[:2])


@cache
def _generators(ls: tuple[int, ...]) -> Float[Tensor, "3 m m"]:
    """Generators of rotations about x, y and z on features of these orders; [J_x, J_y] = J_z."""
    blocks = []
    for l in ls:
        about_y = torch.diag(torch.arange(l, -l - 1, -1, dtype=torch.float64)).flip(1)  # d/dangle of turned_about_y at zero
        about_x = _y_to_x(l) @ about_y @ _y_to_x(l).T
        blocks.append((about_x, about_y, about_x @ about_y - about_y @ about_x))
    return torch.stack([torch.block_diag(*parts) for parts in zip(*blocks, strict=True)])


@cache
def _y_to_x(l: int) -> Float[Tensor, "m m"]:
    """Wigner D matrix of a quarter turn about z, in float64; e3nn's precision follows torch's default type."""
    points = torch.randn(4 * l + 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turned = torch.stack([points[:, 1], -points[:, 0], points[:, 2]], dim=1)
    return torch.linalg.lstsq(harmonics(points, (l,)), harmonics(turned, (l,))).solution.T
