"""Instance norm: features of a molecule are divided by their own size, and scalars centred."""

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.data.batches import Batch
from equinotes.layers.pooling import pooled
from equinotes.layers.steerable import Steerable

EPS = 1e-5


class InstanceNorm(nn.Module):
    r"""For each channel c of each irrep, with means over the atoms i of a molecule and the components m (in the implementation of
    arXiv 2110.02905):

    .. math:: x_i[m, c] \to w_c\, \frac{x_i[m, c] - \mu_c}{\sqrt{\langle (x_j[m', c] - \mu_c)^2 \rangle_{j, m'} + 10^{-5}}} + b_c

    The mean mu and the bias b are those of scalars (0e) alone. A molecule of one atom keeps nothing of its scalars but b.
    """

    def __init__(self, irreps: str) -> None:
        super().__init__()
        muls = {str(ir): mul for mul, ir in o3.Irreps(irreps)}
        self.weight = nn.ParameterDict({ir: nn.Parameter(torch.ones(mul)) for ir, mul in muls.items()})
        self.bias = nn.Parameter(torch.zeros(muls["0e"]))

    def forward(self, x: Steerable, batch: Batch) -> Steerable:
        """Normalised features."""
        scalars = x["0e"]
        centred = x | {"0e": scalars - pooled(scalars[:, 0], batch, "mean")[batch.molecule][:, None]}
        sizes: Float[Tensor, "atoms channels"] = torch.cat([part.square().mean(1) for part in centred.values()], dim=1)
        factors = (pooled(sizes, batch, "mean") + EPS).rsqrt()[batch.molecule] * torch.cat([*self.weight.values()])
        by_irrep = factors.split([part.shape[2] for part in centred.values()], dim=1)
        normed = {ir: part * factor[:, None] for (ir, part), factor in zip(centred.items(), by_irrep, strict=True)}
        return normed | {"0e": normed["0e"] + self.bias}
