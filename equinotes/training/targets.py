"""What a network is fitted to: targets, and what is taken off them before fitting."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equinotes.config import RunConfig, check_target
from equinotes.data.batches import Split, draw_split
from equinotes.data.qm9 import QM9
from equinotes.networks import build_network
from equinotes.networks.base import Network
from equinotes.networks.reference import NUM_ELEMENTS
from equinotes.support.errors import UserError


def prepare(config: RunConfig, qm9: QM9) -> tuple[Network, Split]:
    """The untrained network of a configuration, with the references of its training set, and its split."""
    check_target(config.target)
    split = draw_split(
        qm9, num_train=config.num_train, num_val=config.num_val, num_test=config.num_test, split_seed=config.split_seed
    )
    net = build_network(config)
    net.set_reference(*fit_reference(qm9, split.train, config))
    if config.auxiliary:
        values = targets_of(config, qm9, split.train)[:, 1:]
        net.set_auxiliary(values.mean(dim=0), values.std(dim=0, correction=0))
    return net, split


def targets_of(config: RunConfig, qm9: QM9, rows: np.ndarray) -> Float[Tensor, "rows outputs"]:
    """The target and then the auxiliary targets of these rows, in their units, float64."""
    return torch.from_numpy(np.stack([qm9.targets[name][rows] for name in (config.target, *config.auxiliary)], axis=1))


def fit_reference(qm9: QM9, rows: np.ndarray, config: RunConfig) -> tuple[float, float, Tensor | None]:
    """Mean and standard deviation of the target over the training rows, and energies per element [100] or None.

    With `reference="composition"` the target is first fitted by one number per element (least squares, no constant) and mean and
    standard deviation are those of what is left. The paper's constants are the "mean" reference of the whole data set.
    """
    values = qm9.targets[config.target][rows].astype(np.float64)
    elements = None
    if config.reference == "composition":
        counts = composition(qm9, rows)
        present = counts.any(axis=0)
        solution = np.linalg.lstsq(counts[:, present], values, rcond=None)[0]
        elements = np.zeros(counts.shape[1])
        elements[present] = solution
        values = values - counts @ elements
    scale = float(values.std())
    if not scale > 0:
        raise UserError(f"{config.target} does not vary over the {len(rows)} training molecules; raise num_train")
    return float(values.mean()), scale, None if elements is None else torch.from_numpy(elements)


def composition(qm9: QM9, rows: np.ndarray) -> np.ndarray:
    """Atoms of each element by molecule: [rows, 100], column = atomic number."""
    counts = np.zeros((len(rows), NUM_ELEMENTS))
    owner, atoms = qm9.atoms_of(rows)
    np.add.at(counts, (owner, qm9.z[atoms]), 1)
    return counts
