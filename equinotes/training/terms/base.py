"""What an additional term of the loss is given, and what it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.networks.base import Network, Parts


@dataclass(frozen=True)
class Seen:
    """What one training step computed, for terms to use."""

    net: Network
    batch: Batch
    outputs: Tensor
    """What the loss compares, [molecules, outputs]."""
    wanted: Tensor
    """Targets as the loss sees them, [molecules, outputs]."""
    features: dict[int, Parts]
    """Features behind each block (1, 2, ...): one [atoms, mul, 2l+1] tensor per irrep, part of the graph."""
    generator: torch.Generator
    """Random numbers of this step, on the CPU."""
    qm9: QM9 | None = None
    """The data set that `batch.rows` are rows of."""

    def labels(self, target: str) -> Float[Tensor, " molecules"]:
        """Values of another column of QM9 for these molecules, in its unit."""
        qm9 = self.qm9 or load_qm9(progress=False)
        values = torch.from_numpy(qm9.targets[target][self.batch.rows.cpu().numpy()].copy())
        return values.to(self.outputs.device, self.outputs.dtype)

    def shuffled(self, count: int) -> Tensor:
        """A permutation of 0, ..., count - 1, for controls."""
        return torch.randperm(count, generator=self.generator).to(self.outputs.device)

    def normal(self, like: Tensor) -> Tensor:
        """Normal random numbers in the shape of a tensor."""
        return torch.randn(like.shape, generator=self.generator, dtype=like.dtype).to(like.device)


class Term(nn.Module):
    """One additional term of the loss."""

    def __init__(self, config: RunConfig, net: Network) -> None:
        super().__init__()

    def forward(self, seen: Seen) -> Tensor:
        """A scalar; it is multiplied with its weight and added to the loss."""
        raise NotImplementedError

    def changed(self, block: int, parts: Parts, generator: torch.Generator) -> Parts:
        """Features that go on behind a block while training, in place of these; `Seen.features` has those before."""
        return parts


def features_of(net: Network, batch: Batch) -> dict[int, Parts]:
    """Features behind each block, part of the graph, as `Seen.features` has them."""
    kept: dict[int, Parts] = {}
    net.outputs(batch, edit=kept.setdefault)
    return kept


def inner(features: dict[int, Parts]) -> list[Parts]:
    """Features of all blocks but the last, whose orders above 0 lead nowhere in the paper's network."""
    return [parts for block, parts in sorted(features.items()) if block < max(features)] or list(features.values())


def last_with(net: Network, l: int) -> tuple[int, str, int]:
    """The last layer that has an order, its irrep of this order and the number of its channels."""
    for layer in reversed(range(len(net.layers))):
        for mul, ir in o3.Irreps(net.layers[layer].irreps):
            if ir.l == l and (l == 0 or net.layers[layer].editable):
                return layer, str(ir), mul
    raise AssertionError(f"l={l} is checked when the configuration is made")


def per_molecule(atoms: Float[Tensor, "atoms *rest"], batch: Batch) -> Float[Tensor, "molecules *rest"]:
    """Sums over the atoms of each molecule."""
    return atoms.new_zeros(batch.num_molecules, *atoms.shape[1:]).index_add(0, batch.molecule, atoms)


def centred(atoms: Float[Tensor, "atoms *rest"], batch: Batch) -> Float[Tensor, "atoms *rest"]:
    """Values of atoms less the mean over their molecule."""
    counts = torch.bincount(batch.molecule, minlength=batch.num_molecules).to(atoms.dtype)
    means = per_molecule(atoms, batch) / counts.view(-1, *[1] * (atoms.dim() - 1))
    return atoms - means[batch.molecule]


def irreps_above_zero(parts: Parts) -> Sequence[Tensor]:
    """Features of l > 0."""
    return [part for part in parts.values() if part.shape[-1] > 1]
