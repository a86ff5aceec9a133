"""An exponential average of the weights, kept beside the last iterate; training itself does not see it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def decay_at(step: int, decay: float) -> float:
    """Decay of the update after step 1, 2, ...: it rises to its final value, so that the average forgets the initial weights.

    The warm-up is min(decay, (1 + step) / (10 + step)), as in TensorFlow's ExponentialMovingAverage.

    >>> [round(decay_at(step, 0.999), 4) for step in (1, 10, 10_000)]
    [0.1818, 0.55, 0.999]
    """
    return min(decay, (1 + step) / (10 + step))


class Average:
    """Averaged parameters of a network: a_t = d_t a_(t-1) + (1 - d_t) w_t with d_t of `decay_at`."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = dict(net.named_parameters())
        self.weights: dict[str, Tensor] = {name: weight.detach().clone() for name, weight in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after this step (1, 2, ...)."""
        share = 1 - decay_at(step, self.decay)
        torch._foreach_lerp_(list(self.weights.values()), [weight.detach() for weight in self.parameters.values()], share)

    @torch.no_grad()
    def restart(self) -> None:
        """Forget all weights but the present ones."""
        for name, weight in self.parameters.items():
            self.weights[name].copy_(weight)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within this, the network has the averaged weights; afterwards it has its own again, bit by bit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, weight in self.parameters.items():
            own = weight.detach().clone()
            weight.copy_(self.weights[name])
            self.weights[name].copy_(own)
