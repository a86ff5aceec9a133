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
    terms: dict[str, Tensor]
    """Additional terms that are part of the total, before their weights."""


class Objective(nn.Module):
    """The loss of a configuration; additional terms keep their own parameters in it, under their names."""

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.terms = nn.ModuleDict({name: build_term(name, config, net) for name in config.terms})

    def forward(self, net: Network, batch: Batch, targets: Tensor, step: int, qm9: QM9 | None = None) -> Loss:
        """The loss of a batch whose `targets` [molecules, outputs] are in their units; `step` counts from 0 over the run.

        Where `config.pretrain_epochs` is set, the total of these epochs is that of the terms, and later the error alone.
        """
        wanted = net.normalise(targets, batch)
        pretraining = step < pretraining_steps(self.config)
        if not self.terms or (self.config.pretrain_epochs and not pretraining):
            difference = net.outputs(batch) - wanted
            error = difference.square().mean()
            return Loss(error, error, difference, {})
        seed = int(np.random.SeedSequence((_TERMS, self.config.seed, step)).generate_state(1)[0])
        generator = torch.Generator().manual_seed(seed)
        features: dict[int, Parts] = {}

        def keep(block: int, parts: Parts) -> Parts:
            features[block] = parts
            for term in self.terms.values():
                parts = term.changed(block, parts, generator)  # type: ignore[operator]
            return parts

        outputs = net.outputs(batch, edit=keep)
        difference = outputs - wanted
        error = difference.square().mean()
        seen = Seen(net, batch, outputs, wanted, features, generator, qm9)
        values = {name: term(seen) for name, term in self.terms.items()}
        total = torch.zeros_like(error) if pretraining else error
        for value, weight in zip(values.values(), self.config.term_weights, strict=True):
            total = total + weight * value
        return Loss(total, error, difference, values)

    def of_rows(self, net: Network, qm9: QM9, rows: np.ndarray, step: int, device: str) -> Loss:
        """The loss of these molecules."""
        batch = batch_of(self.config, qm9, rows).to(device)
        return self(net, batch, targets_of(self.config, qm9, rows).to(device), step, qm9)


def pretraining_steps(config: RunConfig) -> int:
    """Steps of the epochs in which the terms alone are the loss.

    >>> pretraining_steps(RunConfig(terms=("denoise",), term_weights=(1.0,), pretrain_epochs=2, num_train=100, batch_size=32))
    8
    """
    return config.pretrain_epochs * -(-config.num_train // config.batch_size)
