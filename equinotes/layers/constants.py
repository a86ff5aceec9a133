"""Constants of the code, on the device where they are needed."""

from functools import cache

import torch
from jaxtyping import Shaped
from torch import Tensor, nn


@cache
def moved(values: Shaped[Tensor, "*shape"], device: torch.device, dtype: torch.dtype | None = None) -> Shaped[Tensor, "*shape"]:
    """A copy of these values, made once for each device and type; for constants that stay as long as the process.

    A copy in each step would make the CPU wait for the GPU, and could not be recorded in a CUDA graph.
    """
    with torch.inference_mode(False):  # what is made in that mode cannot take part in gradients later, outside of it
        return values.to(device, dtype, copy=True)


def leave_out_of_state_dict(module: nn.Module) -> None:
    """Make all buffers follow the module without being stored: they are constants of the code, not of a trained network."""
    for part in module.modules():
        part._non_persistent_buffers_set.update(part._buffers)
