"""Reusable CPU buffers: recently written memory is still in cache, and fresh memory costs page faults."""

import math
import threading

import torch
from torch import Tensor

MOST_VIEWS = 2000
"""Views cached per thread; batch sizes vary."""


class _Buffers(threading.local):
    """One buffer per name, type and thread, grown to the largest size requested.

    Views are cached too, since creating one takes as long as a small matrix product. On other devices nothing is cached: torch's
    allocator reuses memory itself, also within a CUDA graph.
    """

    def __init__(self) -> None:
        self._flat: dict[tuple[str, torch.dtype], Tensor] = {}
        self._views: dict[tuple[str, torch.dtype, tuple[int, ...]], Tensor] = {}

    def __call__(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """An uninitialised tensor of this shape, type and device as `like`; the next call with this name overwrites it."""
        if like.device.type != "cpu":
            return torch.empty(shape, dtype=like.dtype, device=like.device)
        view = self._views.get((name, like.dtype, shape))
        if view is None:
            view = self._views[name, like.dtype, shape] = self._view(name, like.dtype, shape)
        return view

    def _view(self, name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        key, numel = (name, dtype), math.prod(shape)
        with torch.inference_mode(False):  # tensors created in that mode cannot be written to outside it
            if key not in self._flat or len(self._flat[key]) < numel:
                self._flat[key] = torch.empty(numel, dtype=dtype)
                self._views = {old: view for old, view in self._views.items() if old[:2] != key}  # drop old memory
            if len(self._views) >= MOST_VIEWS:
                self._views.clear()
            return self._flat[key][:numel].view(shape)


buffer = _Buffers()
