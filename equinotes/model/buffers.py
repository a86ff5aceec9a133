"""Memory that is used again and again: what was just written is still in the cache, and new memory costs page faults."""

import math
import threading

import torch
from torch import Tensor


class _Buffers(threading.local):
    """One buffer for each name, type and device, in each thread; it grows to the largest size that was asked for."""

    def __init__(self) -> None:
        self._flat: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def __call__(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """A tensor of this shape, of the type and device of `like`, holding anything; the next call with the name reuses it."""
        key, numel = (name, like.dtype, like.device), math.prod(shape)
        if key not in self._flat or len(self._flat[key]) < numel:
            self._flat[key] = like.new_empty(numel)
        return self._flat[key][:numel].view(shape)


buffer = _Buffers()
