"""Products of an atom's features with themselves: what sees more than pairs of atoms at a time."""

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.support.errors import UserError

Path = tuple[int, int, int]
"""Places of two factors and of their product among the irreps."""


class ManyBody(nn.Module):
    r"""Channel-wise tensor powers of features A, as MACE has them (Batatia et al., arXiv 2206.07697, equations 10 and 11).

    .. math:: P_1 = A, \qquad P_\nu = \sum_{\mathrm{paths}} w_\nu\, (P_{\nu-1} \otimes A), \qquad
              A' = A + \sum_{\nu=2}^{n-1} L_\nu P_\nu

    A sums messages over neighbours, each of which knows a pair of atoms: with body order n, A' is a polynomial of degree n - 1 in
    the messages. Powers are built one factor at a time, with weights for each path and channel. MACE contracts all factors at
    once with generalised Clebsch-Gordan coefficients, has weights for each element, and couples through every intermediate irrep;
    here a power of degree 2 keeps the irreps of A alone, so that fewer cubes arise. A linear map L mixes the channels of each
    power; it starts at zero, so that a network starts as it would without products and no power of large features blows up.
    Squares that symmetry makes zero (the cross product of a vector with itself) are left out.

    irreps : each irrep once, all with the same number of channels
    body_order : n, at least 2, which adds nothing; networks take 2 to 4

    Raises ValueError where irreps differ in their numbers of channels.
    """

    def __init__(self, irreps: str, body_order: int) -> None:
        super().__init__()
        self.irreps = o3.Irreps(irreps)
        if len({each.mul for each in self.irreps}) != 1:
            raise UserError(f"many-body products need as many channels of every irrep, got {irreps}")
        self.mul, dim = self.irreps[0].mul, sum(each.ir.dim for each in self.irreps)
        self.paths = [paths(self.irreps, degree) for degree in range(2, body_order)]
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(len(some), self.mul)) for some in self.paths)
        self.mixes = nn.ParameterList(nn.Parameter(torch.zeros(len(self.irreps), self.mul, self.mul)) for _ in self.paths)
        for degree, some in enumerate(self.paths, start=2):
            coefficients, path, component = coupled(self.irreps, some)
            self.register_buffer(f"coefficients{degree}", coefficients.reshape(dim * dim, -1), persistent=False)
            self.register_buffer(f"path{degree}", path, persistent=False)
            self.register_buffer(f"component{degree}", component, persistent=False)

    def forward(self, parts: dict[str, Float[Tensor, "atoms mul _"]]) -> dict[str, Float[Tensor, "atoms mul _"]]:
        """Features plus their mixed powers, one [atoms, mul, 2l+1] tensor per irrep."""
        names, dims = list(parts), [part.shape[2] for part in parts.values()]
        power = first = torch.cat([*parts.values()], dim=2)
        total = first
        for degree, (weight, mix) in enumerate(zip(self.weights, self.mixes, strict=True), start=2):
            power = self._product(power, first, weight, degree)
            pieces = zip(power.split(dims, dim=2), mix, strict=True)
            mixed = [torch.einsum("acm,cd->adm", piece, matrix) for piece, matrix in pieces]
            total = total + torch.cat(mixed, dim=2) / self.mul**0.5
        return dict(zip(names, total.split(dims, dim=2), strict=True))

    def _product(
        self, x: Float[Tensor, "atoms mul dim"], y: Float[Tensor, "atoms mul dim"], weight: Tensor, degree: int
    ) -> Float[Tensor, "atoms mul dim"]:
        """Every path of x times y, weighted and summed into its irrep."""
        pairs = (x[..., :, None] * y[..., None, :]).flatten(2)
        each = pairs @ self.get_buffer(f"coefficients{degree}")
        each = each * weight.T[:, self.get_buffer(f"path{degree}")]
        return torch.zeros_like(x).index_add(2, self.get_buffer(f"component{degree}"), each)


def paths(irreps: o3.Irreps, degree: int) -> list[Path]:
    """The paths of a power: both factors and the product are among the irreps.

    In a square (degree 2) factors commute, and an irrep times itself has no part that changes sign when they are exchanged.

    >>> paths(o3.Irreps("4x0e+4x1o"), 2), len(paths(o3.Irreps("4x0e+4x1o"), 3))
    ([(0, 0, 0), (0, 1, 1), (1, 1, 0)], 4)
    """
    found, irs = [], [each.ir for each in irreps]
    for i, first in enumerate(irs):
        for j, second in enumerate(irs):
            if degree == 2 and j < i:
                continue
            antisymmetric = {ir for ir in first * second if ir.l % 2} if degree == 2 and i == j else set()
            found += [(i, j, k) for k, ir in enumerate(irs) if ir in first * second and ir not in antisymmetric]
    return found


def coupled(irreps: o3.Irreps, some: list[Path]) -> tuple[Tensor, Tensor, Tensor]:
    """Coefficients [dim, dim, outputs] of all paths, the path of each output, and the component that it is added to.

    Wigner 3j symbols times the root of 2l+1, over the root of the number of paths into an irrep.
    """
    dims = [each.ir.dim for each in irreps]
    starts = [sum(dims[:k]) for k in range(len(dims) + 1)]
    blocks: list[Tensor] = []
    path: list[int] = []
    component: list[int] = []
    for number, (i, j, k) in enumerate(some):
        into = sum(other[2] == k for other in some)
        block = torch.zeros(starts[-1], starts[-1], dims[k], dtype=torch.float64)
        threej = o3.wigner_3j(irreps[i].ir.l, irreps[j].ir.l, irreps[k].ir.l, dtype=torch.float64)
        block[starts[i] : starts[i + 1], starts[j] : starts[j + 1]] = threej * (dims[k] / into) ** 0.5
        blocks.append(block)
        path += [number] * dims[k]
        component += range(starts[k], starts[k + 1])
    return torch.cat(blocks, dim=2).to(torch.get_default_dtype()), torch.tensor(path), torch.tensor(component)
