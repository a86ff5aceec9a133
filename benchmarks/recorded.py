"""Training steps recorded once as a CUDA graph and replayed: batch 32 is then no longer bound by the launches of its kernels."""

from dataclasses import fields

import torch

from equinotes.data.batches import Batch
from equinotes.data.padding import ELEMENTS, padded
from equinotes.model import buffers
from equinotes.model.network import Network

WARM_UP = 3


class Recorded:
    """Forward, backward and AdamW on padded batches; geometry and padding are done for each batch before the replay."""

    def __init__(self, net: Network, optimizer: torch.optim.Optimizer, batches: list[Batch], targets: list[torch.Tensor]) -> None:
        self.net, self.optimizer = net, optimizer
        self.atoms = max(len(batch.z) for batch in batches) + len(ELEMENTS)
        self.bonds = max(batch.edge_index.shape[1] // 2 for batch in batches)
        self.edges_of = net.layers.edges
        self.batch = padded(batches[0], self.atoms, self.bonds)
        self.edges = self.edges_of(self.batch)
        self.target = targets[0].clone()
        net.layers.edges = lambda batch: self.edges  # type: ignore[method-assign, assignment, return-value]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._step()
        self._kept = list(buffers.buffer._flat.values())  # the graph writes to these, whoever asks for larger ones

    def __call__(self, batch: Batch, target: torch.Tensor) -> None:
        """One step on a batch that fits."""
        new = padded(batch, self.atoms, self.bonds)
        for old, other in ((self.batch, new), (self.edges, self.edges_of(new))):
            for field in fields(old):
                getattr(old, field.name).copy_(getattr(other, field.name))
        self.target.copy_(target)
        self.graph.replay()

    def _step(self) -> None:
        self.optimizer.zero_grad(set_to_none=False)
        predicted = self.net.normalised(self.batch)[:-1]
        (predicted - self.target).square().mean().backward()
        self.optimizer.step()
