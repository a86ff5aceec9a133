"""Denoising of positions: vectors of the atoms say where noise has moved them."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.networks.base import Network
from equinotes.training.terms.base import Seen, Term, centred, features_of, last_with

NOISE = 0.05
"""Standard deviation of the noise of each coordinate [Angstrom]."""


class Denoise(Term):
    r"""Every position is moved by :math:`0.05\,e_i` Angstrom, and a linear map of the last vectors has to say e:

    .. math:: \langle |v_i - e_i|^2 / 3 \rangle, \qquad v_i = \sum_c w_c\, x_i[l=1, c]

    e is normal with the mean of each molecule taken off, which no network that sees differences of positions could find. Bonds
    stay. 1 means that nothing was found (a little less in small molecules). As a pre-training: `pretrain_epochs`. The
    objective is that of arXiv 2206.00133 and, for the vectors of equivariant networks, 2403.09549.
    """

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        self.layer, self.irrep, mul = last_with(net, 1)
        self.weight = nn.Parameter(torch.randn(mul))

    def forward(self, seen: Seen) -> Tensor:
        """The mean squared error of a component."""
        batch = seen.batch
        noise = centred(seen.normal(batch.pos), batch)
        noisy = replace(batch, pos=batch.pos + NOISE * noise)
        found = self.vectors(features_of(seen.net, noisy)[self.layer][self.irrep])
        return (found - self.wanted(noise, seen)).square().mean()

    def vectors(self, part: Float[Tensor, "atoms mul 3"]) -> Float[Tensor, "atoms 3"]:
        """The answer of each atom, components x, y, z."""
        return torch.einsum("aum,u->am", part, self.weight) / len(self.weight) ** 0.5

    def wanted(self, noise: Float[Tensor, "atoms 3"], seen: Seen) -> Float[Tensor, "atoms 3"]:
        """The noise that each atom should name."""
        return noise


class DenoiseControl(Denoise):
    """The same with the noise of another atom as the answer, of any molecule of the batch: there is nothing to learn."""

    def wanted(self, noise: Float[Tensor, "atoms 3"], seen: Seen) -> Float[Tensor, "atoms 3"]:
        return noise[seen.shuffled(len(noise))]
