"""The dipole moment from charges and vectors of the atoms.

QM9 has the magnitude of the dipole, not its direction. The sum over atoms is a vector all the same: only its length is compared.
"""

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.networks.base import Network, Parts
from equinotes.training.terms.base import Seen, Term, centred, last_with, per_molecule

DEBYE = 4.803204
"""One elementary charge times one Angstrom [D]."""
SPREAD = 1.5
"""Standard deviation of QM9's dipoles, about [D]: the loss is in units of its square."""
SMALLEST = 1e-4
"""Lengths below this are not told apart, since a length has no slope at zero [D]."""


class Dipole(Term):
    r"""Squared error of the dipole's magnitude [1.5 D], read as

    .. math:: \mu = \Big|\sum_i q_i r_i + \sum_{i,c} w_c\, x_i[l=1, c]\Big|, \qquad \sum_i q_i = 0

    with charges q from the scalars and atomic dipoles from the vectors (arXiv 2102.03150).
    """

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        self.layer, self.irrep, mul = last_with(net, 1)
        self.scalars = o3.Irreps(net.layers[self.layer].irreps).count("0e")
        self.charge = nn.Parameter(torch.randn(self.scalars))
        self.weight = nn.Parameter(torch.randn(mul))

    def forward(self, seen: Seen) -> Tensor:
        """The mean squared error."""
        vector = self.vector(seen.features[self.layer], seen.batch)
        length = (vector.square().sum(1) + SMALLEST**2).sqrt()
        return ((length - self.wanted(seen)) / SPREAD).square().mean()

    def vector(self, parts: Parts, batch: Batch) -> Float[Tensor, "molecules 3"]:
        """The dipole of each molecule [D], components x, y, z."""
        charges = centred(parts["0e"][..., 0] @ self.charge / self.scalars**0.5, batch)
        atomic = torch.einsum("aum,u->am", parts[self.irrep], self.weight) / len(self.weight) ** 0.5
        return per_molecule(0.1 * DEBYE * charges[:, None] * centred(batch.pos, batch) + 0.1 * atomic, batch)

    def wanted(self, seen: Seen) -> Float[Tensor, " molecules"]:
        """The magnitudes to be found [D]."""
        return seen.labels("dipole")


class DipoleControl(Dipole):
    """The same with the dipoles of other molecules of the batch."""

    def wanted(self, seen: Seen) -> Float[Tensor, " molecules"]:
        labels = seen.labels("dipole")
        return labels[seen.shuffled(len(labels))]
