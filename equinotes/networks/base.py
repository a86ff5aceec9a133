"""What every network offers, and a base class for networks that are a stack of layers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.irreps import split_irreps
from equinotes.networks.reference import Reference
from equinotes.support.errors import UserError, unknown

Parts = dict[str, Tensor]
"""Features by irrep: {"0e": [atoms, mul, 1], "1o": [atoms, mul, 3], ...}."""
Edit = Callable[[int, Parts], Parts]
"""Takes the number of a layer and its parts; what it does not return stays as it is."""
SideEdit = Callable[[str, Parts], Parts]
"""Takes the name of a side and its parts; what it does not return stays as it is."""


class Layer(NamedTuple):
    """One place in a network where features can be read."""

    name: str
    """Its name, such as "block2", for tables and edits by name."""
    irreps: str
    """Irreps of its features, each irrep once: any multiplicities, either parity."""
    editable: bool = True
    """Whether edits are called here. They are not where features are a table of the elements (the embedding)."""


class Side(NamedTuple):
    """A quantity beside the stream of features, by which their irreps can reach the outputs, such as logits of an attention."""

    name: str
    """Its name, such as "attention1"."""
    irreps: tuple[str, ...]
    """Irreps of the features that it is made of, one part each."""
    shape: str
    """What the axes of a part are."""


class LayerFeatures(NamedTuple):
    """Features of the atoms after one layer, packed as e3nn packs them."""

    name: str
    """The layer's name."""
    x: Float[Tensor, "atoms dim"]
    """One row per atom of the batch."""
    irreps: str
    """The layer's irreps, which say how a row is packed."""


class BlockPath(NamedTuple):
    """One path of one layer's tensor product, and where its weights lie among the layer's."""

    block: int
    """Number of the layer, as `Network.path_weight` takes it."""
    l1: int
    """Order of the features that come in."""
    l2: int
    """Order of the harmonics."""
    l3: int
    """Order of what comes out."""
    where: slice
    """Columns of `Network.path_weight(block)`."""


