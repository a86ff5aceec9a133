"""Networks that are not ours: the interface of `base.py` for a torch module, by hooks behind some of its submodules."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.config import RunConfig
from equinotes.data.batches import Batch
from equinotes.networks.base import Edit, Layer, LayerFeatures, Network, Parts, pack_parts
from equinotes.support.errors import UserError, check_names

Call = Callable[[nn.Module, Batch], Tensor]
"""Runs a module on a batch: predictions [molecules] or [molecules, outputs]."""
Resume = Callable[[nn.Module, Batch, int, Tensor], Tensor]
"""Goes on in a module from features behind a layer, packed as the submodule packs them: predictions as `Call` gives them."""
Change = Callable[[int, Tensor], Tensor]


class Adapted(Network):
    """A torch module that was written elsewhere, as a network.

    Parameters
    ----------
    module
        The network, as it is; its weights are not copied.
    layers
        Names of submodules, as `module.named_modules()` gives them, and the irreps of what they put out: one tensor
        [atoms, dim], packed as e3nn packs it; an irrep may stand several times, and its channels are then taken together.
    call
        How the module is run on a `Batch`; `module(batch)` unless given.
    resume
        How the module goes on behind a layer; unless given, the whole module is run for an edit behind any layer.
    graph, cutoff, target
        The edges that batches of QM9 get (`cutoff` in Angstrom), and the column that predictions are compared with.

    Raises
    ------
    ValueError
        There is no such submodule, or one puts out something else, or is called other than once; `layers` is empty or has no
        irreps; the module does not run on a batch and there is no `call`.
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Mapping[str, str],
        call: Call | None = None,
        resume: Resume | None = None,
        *,
        graph: str = "bonds",
        cutoff: float = 6.0,
        target: str = "U0_atom",
    ) -> None:
        super().__init__()
        if not layers:
            raise UserError("layers must name a submodule at least, and the irreps of what it puts out")
        check_names("submodule", layers, (name for name, _ in module.named_modules() if not name.split(".")[-1].startswith("_")))
        self.module, self.call, self.resume = module, call or _called_alone, resume
        self.config = RunConfig.from_dict({"graph": graph, "cutoff": cutoff, "target": target})
        self.packings = [Packing(_read(name, irreps)) for name, irreps in layers.items()]
        self.layers = tuple(Layer(name, packing.merged) for name, packing in zip(layers, self.packings, strict=True))

    def outputs(self, batch: Batch, edit: Edit | None = None) -> Float[Tensor, "molecules outputs"]:
        """What the module predicts, under edits."""
        if edit is None:
            return self._predictions(batch)

        def change(layer: int, x: Tensor) -> Tensor:
            parts = self.packings[layer].split(x)
            return self.packings[layer].join(parts | edit(layer, parts))

        with self._hooked(change):
            return self._predictions(batch)

    def outputs_from(self, batch: Batch, layer: int, parts: Parts) -> Float[Tensor, "molecules outputs"]:
        """What the module predicts from these features after a layer; without `resume`, what lies before it is computed too."""
        if self.resume is not None:
            return self._checked(self.resume(self.module, batch, layer, self.packings[layer].join(parts)), batch)
        return self.outputs(batch, lambda k, own: parts if k == layer else own)

    def features(self, batch: Batch) -> list[LayerFeatures]:
        """What the submodules put out, each irrep once."""
        kept: dict[int, Tensor] = {}
        with self._hooked(kept.setdefault):
            self._predictions(batch)
        packed = [pack_parts(packing.split(kept[k])) for k, packing in enumerate(self.packings)]
        return [LayerFeatures(layer.name, x, layer.irreps) for layer, x in zip(self.layers, packed, strict=True)]

    def _predictions(self, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        return self._checked(self.call(self.module, batch), batch)

    def _checked(self, found: Any, batch: Batch) -> Float[Tensor, "molecules outputs"]:
        if not isinstance(found, Tensor) or found.shape[:1] != (batch.num_molecules,) or found.ndim > 2:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise UserError(f"call(module, batch) must give [molecules] or [molecules, outputs], got {shape}")
        return found[:, None] if found.ndim == 1 else found

    @contextmanager
    def _hooked(self, change: Change) -> Iterator[None]:
        """Within this, `change(layer, x)` replaces what each named submodule puts out; each must be called once."""
        calls = [0] * len(self.layers)

        def hook_of(layer: int) -> Callable[..., Tensor]:
            def hook(module: nn.Module, inputs: Any, x: Any) -> Tensor:
                calls[layer] += 1
                if not isinstance(x, Tensor) or x.ndim != 2 or x.shape[1] != self.packings[layer].irreps.dim:
                    shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
                    expected = f"[atoms, {self.packings[layer].irreps.dim}] for {self.packings[layer].irreps}"
                    raise UserError(f"{self.layers[layer].name} must put out {expected}, got {shape}")
                return change(layer, x)

            return hook

        modules = dict(self.module.named_modules())
        handles = [modules[layer.name].register_forward_hook(hook_of(k)) for k, layer in enumerate(self.layers)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        for layer, count in zip(self.layers, calls, strict=True):
            if count != 1:
                raise UserError(f"{layer.name} must be called once for each batch, but was called {count} times")


def _called_alone(module: nn.Module, batch: Batch) -> Any:
    try:
        return module(batch)
    except (AttributeError, TypeError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"module(batch) failed ({said}); give call, a function of module and batch that runs it") from error


def _read(name: str, irreps: str) -> str:
    try:
        return str(o3.Irreps(irreps))
    except ValueError as error:
        raise UserError(f"layers: {name} must have irreps such as '8x0e+4x1o', got {irreps!r}") from error


class Packing:
    """Packed features in which an irrep may stand several times, to and from one [atoms, mul, 2l+1] tensor per irrep.

    >>> packing = Packing("2x0e+1x1o+3x0e")
    >>> packing.merged, {ir: tuple(part.shape) for ir, part in packing.split(torch.zeros(7, 8)).items()}
    ('5x0e+1x1o', {'0e': (7, 5, 1), '1o': (7, 1, 3)})
    """

    def __init__(self, irreps: str) -> None:
        self.irreps = o3.Irreps(irreps)
        muls: dict[str, int] = {}
        for mul, ir in self.irreps:
            muls[str(ir)] = muls.get(str(ir), 0) + mul
        self.merged = "+".join(f"{mul}x{ir}" for ir, mul in muls.items())

    def split(self, x: Float[Tensor, "atoms dim"]) -> Parts:
        """Channels of each irrep together."""
        blocks: dict[str, list[Tensor]] = {}
        for (mul, ir), place in zip(self.irreps, self.irreps.slices(), strict=True):
            blocks.setdefault(str(ir), []).append(x[:, place].unflatten(1, (mul, ir.dim)))
        return {ir: torch.cat(some, dim=1) if len(some) > 1 else some[0] for ir, some in blocks.items()}

    def join(self, parts: Parts) -> Float[Tensor, "atoms dim"]:
        """Undo `split`."""
        muls = {ir: [mul for mul, each in self.irreps if str(each) == ir] for ir in parts}
        blocks = {ir: iter(part.split(muls[ir], dim=1)) for ir, part in parts.items()}
        return torch.cat([next(blocks[str(ir)]).flatten(1) for _, ir in self.irreps], dim=1)
