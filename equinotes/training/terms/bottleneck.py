r"""An information bottleneck: features go on with noise, and what still gets through is paid for in nats.

Noise of one size in all directions of a channel keeps a network equivariant on average. With the variance P of a component over
atoms (for l > 0, whose mean over all orientations is zero, the mean square) and that of its noise, a channel lets through at most

.. math:: R_{l,c} = \frac{2l + 1}{2} \log\Big(1 + \frac{P_{l,c}}{\sigma_{l,c}^2}\Big)

nats per atom: the divergence of the noisy features from the best normal distribution that knows nothing of the atom.
"""

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.networks.base import Network, Parts
from equinotes.training.terms.base import Seen, Term

START = 0.1
"""Standard deviation of the noise at the start; features have a size of about one."""


class Bottleneck(Term):
    """Sum of R over blocks, orders and channels [nats per atom], with noise of a learned size for each channel while training.

    Predictions are made without noise. A scale of the features does not help: they are measured against the noise.
    """

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__(config, net)
        start = torch.tensor(START).log()
        sizes = {f"{k}_{ir}": mul for k, layer in enumerate(net.layers) if layer.editable for ir, mul in _muls(layer.irreps)}
        self.log_sigma = nn.ParameterDict({name: nn.Parameter(start.expand(mul).clone()) for name, mul in sizes.items()})

    def forward(self, seen: Seen) -> Tensor:
        """The sum."""
        return torch.stack([rate for rates in self.rates(seen.features).values() for rate in rates.values()]).sum()

    def changed(self, block: int, parts: Parts, generator: torch.Generator) -> Parts:
        """Features with noise."""
        noisy = {}
        for place, (ir, part) in enumerate(parts.items()):
            noise = torch.randn(part.shape, generator=generator, dtype=part.dtype).to(part.device)
            noisy[ir] = part + noise * self.noise(block, list(parts), place)[:, None]
        return noisy

    def noise(self, block: int, irreps: list[str], place: int) -> Float[Tensor, " mul"]:
        """Standard deviation of the noise of each channel of one irrep."""
        return self.log_sigma[f"{block}_{irreps[place]}"].exp()

    def rates(self, features: dict[int, Parts]) -> dict[int, dict[str, Tensor]]:
        """R of each block and irrep, summed over channels [nats per atom]."""
        return {
            block: {ir: rate(part, self.log_sigma[f"{block}_{ir}"].exp()) for ir, part in parts.items()}
            for block, parts in features.items()
        }


class BottleneckControl(Bottleneck):
    """The same where every order gets the noise that was learned for the next one: what is paid for is not what gets through."""

    def noise(self, block: int, irreps: list[str], place: int) -> Float[Tensor, " mul"]:
        return super().noise(block, irreps, (place + 1) % len(irreps))


def rate(part: Float[Tensor, "atoms mul m"], sigma: Float[Tensor, " mul"]) -> Tensor:
    """R of one irrep, summed over its channels [nats per atom]; a constant that all scalars share says nothing of an atom.

    >>> round(float(rate(torch.ones(5, 1, 3), torch.ones(1))), 4)
    1.0397
    """
    power = part.var((0, 2), correction=0) if part.shape[2] == 1 else part.square().mean((0, 2))
    return part.shape[2] / 2 * torch.log1p(power / sigma.square()).sum()


def _muls(irreps: str) -> list[tuple[str, int]]:
    return [(str(ir), mul) for mul, ir in o3.Irreps(irreps)]
