"""Between a network's outputs and its targets: mean, scale, and energies of the elements."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.data.batches import Batch
from equinotes.support.errors import UserError

NUM_ELEMENTS = 100


class Reference(nn.Module):
    r"""The affine map between outputs y, as the loss sees them, and targets in their units:

    .. math:: E = \mu + \sigma\,y + \sum_i \epsilon_{z_i}

    Its buffers (float64) are part of the network's `state_dict`: `ref_mean`, `ref_scale`, `ref_elements` and, where a network
    has auxiliary targets, `ref_auxiliary` with their means and scales.
    """

    ref_mean: Tensor
    ref_scale: Tensor
    ref_elements: Tensor
    ref_auxiliary: Tensor

    def __init__(self, auxiliary: int = 0) -> None:
        super().__init__()
        self.num_auxiliary = auxiliary
        self.register_buffer("ref_mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("ref_scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("ref_elements", torch.zeros(NUM_ELEMENTS, dtype=torch.float64))
        if auxiliary:
            self.register_buffer("ref_auxiliary", torch.tensor([[0.0], [1.0]], dtype=torch.float64).repeat(1, auxiliary))

    def predicted(self, outputs: Float[Tensor, "molecules outputs"], batch: Batch) -> Float[Tensor, " molecules"]:
        """The target in its unit, float64, from outputs as the loss sees them."""
        return self.ref_mean + self.ref_scale * outputs[:, 0].double() + self._composition(batch)

    def normalise(self, values: Float[Tensor, "molecules *outputs"], batch: Batch) -> Float[Tensor, "molecules *outputs"]:
        """Targets, in their units, as the loss sees them, in the network's precision; columns as in `Network.outputs`."""
        dtype = next(self.parameters()).dtype
        first = values if values.ndim == 1 else values[:, 0]
        first = (first - self.ref_mean - self._composition(batch)) / self.ref_scale
        if values.ndim == 1:
            return first.to(dtype)
        rest = (values[:, 1:] - self.ref_auxiliary[0]) / self.ref_auxiliary[1] if self.num_auxiliary else values[:, 1:]
        return torch.cat([first[:, None], rest], dim=1).to(dtype)

    def set_reference(self, mean: float, scale: float, elements: Float[Tensor, " elements"] | None = None) -> None:
        """What is added to and multiplied with the network's output; `elements` [100] holds one energy per atomic number."""
        if not scale > 0:
            raise UserError(f"scale must be positive, got {scale}")
        self.ref_mean.fill_(mean)
        self.ref_scale.fill_(scale)
        self.ref_elements.zero_() if elements is None else self.ref_elements.copy_(elements)

    def set_auxiliary(self, means: Float[Tensor, " auxiliary"], scales: Float[Tensor, " auxiliary"]) -> None:
        """Mean and scale of each auxiliary target, in its unit."""
        self.ref_auxiliary.copy_(torch.stack([means, scales]))

    @property
    def scale(self) -> float:
        """Size of one unit of the loss's energies, in the target's unit."""
        return float(self.ref_scale)

    def _composition(self, batch: Batch) -> Float[Tensor, " molecules"]:
        energies = self.ref_elements[batch.z]
        return energies.new_zeros(batch.num_molecules).index_add(0, batch.molecule, energies)
