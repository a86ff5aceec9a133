"""The paper's network: embedding, equivariant blocks with skips, a sum of energies over atoms."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.irreps import irreps_of
from equinotes.layers.convolution import Fast
from equinotes.layers.gate import Gate
from equinotes.layers.many_body import ManyBody
from equinotes.layers.paths import paths
from equinotes.layers.plain import Reference as Plain
from equinotes.networks.base import BlockPath, Layer, Layered, Parts
from equinotes.networks.reference import NUM_ELEMENTS

IMPLEMENTATIONS: dict[str, type[Fast] | type[Plain]] = {"fast": Fast, "e3nn": Plain}


class PaperNetwork(Layered):
    r"""The network of Lee et al. (arXiv 2410.08131) for any set of orders.

    .. math:: x^1 = \mathrm{conv}_1(\mathrm{embedding}(z)), \qquad x^k = x^{k-1} + \mathrm{conv}_k(x^{k-1}), \qquad
              E = \mu + \sigma\,(a \sum_i r \cdot x^K_i[l=0] + b) + \sum_i \epsilon_{z_i}

    with mean, scale and energies per element set by `set_reference`. With a `config.body_order` above 2 each convolution is
    followed by a many-body product, with `config.gate` by a gate. Without products, the last block's outputs of l > 0 never
    reach the energy: the fast implementation leaves them out unless `all_outputs` is set, or somebody looks (`features`, `edit`).
    """

    implementations = tuple(IMPLEMENTATIONS)

    def __init__(self, config: RunConfig, implementation: str = "fast", *, all_outputs: bool = False) -> None:
        super().__init__(len(config.auxiliary))
        self.config, self.all_outputs = config, all_outputs
        self.layout = IMPLEMENTATIONS[implementation](config.ls, config.mul, config.num_basis, config.cutoff)
        self.ls_by_block = [config.ls] * config.num_blocks
        if config.last_block == "scalars":
            self.ls_by_block[-1] = (0,)
        outs = [irreps_of(ls, config.mul) for ls in self.ls_by_block]
        embedded = Layer("embedding", f"{config.atom_dim}x0e", editable=False)
        self.layers = (embedded, *(Layer(f"block{k}", irreps) for k, irreps in enumerate(outs, start=1)))
        self.embedding = nn.Embedding(NUM_ELEMENTS, config.atom_dim)
        self.blocks = nn.ModuleList()
        for k, irreps_out in enumerate(outs):
            convolution = self.layout.inner if k else self.layout.first
            irreps = (self.layers[k].irreps, irreps_of(config.ls, 1), irreps_out)
            self.blocks.append(convolution(*irreps, config.num_basis, config.mul, config.degree_norm))
        self.gates = nn.ModuleList(Gate(len(ls), config.mul) for ls in self.ls_by_block if config.gate)
        self.products = nn.ModuleList(ManyBody(irreps, config.body_order) for irreps in outs if config.body_order > 2)
        self.readout = nn.Parameter(torch.randn(config.mul))
        self.energy = nn.Linear(1, 1)
        if config.auxiliary:  # drawn last, so that everything else starts as it would without them
            self.auxiliary = nn.Linear(config.mul, len(config.auxiliary))

    @property
    def affine(self) -> bool:
        """Without gates and many-body products: weights depend on distances alone, so that no layer is nonlinear."""
        return not self.config.gate and not self.products

    def edges(self, batch: Batch) -> Any:
        """Harmonics and radial basis, in the form of the implementation."""
        return self.layout.edges(batch)

    def embed(self, batch: Batch) -> Tensor:
        """The embedding of the atomic numbers."""
        return self.layout.embed(self.embedding(batch.z))

    def step(self, layer: int, x: Tensor, edges: Any, *, everything: bool) -> Tensor:
        """Convolution, many-body product, gate and skip of block `layer`."""
        only_scalars = layer == len(self.blocks) and not (everything or self.all_outputs or self.products)
        new = self.blocks[layer - 1](x, edges, only_scalars)
        if self.products:
            new = self.join(self.products[layer - 1](self.split(layer, new)))
        if self.config.gate:
            new = self.join(self.gates[layer - 1](self.split(layer, new)))
        return new if layer == 1 else new + x[:, : new.shape[1]]

    def read(self, x: Tensor, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        """Outputs from the last block's scalars."""
        scalars = x.flatten(1)[:, : self.config.mul]
        atoms = scalars @ self.readout / self.config.mul**0.5
        sums = atoms.new_zeros(batch.num_molecules).index_add(0, batch.molecule, atoms)
        energy = self.energy(sums[:, None])
        if not self.config.auxiliary:
            return energy
        pooled = scalars.new_zeros(batch.num_molecules, self.config.mul).index_add(0, batch.molecule, scalars)
        return torch.cat([energy, self.auxiliary(pooled)], dim=1)

    def split(self, layer: int, x: Tensor) -> Parts:
        """Features, or the scalars alone, as one [atoms, mul, 2l+1] tensor per irrep."""
        only_scalars = layer and x.shape[1:].numel() == self.config.mul
        return self.layout.split(x, irreps_of((0,), self.config.mul) if only_scalars else self.layers[layer].irreps)

    def join(self, parts: Parts) -> Tensor:
        """Features in the layout of the implementation."""
        return self.layout.join(parts)

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
