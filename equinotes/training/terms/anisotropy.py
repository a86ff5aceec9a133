"""The anisotropy of the polarisability from the features of l = 2.

QM9's tensors are given in another frame than its coordinates: their invariants can be fitted, not their components. The
anisotropy is the length of the traceless part, which has l = 2, up to the factor of its definition.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.networks.base import Network, Parts
from equinotes.training.terms.base import Seen, Term, last_with, per_molecule

SPREAD = 17.0
"""Standard deviation of QM9's anisotropies, about [bohr^3]: the loss is in units of its square."""
SMALLEST = 1e-3
"""Lengths below this are not told apart, since a length has no slope at zero [bohr^3]."""


class Anisotropy(Term):
    r"""Squared error of :math:`\Delta\alpha = |\sum_{i,c} w_c\, x_i[l=2, c]|`, in units of 17 bohr^3."""

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        self.layer, self.irrep, mul = last_with(net, 2)
        self.weight = nn.Parameter(torch.randn(mul))

    def forward(self, seen: Seen) -> Tensor:
        """The mean squared error."""
        tensor = self.tensor(seen.features[self.layer], seen.batch)
        length = (tensor.square().sum(1) + SMALLEST**2).sqrt()
        return ((length - self.wanted(seen)) / SPREAD).square().mean()

    def tensor(self, parts: Parts, batch: Batch) -> Float[Tensor, "molecules 5"]:
        """The traceless part of each molecule, its length in bohr^3."""
        atoms = torch.einsum("aum,u->am", parts[self.irrep], self.weight) / len(self.weight) ** 0.5
        return per_molecule(atoms, batch)

    def wanted(self, seen: Seen) -> Float[Tensor, " molecules"]:
        """The anisotropies to be found [bohr^3]."""
        return seen.labels("alpha_anisotropy")


class AnisotropyControl(Anisotropy):
    """The same with the anisotropies of other molecules of the batch."""

    def wanted(self, seen: Seen) -> Float[Tensor, " molecules"]:
        labels = seen.labels("alpha_anisotropy")
        return labels[seen.shuffled(len(labels))]
