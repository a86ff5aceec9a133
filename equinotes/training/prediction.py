"""Predictions of a network for molecules of QM9."""

from typing import Any

import numpy as np
import torch

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.data.qm9 import QM9
from equinotes.networks.base import Network
from equinotes.support.cores import side_by_side
from equinotes.support.progress import bar

EVALUATION_BATCH = 256


@side_by_side()
@torch.no_grad()
def predict(net: Network, qm9: QM9, rows: np.ndarray, *, edit: Any = None, progress: bool = False) -> np.ndarray:
    """Predictions [rows] in the target's unit, float64; `edit` as in `Network.forward`."""
    device = str(next(net.parameters()).device)
    chunks = [rows[start : start + EVALUATION_BATCH] for start in range(0, len(rows), EVALUATION_BATCH)]
    parts = [
        net(batch_of(net.config, qm9, some).to(device), edit=edit).double().cpu().numpy()
        for some in bar(chunks, desc="predict", progress=progress)
    ]
    return np.concatenate(parts)


def batch_of(config: RunConfig, qm9: QM9, rows: np.ndarray) -> Batch:
    """The batch of these rows with the configuration's graph."""
    return qm9.batch(rows, graph=config.graph, cutoff=config.cutoff)
