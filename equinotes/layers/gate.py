"""The gate: the only non-linearity on features that may be switched on, and one that turns with the molecule."""

import torch
from e3nn.math import normalize2mom
from jaxtyping import Float
from torch import Tensor, nn


class Gate(nn.Module):
    r"""Scalars pass through silu, every channel of l > 0 is multiplied by a scalar between 0 and 1 of its own:

    .. math:: x_0 \to \mathrm{silu}(x_0), \qquad x_l[c] \to \sigma(g_l[c])\, x_l[c], \qquad g_l = A_l^\top x_0 / \sqrt{mul}

    as e3nn's `Gate`, with e3nn's factors that keep the second moment of a unit normal at one. e3nn leaves open where the gate
    scalars g come from; here they are a learned linear map of the scalars that the block puts out, so that the convolution stays
    the same with and without a gate. The map is the gate's only parameter: [mul, (orders - 1) * mul].
    """

    def __init__(self, orders: int, mul: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(mul, (orders - 1) * mul))
        self.scalar_activation = normalize2mom(torch.nn.functional.silu)
        self.gate_activation = normalize2mom(torch.sigmoid)

    def forward(self, parts: dict[str, Float[Tensor, "atoms mul m"]]) -> dict[str, Float[Tensor, "atoms mul m"]]:
        """Gated features, one [atoms, mul, 2l+1] tensor per irrep; orders that were left out stay out."""
        first, *turning = parts.values()
        mul = first.shape[1]
        gates = self.gate_activation(first[..., 0] @ self.weight / mul**0.5)
        # joined and cut again, so that gates that meet no order get zero gradients, not none, and AdamW treats all weights alike
        scalars, *gates = torch.cat([self.scalar_activation(first[..., 0]), gates], dim=1).split(mul, dim=1)
        gated = [part * gate[..., None] for part, gate in zip(turning, gates, strict=False)]
        return dict(zip(parts, [scalars[..., None], *gated], strict=True))
