"""The paper's network: embedding, equivariant blocks with skips, a sum of energies over atoms."""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.bases import radial_basis
from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.irreps import irreps_of
from equinotes.layers.convolution import Convolution, Fast, FirstConvolution
from equinotes.layers.gate import Gate
from equinotes.layers.many_body import ManyBody
from equinotes.layers.paths import paths
from equinotes.layers.plain import Reference as Plain
from equinotes.networks.base import BlockPath, Edit, Layer, Layered, Parts
from equinotes.networks.reference import NUM_ELEMENTS

CONVOLVED = 0.12 * 37**0.5
"""Size of a convolution's output times its norm, from features of size one: random weights, bonds and cutoff of the paper."""
IMPLEMENTATIONS: dict[str, type[Fast] | type[Plain]] = {"fast": Fast, "e3nn": Plain}


class PaperNetwork(Layered):
    r"""The network of Lee et al. (arXiv 2410.08131) for any set of orders.

    .. math:: x^1 = \mathrm{conv}_1(\mathrm{embedding}(z)), \qquad x^k = x^{k-1} + \mathrm{conv}_k(x^{k-1}), \qquad
              E = \mu + \sigma\,(a \sum_i r \cdot x^K_i[l=0] + b) + \sum_i \epsilon_{z_i}

    with mean, scale and energies per element set by `set_reference`. With a `config.body_order` above 2 each convolution is
    followed by a many-body product, with `config.gate` by a gate. Without products, the last block's outputs of l > 0 never
    reach the energy: the fast implementation leaves them out unless `all_outputs` is set, or somebody looks (`features`, `edit`).

    `config.skips` says which features the sum above adds to those of the convolution. Orders that it leaves out have their
    convolution multiplied by a constant (`without_skip`), so that features stay as large; "dense" adds the mean of all blocks
    before in place of the last one, and "scaled" adds all orders to convolutions that are multiplied alike, the sum divided by
    the root of two: the control of a kind that leaves out orders. All kinds have the same parameters.

    A `config.m_max` below the highest order leaves out components of large |m| about an edge from its messages, as in eSCN
    (Passaro and Zitnick, arXiv 2302.03655): rotations stay exact, work falls, parameters stay as many.
    """

    implementations = tuple(IMPLEMENTATIONS)

    def __init__(self, config: RunConfig, implementation: str = "fast", *, all_outputs: bool = False) -> None:
        super().__init__(len(config.auxiliary))
        self.config, self.all_outputs = config, all_outputs
        self.layout = IMPLEMENTATIONS[implementation](config.ls, config.mul, radial_basis(config), config.m_max)
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
        """Without gates and products no layer is nonlinear: weights depend on distances alone. Dense skips pass layers by."""
        return not self.config.gate and not self.products and self.config.skips != "dense"

    def edges(self, batch: Batch) -> Any:
        """Harmonics and radial basis, in the form of the implementation."""
        return self.layout.edges(batch)

    def embed(self, batch: Batch) -> Tensor:
        """The embedding of the atomic numbers."""
        return self.layout.embed(self.embedding(batch.z))

    def step(self, layer: int, x: Tensor, edges: Any, *, everything: bool) -> Tensor:
        """Convolution, many-body product, gate and skip of block `layer`."""
        if layer == 1:
            return self._new(layer, x, edges, everything)
        return self._skipped(layer, self._new(layer, x, edges, everything), x)

    def keep_orders(self, kept: tuple[int, ...]) -> None:
        """Leave out, from now on, all paths that touch another order; the others are multiplied so that the network computes
        what one with `ls=kept` and the same weights of these paths does. Orders that are all kept cost nothing.
        """
        for block, (layer, ls_out) in enumerate(zip(self.blocks, self.ls_by_block, strict=True), start=1):
            every = paths(self.config.ls if block > 1 else (0,), self.config.ls, ls_out)
            left = [path for path in every if set(path) <= set(kept)]
            factors = [
                (sum(p.l3 == path.l3 for p in every) / sum(p.l3 == path.l3 for p in left)) ** 0.5 if path in left else 0.0
                for path in every
            ]
            like = self.path_weight(block)
            used = None if left == every else torch.tensor(factors, dtype=like.dtype, device=like.device)
            cast(Convolution | FirstConvolution, layer).path_factors = used

    def _new(self, layer: int, x: Tensor, edges: Any, everything: bool) -> Tensor:
        """What the convolution, the product and the gate of a block put out."""
        only_scalars = layer == len(self.blocks) and not (everything or self.all_outputs or self.products)
        new: Tensor = self.blocks[layer - 1](x, edges, only_scalars)
        if self.products:
            new = self.join(self.products[layer - 1](self.split(layer, new)))
        return self.join(self.gates[layer - 1](self.split(layer, new))) if self.config.gate else new

    def _skipped(self, layer: int, new: Tensor, old: Tensor) -> Tensor:
        """New features and, for the orders that have a skip, old ones."""
        if self.config.skips in ("all", "dense"):
            return new + old[:, : new.shape[1]]
        factor = without_skip(self.config.degree_norm)
        if self.config.skips == "none":
            return new * factor
        if self.config.skips == "scaled":
            return (new * factor + old[:, : new.shape[1]]) / 2**0.5
        parts, before = self.split(layer, new), self.split(layer - 1, old)
        passed = {"0e"} if self.config.skips == "scalars" else set(parts) - {"0e"}
        return self.join({ir: part + before[ir] if ir in passed else part * factor for ir, part in parts.items()})

    def _stream(
        self, batch: Batch, edit: Edit | None = None, after: tuple[int, Parts] | None = None, everything: bool = False
    ) -> list[Any]:
        """As every network; with dense skips a block adds the mean of all blocks before, those of other parts unedited."""
        if self.config.skips != "dense":
            return super()._stream(batch, edit, after, everything)
        edges, (start, parts) = self.edges(batch), after or (0, {})
        stream = [*self._stream(batch)[:start], self.join(parts)] if after else [self.embed(batch)]
        for layer in range(start + 1, len(self.layers)):
            x = self._new(layer, stream[-1], edges, everything or edit is not None)
            if layer > 1:
                x = self._skipped(layer, x, torch.stack(stream[1:]).mean(0))
            stream.append(x if edit is None else self._edited(edit, layer, x))
        return stream

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


def without_skip(degree_norm: float) -> float:
    r"""Factor of a convolution whose input is not added to its output.

    From features of size one a convolution makes some of size q (`CONVOLVED`, measured), and the sum with its input has the
    size :math:`\sqrt{1 + q^2}`: the factor is their ratio.

    >>> round(without_skip(37**0.5), 2)
    8.39
    """
    q = CONVOLVED / degree_norm
    return float((1 + q**2) ** 0.5 / q)
