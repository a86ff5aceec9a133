"""Constant tensors, cached on each device."""

from functools import cache

import torch
from jaxtyping import Shaped
from torch import Tensor, nn


@cache
def moved(values: Shaped[Tensor, "*shape"], device: torch.device, dtype: torch.dtype | None = None) -> Shaped[Tensor, "*shape"]:
    """A copy of these values, made once per device and type and kept for the lifetime of the process.

    A copy in each step would synchronise the CPU with the GPU and could not be captured in a CUDA graph.
    """
    with torch.inference_mode(False):  # tensors created in that mode cannot take part in autograd outside it
        return values.to(device, dtype, copy=True)


def leave_out_of_state_dict(module: nn.Module) -> None:
    """Make all buffers follow the module without being stored: they are constants of the code, not of a trained network."""
    for part in module.modules():
        part._non_persistent_buffers_set.update(part._buffers)
