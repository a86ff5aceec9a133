"""The paper's network: embedding, equivariant blocks with skips, a sum of energies over atoms."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.irreps import irreps_of
from equinotes.layers.convolution import Fast
from equinotes.layers.gate import Gate
from equinotes.layers.paths import paths
from equinotes.layers.plain import Reference
from equinotes.support.errors import UserError

NUM_ELEMENTS = 100
IMPLEMENTATIONS: dict[str, type[Fast] | type[Reference]] = {"fast": Fast, "e3nn": Reference}

Parts = dict[str, Tensor]
Edit = Callable[[int, Parts], Parts]


class LayerFeatures(NamedTuple):
    """Features of the atoms after one layer, packed as e3nn packs them."""

    name: str
    x: Float[Tensor, "atoms dim"]
    irreps: str


class BlockPath(NamedTuple):
    """One path of one block's tensor product, and where its weights lie among the block's."""

    block: int
    l1: int
    l2: int
    l3: int
    where: slice


class Network(nn.Module):
    r"""The network of Lee et al. (arXiv 2410.08131) for any set of orders.

    .. math:: x^1 = \mathrm{conv}_1(\mathrm{embedding}(z)), \qquad x^k = x^{k-1} + \mathrm{conv}_k(x^{k-1}), \qquad
              E = \mu + \sigma\,(a \sum_i r \cdot x^K_i[l=0] + b) + \sum_i \epsilon_{z_i}

    with mean, scale and energies per element set by `set_reference`. With `config.gate` each convolution is followed by a gate.
    The last block's outputs of l > 0 never reach the energy: the fast implementation leaves them out unless `all_outputs` is
    set, or somebody looks (`features`, `edit`).
    """

    ref_mean: Tensor
    ref_scale: Tensor
    ref_elements: Tensor
    ref_auxiliary: Tensor

    def __init__(self, config: RunConfig, implementation: str = "fast", *, all_outputs: bool = False) -> None:
        super().__init__()
        self.config, self.all_outputs = config, all_outputs
        self.layers = IMPLEMENTATIONS[implementation](config.ls, config.mul, config.num_basis, config.cutoff)
        self.ls_by_block = [config.ls] * config.num_blocks
        if config.last_block == "scalars":
            self.ls_by_block[-1] = (0,)
        self.embedding = nn.Embedding(NUM_ELEMENTS, config.atom_dim)
        self.blocks = nn.ModuleList()
        for k, ls in enumerate(self.ls_by_block):
            convolution = self.layers.inner if k else self.layers.first
            irreps_in = irreps_of(config.ls, config.mul) if k else f"{config.atom_dim}x0e"
            irreps = (irreps_in, irreps_of(config.ls, 1), irreps_of(ls, config.mul))
            self.blocks.append(convolution(*irreps, config.num_basis, config.mul, config.degree_norm))
        self.gates = nn.ModuleList(Gate(len(ls), config.mul) for ls in self.ls_by_block if config.gate)
        self.readout = nn.Parameter(torch.randn(config.mul))
        self.energy = nn.Linear(1, 1)
        self.register_buffer("ref_mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("ref_scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("ref_elements", torch.zeros(NUM_ELEMENTS, dtype=torch.float64))
        if config.auxiliary:  # drawn last, so that everything else starts as it would without them
            self.auxiliary = nn.Linear(config.mul, len(config.auxiliary))
            self.register_buffer(
                "ref_auxiliary", torch.tensor([[0.0], [1.0]], dtype=torch.float64).repeat(1, len(config.auxiliary))
            )

    def forward(self, batch: Batch, edit: Edit | None = None) -> Float[Tensor, " molecules"]:
        """Predictions in the target's unit, float64. `edit(k, parts)` may replace the features after block k = 1, 2, ...

        `parts` are {"0e": [atoms, mul, 1], "1o": [atoms, mul, 3], ...}; what `edit` does not return stays as it is.
        """
        return self.ref_mean + self.ref_scale * self.normalised(batch, edit).double() + self._composition(batch)

    def normalised(self, batch: Batch, edit: Edit | None = None) -> Float[Tensor, " molecules"]:
        """What the loss sees: (prediction - mean - energies of the elements) / scale."""
        return self.outputs(batch, edit)[:, 0]

    def outputs(self, batch: Batch, edit: Edit | None = None) -> Float[Tensor, "molecules outputs"]:
        """All that is fitted, as the loss sees it: the target, then the auxiliary targets, (value - mean) / scale."""
        return self._read(self._stream(batch, edit)[-1], batch)

    def continued(self, batch: Batch, block: int, parts: Parts) -> Float[Tensor, " molecules"]:
        """Predictions, as `forward` gives them, from these features of all orders after a block (1, 2, ...): what an edit there
        leads to, without computing again what lies before it.
        """
        outputs = self._read(self._stream(batch, after=(block, parts))[-1], batch)
        return self.ref_mean + self.ref_scale * outputs[:, 0].double() + self._composition(batch)

    def _read(self, x: Tensor, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        """Outputs from the last block's features."""
        scalars = x.flatten(1)[:, : self.config.mul]
        atoms = scalars @ self.readout / self.config.mul**0.5
        sums = atoms.new_zeros(batch.num_molecules).index_add(0, batch.molecule, atoms)
        energy = self.energy(sums[:, None])
        if not self.config.auxiliary:
            return energy
        pooled = scalars.new_zeros(batch.num_molecules, self.config.mul).index_add(0, batch.molecule, scalars)
        return torch.cat([energy, self.auxiliary(pooled)], dim=1)

    def normalise(self, values: Float[Tensor, "molecules *outputs"], batch: Batch) -> Float[Tensor, "molecules *outputs"]:
        """Targets, in their units, as the loss sees them, in the network's precision; columns as in `outputs`."""
        first = values if values.ndim == 1 else values[:, 0]
        first = (first - self.ref_mean - self._composition(batch)) / self.ref_scale
        if values.ndim == 1:
            return first.to(self.readout.dtype)
        rest = (values[:, 1:] - self.ref_auxiliary[0]) / self.ref_auxiliary[1] if self.config.auxiliary else values[:, 1:]
        return torch.cat([first[:, None], rest], dim=1).to(self.readout.dtype)

    def set_reference(self, mean: float, scale: float, elements: Float[Tensor, " elements"] | None = None) -> None:
        """What is added to and multiplied with the network's output; `elements` [100] holds one energy per atomic number."""
        if not scale > 0:
            raise UserError(f"scale must be positive, got {scale}")
        self.ref_mean.fill_(mean)
        self.ref_scale.fill_(scale)
        self.ref_elements.zero_() if elements is None else self.ref_elements.copy_(elements)

    def set_auxiliary(self, means: Float[Tensor, " auxiliary"], scales: Float[Tensor, " auxiliary"]) -> None:
        """Mean and scale of each auxiliary target, in its unit."""
        self.ref_auxiliary.copy_(torch.stack([means, scales]))

    @property
    def scale(self) -> float:
        """Size of one unit of the loss's energies, in the target's unit."""
        return float(self.ref_scale)

    def features(self, batch: Batch) -> list[LayerFeatures]:
        """Features of all atoms at every layer: the embedding, then the stream after each block, all orders."""
        embedded, *stream = self._stream(batch, keep_all=True)
        layers = [LayerFeatures("embedding", embedded.flatten(1), f"{self.config.atom_dim}x0e")]
        for k, (x, ls) in enumerate(zip(stream, self.ls_by_block, strict=True), start=1):
            irreps = irreps_of(ls, self.config.mul)
            layers.append(LayerFeatures(f"block{k}", pack_parts(self.layers.split(x, irreps)), irreps))
        return layers

    def block_paths(self) -> list[BlockPath]:
        """Every path of every block's tensor product, block 1 first, with its place among the block's weights."""
        found = []
        for block, ls_out in enumerate(self.ls_by_block, start=1):
            ls_in, mul_in = (self.config.ls, self.config.mul) if block > 1 else ((0,), self.config.atom_dim)
            size = mul_in * self.config.mul
            for k, path in enumerate(paths(ls_in, self.config.ls, ls_out)):
                found.append(BlockPath(block, *path, slice(k * size, (k + 1) * size)))
        return found

    def path_weight(self, block: int) -> nn.Parameter:
        """The parameter [mul, weights] that makes the tensor-product weights of a block (1, 2, ...)."""
        return self.get_parameter(f"blocks.{block - 1}.radial.layer1.weight")

    def _stream(
        self, batch: Batch, edit: Edit | None = None, keep_all: bool = False, after: tuple[int, Parts] | None = None
    ) -> list[Tensor]:
        """Features in the implementation's layout: the embedding, then after each block; or those given, and then so on."""
        edges = self.layers.edges(batch)
        done, parts = after or (0, {})
        stream = [self.layers.join(parts) if done else self.layers.embed(self.embedding(batch.z))]
        everything = keep_all or self.all_outputs or edit is not None
        for k, block in list(enumerate(self.blocks, start=1))[done:]:
            only_scalars = k == len(self.blocks) and not everything
            x = block(stream[-1], edges, only_scalars)
            if self.config.gate:
                x = self._changed(x, self.gates[k - 1])
            if k > 1:
                x = x + stream[-1][:, : x.shape[1]]
            if edit is not None:
                x = self._changed(x, partial(edit, k))
            stream.append(x)
        return stream

    def _changed(self, x: Tensor, change: Callable[[Parts], Parts]) -> Tensor:
        """Features after a change of some of their irreps."""
        parts = self.layers.split(x, self._irreps_of(x))
        return self.layers.join(parts | change(parts))

    def _irreps_of(self, x: Tensor) -> str:
        """Irreps of features in the implementation's layout: all orders, or the scalars alone."""
        only_scalars = x.shape[1:].numel() == self.config.mul
        return irreps_of(self.config.ls[:1] if only_scalars else self.config.ls, self.config.mul)

    def _composition(self, batch: Batch) -> Float[Tensor, " molecules"]:
        energies = self.ref_elements[batch.z]
        return energies.new_zeros(batch.num_molecules).index_add(0, batch.molecule, energies)


def pack_parts(parts: Parts) -> Float[Tensor, "atoms dim"]:
    """One [atoms, mul, 2l+1] tensor per irrep, packed as e3nn packs them."""
    return torch.cat([part.flatten(1) for part in parts.values()], dim=1)


def build_network(config: RunConfig, implementation: str = "fast", *, all_outputs: bool = False) -> Network:
    """A network with random weights that `config.seed` decides.

    `implementation` is "fast" or "e3nn" (plain, and slow): both have the same parameters, with the same values. The caller's
    random numbers are not touched. Raises ValueError for another name.

    >>> sum(p.numel() for p in build_network(RunConfig(ls=(0, 1, 2), mul=32)).parameters())
    1648034
    """
    if implementation not in IMPLEMENTATIONS:
        raise UserError(f"implementation must be one of {', '.join(IMPLEMENTATIONS)}, got {implementation!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Network(config, implementation, all_outputs=all_outputs)