class Network(Reference, ABC):
    """Everything that the rest of the package asks of a network. Layers are numbered by their places in `layers`."""

    implementations: ClassVar[Sequence[str]] = ("fast",)
    """Names that `build_network(config, implementation)` takes."""
    mirrored: ClassVar[bool] = True
    """Whether outputs are the same for a molecule and its mirror image, and features have the parity of their irreps."""
    config: RunConfig
    """What it was made from; its `graph`, `cutoff` and `target` say which batches it takes and what it predicts."""
    layers: tuple[Layer, ...]
    """Its places, from the embedding to the last features, in the order in which they are computed."""
    sides: tuple[Side, ...] = ()
    """What else an order can act through; none in most networks."""
    _side_edit: SideEdit | None = None

    @abstractmethod
    def outputs(self, batch: Batch, edit: Edit | None = None) -> Float[Tensor, "molecules outputs"]:
        """All that is fitted, as the loss sees it: the target, then the auxiliary targets, (value - mean) / scale.

        `edit(k, parts)` may replace the features after each editable layer k.
        """

    @abstractmethod
    def outputs_from(self, batch: Batch, layer: int, parts: Parts) -> Float[Tensor, "molecules outputs"]:
        """The outputs that these features after a layer lead to: what an edit there does."""

    @abstractmethod
    def features(self, batch: Batch) -> list[LayerFeatures]:
        """Features of all atoms at every layer."""

    def forward(self, batch: Batch, edit: Edit | None = None) -> Float[Tensor, " molecules"]:
        """Predictions in the target's unit, float64; `edit` as in `outputs`."""
        return self.predicted(self.outputs(batch, edit), batch)

    def normalised(self, batch: Batch, edit: Edit | None = None) -> Float[Tensor, " molecules"]:
        """What the loss sees: (prediction - mean - energies of the elements) / scale."""
        return self.outputs(batch, edit)[:, 0]

    def continued(self, batch: Batch, layer: int, parts: Parts) -> Float[Tensor, " molecules"]:
        """Predictions, as `forward` gives them, from these features of all irreps after a layer."""
        return self.predicted(self.outputs_from(batch, layer, parts), batch)

    @contextmanager
    def sides_edited(self, edit: SideEdit) -> Iterator[None]:
        """Within this, `edit(name, parts)` may replace parts of every side, in all that the network computes."""
        before, self._side_edit = self._side_edit, edit
        try:
            yield
        finally:
            self._side_edit = before

    def side_parts(self, batch: Batch) -> dict[str, Parts]:
        """Parts of every side, by its name."""
        kept: dict[str, Parts] = {}
        with self.sides_edited(kept.setdefault):
            self.outputs(batch)
        return kept

    def reaches(self, layer: int | str, irrep: str, batch: Batch | None = None) -> bool:
        """Whether the outputs depend at all on one irrep of the features after a layer.

        Found by automatic differentiation with the present weights, at the network's own features and at random ones: False where
        every derivative is exactly zero. `batch` is a generic made-up molecule unless given. Raises ValueError for an unknown
        layer or irrep.
        """
        place = self.place_of(layer)
        batch = generic_molecule(next(self.parameters())) if batch is None else batch
        with torch.no_grad():
            own = split_irreps(self.features(batch)[place].x, self.layers[place].irreps)
        if irrep not in own:
            raise UserError(f"layer {self.layers[place].name} has no {irrep}, it has {', '.join(own)}")
        starts = [own]
        if self.layers[place].editable:
            rng = torch.Generator().manual_seed(0)
            starts.append({ir: torch.randn(x.shape, generator=rng, dtype=x.dtype).to(x.device) for ir, x in own.items()})
        return any(self._depends(batch, place, parts, irrep) for parts in starts)

    def _depends(self, batch: Batch, layer: int, parts: Parts, irrep: str) -> bool:
        with torch.enable_grad():
            leaf = parts[irrep].detach().requires_grad_()
            outputs = self.outputs_from(batch, layer, parts | {irrep: leaf})
            if not outputs.requires_grad:
                return False
            (slope,) = torch.autograd.grad(outputs.sum(), leaf, allow_unused=True)
        return slope is not None and bool(slope.any())

    def place_of(self, layer: int | str) -> int:
        """Number of a layer, from its name or its number; ValueError names the nearest names."""
        names = [each.name for each in self.layers]
        if isinstance(layer, int) and 0 <= layer < len(names):
            return layer
        if layer not in names:
            raise UserError(unknown("layer", str(layer), [*names, *map(str, range(len(names)))]))
        return names.index(str(layer))

    def block_paths(self) -> list[BlockPath]:
        """Every path of every layer's tensor product, with its place in `path_weight`; none where a network does not tell."""
        return []

    def path_weight(self, block: int) -> nn.Parameter:
        """The parameter [hidden, weights] that makes the tensor-product weights of a layer."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its tensor-product weights by path")


class Layered(Network):
    """A network that is a stack: an embedding (layer 0), layers 1, 2, ..., and a readout of the last one.

    Features may have any layout inside, one tensor or several; `split` and `join` lead from and to parts.
    """

    @property
    def affine(self) -> bool:
        """Whether predictions are known to be affine in the features after every editable layer, at fixed positions."""
        return False

    @abstractmethod
    def edges(self, batch: Batch) -> Any:
        """What every layer needs to know about a batch's edges."""

    @abstractmethod
    def embed(self, batch: Batch) -> Any:
        """Features of layer 0."""

    @abstractmethod
    def step(self, layer: int, x: Any, edges: Any, *, everything: bool) -> Any:
        """Features after a layer from those after the one before; without `everything`, those that no output reads may be left
        out.
        """

    @abstractmethod
    def read(self, x: Any, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        """Outputs from the last layer's features."""

    def split(self, layer: int, x: Any) -> Parts:
        """Features after a layer as one [atoms, mul, 2l+1] tensor per irrep."""
        return split_irreps(x, self.layers[layer].irreps)

    def join(self, parts: Parts) -> Any:
        """Undo `split`."""
        return pack_parts(parts)

    def outputs(self, batch: Batch, edit: Edit | None = None) -> Float[Tensor, "molecules outputs"]:
        return self.read(self._stream(batch, edit)[-1], batch)

    def outputs_from(self, batch: Batch, layer: int, parts: Parts) -> Float[Tensor, "molecules outputs"]:
        return self.read(self._stream(batch, after=(layer, parts))[-1], batch)

    def features(self, batch: Batch) -> list[LayerFeatures]:
        stream = self._stream(batch, everything=True)
        return [
            LayerFeatures(layer.name, pack_parts(self.split(k, x)), layer.irreps)
            for k, (layer, x) in enumerate(zip(self.layers, stream, strict=True))
        ]

    def _stream(
        self, batch: Batch, edit: Edit | None = None, after: tuple[int, Parts] | None = None, everything: bool = False
    ) -> list[Any]:
        """Features in the network's layout after every layer; or those given, and then so on."""
        edges = self.edges(batch)
        start, parts = after or (0, {})
        stream = [self.join(parts) if after else self.embed(batch)]
        if edit is not None and not after and self.layers[0].editable:
            stream = [self._edited(edit, 0, stream[0])]
        for layer in range(start + 1, len(self.layers)):
            x = self.step(layer, stream[-1], edges, everything=everything or edit is not None)
            stream.append(x if edit is None else self._edited(edit, layer, x))
        return stream

    def _edited(self, edit: Edit, layer: int, x: Any) -> Any:
        parts = self.split(layer, x)
        return self.join(parts | edit(layer, parts))


def pack_parts(parts: Parts) -> Float[Tensor, "atoms dim"]:
    """One [atoms, mul, 2l+1] tensor per irrep, packed as e3nn packs them."""
    return torch.cat([part.flatten(1) for part in parts.values()], dim=1)


def generic_molecule(like: Tensor) -> Batch:
    """Five different atoms about 1.5 Angstrom apart, without symmetry, all pairs joined; on the device and in the precision of
    `like`.
    """
    pos = torch.tensor([[0.0, 0.1, 0.0], [1.1, 0.0, 0.2], [-0.3, 1.2, 0.1], [0.2, -0.4, 1.3], [-0.9, -0.8, -0.5]])
    source, target = torch.triu_indices(5, 5, offset=1)
    zero = torch.zeros(5, dtype=torch.long)
    edge_index = torch.stack([torch.cat([source, target]), torch.cat([target, source])])
    batch = Batch(pos, torch.tensor([6, 1, 7, 8, 9]), edge_index, molecule=zero, rows=zero[:1])
    return batch.to(like.device, like.dtype)
