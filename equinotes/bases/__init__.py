"""Bases by name: functions of a length, of a direction, or of a whole molecule. Importing this loads no torch.

A new basis is one file beside this one and one line in `BASES`; `base.py` says what each kind is called with. `RunConfig.radial`
takes any radial basis. Networks have no such choice for directions: symmetry fixes equivariant functions of a direction up to
a factor for each order, so that another angular basis changes coordinates, not what a network can express.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from equinotes.config import MAX_L, RunConfig
from equinotes.support.errors import check_names

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["radial", "angular", "molecular"]


@dataclass(frozen=True)
class Entry:
    """One basis of the registry."""

    kind: Kind
    """Whether it describes lengths, directions or molecules: `base.Radial`, `base.Angular` or `base.Molecular`."""
    place: str
    """Where it is, as `module:name`."""
    about: str = ""
    """What it is, in a few words."""
    highest: int = MAX_L
    """Highest order l that it has, of an angular basis."""
    turns: float = 1e-10
    """Relative change of numbers of a molecule that is turned, at most."""


BASES = {
    "bessel": Entry("radial", "equinotes.bases.bessel:bessel", "Bessel functions (--radial bessel)"),
    "gaussian": Entry("radial", "equinotes.bases.gaussian:gaussian", "Gaussians (--radial gaussian)"),
    "harmonics": Entry("angular", "equinotes.bases.harmonics:harmonics", "spherical harmonics, in every network"),
    "cartesian": Entry("angular", "equinotes.bases.cartesian:cartesian", "irreducible Cartesian tensors", highest=2),
    "spectrum": Entry("molecular", "equinotes.bases.spectrum:spectrum", "angular power spectra by harmonics"),
    "tensors": Entry("molecular", "equinotes.bases.spectrum:tensors", "the same by Cartesian tensors, up to l = 2"),
    "legendre": Entry("molecular", "equinotes.bases.spectrum:legendre", "the same by Legendre polynomials of all pairs"),
    "averaged": Entry("molecular", "equinotes.bases.averaged:averaged", "means over rotations: all, T, O, I, random, frames"),
    "edge_frames": Entry("molecular", "equinotes.bases.edge_frames:edge_frames", "invariants in frames of bonds, up to m_max"),
    "wavelets": Entry("molecular", "equinotes.bases.wavelets:wavelets", "solid harmonic wavelets on a grid", turns=0.05),
}
"""Every basis by its name."""


def bases(kind: Kind) -> dict[str, Entry]:
    """All bases of one kind.

    >>> list(bases("angular"))
    ['harmonics', 'cartesian']
    """
    return {name: entry for name, entry in BASES.items() if entry.kind == kind}


def basis(kind: Kind, name: str) -> Callable[..., Any]:
    """The basis of this kind and name; UserError names the nearest ones if there is none."""
    check_names(f"{kind} basis", [name], bases(kind))
    module, _, attribute = BASES[name].place.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


def radial_basis(config: RunConfig) -> "Callable[[Tensor], Tensor]":
    """The radial basis of a configuration: lengths [edges] in Angstrom to values [edges, num_basis]."""
    return partial(basis("radial", config.radial), num_basis=config.num_basis, cutoff=config.cutoff)


def check(config: RunConfig) -> None:
    """UserError for an unknown radial basis."""
    check_names("radial basis", [config.radial], bases("radial"))
