"""What training minimises: the mean squared error of all targets, and additional terms with their weights."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.data.qm9 import QM9
from equinotes.networks.base import Network, Parts
from equinotes.training.prediction import batch_of
from equinotes.training.targets import targets_of
from equinotes.training.terms import build_term
from equinotes.training.terms.base import Seen

_TERMS = 3
"""Stream of random numbers (those of splits and orders are 1 and 2)."""


class Loss(NamedTuple):
    """One step's loss and what it is made of."""

    total: Tensor
    error: Tensor
    """Mean squared error of all outputs, without the additional terms."""
    difference: Tensor
    """Output minus target, as the loss sees them, [molecules, outputs]."""


class Objective(nn.Module):
    """The loss of a configuration; additional terms keep their own parameters in it, under their names."""

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.terms = nn.ModuleDict({name: build_term(name, config, net) for name in config.terms})

    def forward(self, net: Network, batch: Batch, targets: Tensor, step: int) -> Loss:
        """The loss of a batch whose `targets` [molecules, outputs] are in their units; `step` counts from 0 over the run."""
        wanted = net.normalise(targets, batch)
        features: dict[int, Parts] = {}

        def keep(block: int, parts: Parts) -> Parts:
            features[block] = parts
            return parts

        outputs = net.outputs(batch, edit=keep if self.terms else None)
        difference = outputs - wanted
        error = total = difference.square().mean()
        if self.terms:
            seed = int(np.random.SeedSequence((_TERMS, self.config.seed, step)).generate_state(1)[0])
            seen = Seen(net, batch, outputs, wanted, features, torch.Generator().manual_seed(seed))
            for term, weight in zip(self.terms.values(), self.config.term_weights, strict=True):
                total = total + weight * term(seen)
        return Loss(total, error, difference)

    def of_rows(self, net: Network, qm9: QM9, rows: np.ndarray, step: int, device: str) -> Loss:
        """The loss of these molecules."""
        batch = batch_of(self.config, qm9, rows).to(device)
        return self(net, batch, targets_of(self.config, qm9, rows).to(device), step)
