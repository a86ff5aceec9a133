"""Irreps from orders, their blocks in packed features, and rotation invariants.

Packed features follow e3nn: one block per irrep, channel by channel; components of l=1 in the order x, y, z, with polar axis y
(e3nn before 0.2.2 and textbooks, with polar axis z, use y, z, x).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from equinotes.support.errors import UserError

if TYPE_CHECKING:
    from e3nn import o3


def natural(l: int) -> str:
    """Name of the irrep of order l with the parity of the spherical harmonics, (-1)^l.

    >>> [natural(l) for l in range(4)]
    ['0e', '1o', '2e', '3o']
    """
    return f"{l}{'eo'[l % 2]}"


def irreps_of(ls: tuple[int, ...], mul: int) -> str:
    """Irreps with `mul` channels of each order, in natural parity.

    >>> irreps_of((0, 1, 2), 32)
    '32x0e+32x1o+32x2e'
    """
    return "+".join(f"{mul}x{natural(l)}" for l in ls)


def split_irreps(x: Shaped[Any, "*batch dim"], irreps: "o3.Irreps | str") -> dict[str, Any]:
    """Cut packed features into one [*batch, mul, 2l+1] array per irrep; views, not copies.

    Accepts torch tensors too. Raises ValueError if the last axis does not match the irreps.

    >>> {ir: part.shape for ir, part in split_irreps(np.zeros((7, 26)), "2x0e+3x1o+3x2e").items()}
    {'0e': (7, 2, 1), '1o': (7, 3, 3), '2e': (7, 3, 5)}
    """
    from e3nn import o3

    irreps = o3.Irreps(irreps)
    if x.shape[-1] != irreps.dim:
        raise UserError(f"features have {x.shape[-1]} components, {irreps} has {irreps.dim}")
    if len({mul_ir.ir for mul_ir in irreps}) < len(irreps):
        raise UserError(f"each irrep may appear once, got {irreps}; call irreps.sort().irreps.simplify() first")
    return {
        str(mul_ir.ir): x[..., where].reshape(*x.shape[:-1], mul_ir.mul, mul_ir.ir.dim)
        for mul_ir, where in zip(irreps, irreps.slices(), strict=True)
    }


def pack_irreps(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Inverse of `split_irreps`: [*batch, mul, 2l+1] arrays to one packed [*batch, dim] array."""
    return np.concatenate([part.reshape(*part.shape[:-2], -1) for part in parts.values()], axis=-1)


def channel_norms(part: Shaped[np.ndarray, "*batch mul m"]) -> Shaped[np.ndarray, "*batch mul"]:
    """Norm of each channel over its 2l+1 components, the simplest rotation invariant."""
    return np.linalg.norm(part, axis=-1)


def power_spectrum(part: Shaped[np.ndarray, "*batch mul m"]) -> Shaped[np.ndarray, "*batch pairs"]:
    """p_cc' = sum_m x_cm x_c'm for c <= c': all rotation invariants of second order in one irrep.

    >>> power_spectrum(np.ones((7, 3, 5))).shape
    (7, 6)
    """
    upper = np.triu_indices(part.shape[-2])
    return (part @ np.swapaxes(part, -1, -2))[..., *upper]


def invariants(x: Shaped[np.ndarray, "*batch dim"], irreps: "o3.Irreps | str", kind: str = "power") -> dict[str, np.ndarray]:
    """Rotation-invariant summary of each irrep: its channel norms (`norms`) or its power spectrum (`power`).

    Scalars (l=0) are returned unchanged.
    """
    summaries = {"norms": channel_norms, "power": power_spectrum}
    if kind not in summaries:
        raise UserError(f"kind must be 'norms' or 'power', got {kind!r}")
    return {ir: part[..., 0] if ir.startswith("0") else summaries[kind](part) for ir, part in split_irreps(x, irreps).items()}
