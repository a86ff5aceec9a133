"""Memory that a CPU uses again and again: what was just written is still in its cache, and new memory costs page faults."""

import math
import threading

import torch
from torch import Tensor

MOST_VIEWS = 2000
"""Views that are kept in each thread; batches come in many sizes."""


class _Buffers(threading.local):
    """One buffer for each name and type, in each thread; it grows to the largest size that was asked for.

    Views are kept as well: to make one takes as long as a small product. Away from the CPU nothing is kept: there torch uses
    memory again itself, also within a CUDA graph.
    """

    def __init__(self) -> None:
        self._flat: dict[tuple[str, torch.dtype], Tensor] = {}
        self._views: dict[tuple[str, torch.dtype, tuple[int, ...]], Tensor] = {}

    def __call__(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """A tensor of this shape, of the type and device of `like`, holding anything; the next call with the name reuses it."""
        if like.device.type != "cpu":
            return torch.empty(shape, dtype=like.dtype, device=like.device)
        view = self._views.get((name, like.dtype, shape))
        if view is None:
            view = self._views[name, like.dtype, shape] = self._view(name, like.dtype, shape)
        return view

    def _view(self, name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        key, numel = (name, dtype), math.prod(shape)
        with torch.inference_mode(False):  # what is made in that mode cannot be written to later, outside of it
            if key not in self._flat or len(self._flat[key]) < numel:
                self._flat[key] = torch.empty(numel, dtype=dtype)
                self._views = {old: view for old, view in self._views.items() if old[:2] != key}  # they keep old memory
            if len(self._views) >= MOST_VIEWS:
                self._views.clear()
            return self._flat[key][:numel].view(shape)


buffer = _Buffers()
