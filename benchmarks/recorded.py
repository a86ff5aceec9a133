"""Training steps recorded once as a CUDA graph and replayed: batch 32 is then no longer bound by the launches of its kernels."""

from dataclasses import fields

import torch

from equinotes.data.batches import Batch
from equinotes.data.padding import ELEMENTS, padded
from equinotes.networks.paper import PaperNetwork

WARM_UP = 3


class Recorded:
    """Forward, backward and AdamW on padded batches, recorded; from then on the network serves these steps alone.

    Padding and geometry are not recorded (`torch.unique` cannot be): they are done anew before each replay, as part of the step,
    and the CPU waits for them.
    """

    def __init__(
        self, net: PaperNetwork, optimizer: torch.optim.Optimizer, batches: list[Batch], targets: list[torch.Tensor]
    ) -> None:
        self.net, self.optimizer = net, optimizer
        self.room = {
            "atoms": max(len(batch.z) for batch in batches) + len(ELEMENTS),
            "bonds": max(batch.edge_index.shape[1] // 2 for batch in batches),
            "molecules": max(batch.num_molecules for batch in batches) + 1,
        }
        self.weights = [parameter.detach().clone() for parameter in net.parameters()]
        self.edges_of = net.edges
        self.batch = padded(batches[0], **self.room)
        self.edges = self.edges_of(self.batch)
        self.target = targets[0].new_zeros(self.room["molecules"])
        net.edges = lambda batch: self.edges  # type: ignore[method-assign, assignment, return-value]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._step()

    def __call__(self, batch: Batch, target: torch.Tensor) -> None:
        """One step on a batch that fits."""
        new = padded(batch, **self.room)
        for old, other in ((self.batch, new), (self.edges, self.edges_of(new))):
            for field in fields(old):
                if getattr(old, field.name) is not None:
                    getattr(old, field.name).copy_(getattr(other, field.name))
        self.target[: len(target)].copy_(target)
        self.graph.replay()

    def first(self, batch: Batch, target: torch.Tensor) -> torch.Tensor:
        """Predictions of a replayed step at the initial weights. The parameters then have its gradients, and the initial weights
        again, for the step ends in AdamW.
        """
        self._restart()
        self(batch, target)
        predicted = self.predicted[: batch.num_molecules].clone()
        self._restart()
        return predicted

    @torch.no_grad()
    def _restart(self) -> None:
        """Initial weights, and all that AdamW keeps is zero, as it starts: in place, for the graph knows their addresses."""
        for parameter, weights in zip(self.net.parameters(), self.weights, strict=True):
            parameter.copy_(weights)
        for kept in self.optimizer.state.values():
            for tensor in kept.values():
                tensor.zero_()

    def _step(self) -> None:
        self.optimizer.zero_grad(set_to_none=False)
        predicted = self.net.normalised(self.batch)
        self.predicted = predicted.detach()
        real = self.batch.rows >= 0
        (((predicted - self.target) * real).square().sum() / real.sum()).backward()
        self.optimizer.step()
