"""SevenNet, a published foundation model, behind the adapter: weights that come with the package `sevenn`, or random ones.

SevenNet (Park et al., J. Chem. Theory Comput. 20, 4857 (2024)) is built like NequIP and predicts PBE energies [eV]. It was
trained on relaxations of crystals. Layer 0 is the embedding of the elements, layers 1 to 5 are interactions. Irreps are labelled
"0e", "1e", ... since the network knows rotations but no parity: it is equivariant under SO(3), not O(3).

A checkpoint of `sevenn` is a pickle. It is the only one that this package ever reads, it comes with a package of pinned version,
and it is read by that package after its SHA-256 was found to be the one below. Nothing else is unpickled.
"""

import hashlib
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equinotes.data.batches import Batch
from equinotes.layers.dense import DenseProduct
from equinotes.networks.adapted import Adapted
from equinotes.support.errors import UserError, unknown

VERSION = "0.13.0"
"""Version of `sevenn` that the hashes belong to."""
CUTOFF = 5.0
"""Radius of the neighbourhoods [Angstrom]."""
EMBEDDING, ENERGY = "onehot_to_feature_x", "inferred_total_energy"


class Published(NamedTuple):
    """A checkpoint inside the package: its path below `pretrained_potentials`, and its SHA-256."""

    path: str
    sha256: str


MODELS = {
    "SevenNet-0": Published(
        "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth", "7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36"
    ),
    "SevenNet-l3i5": Published(
        "SevenNet_l3i5/checkpoint_l3i5.pth", "a7ff190d41efe5b8317a03d20a468e4036a1a3e64e0b14fdbab64ac3f4bfc09d"
    ),
}
"""Published models by name."""


def build_sevennet(name: str, seed: int | None = None) -> Adapted:
    """A published model with its weights, or with random weights of `seed`: as it was before its first step.

    Random weights keep the model's energies of the elements, scale and number of neighbours, which were not trained. Raises
    ValueError for an unknown name, without `sevenn` in the pinned version, and for a checkpoint with another hash.
    """
    if name not in MODELS:
        raise UserError(unknown("model", name, MODELS))
    checkpoint = checked(installed(MODELS[name].path), MODELS[name].sha256)
    from sevenn.checkpoint import SevenNetCheckpoint
    from sevenn.model_build import build_E3_equivariant_model

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # about its own age, and that of its NumPy
        stored = SevenNetCheckpoint(checkpoint)
        module = stored.build_model()
        if seed is not None:
            given = {name: value for name, value in module.named_parameters() if not value.requires_grad}
            torch.manual_seed(seed)
            module = build_E3_equivariant_model(stored.config)
            module.load_state_dict(given, strict=False)
    module.delete_module_by_key("force_output")  # forces follow from the positions of a batch, and only when they are asked for
    module.key_grad = None
    return adapted(module.eval())


def adapted(module: nn.Module) -> Adapted:
    """A module of `sevenn` as a network; features are those behind the embedding and behind each interaction's gate."""
    named = dict(module.named_modules())
    gates = [name for name in named if name.endswith("_equivariant_gate.gate")]
    layers = {f"{EMBEDDING}.linear": str(named[f"{EMBEDDING}.linear"].irreps_out)}
    layers |= {name: str(named[name].irreps_out) for name in gates}
    return Adapted(module, layers, call, resume, graph="radius", cutoff=CUTOFF)


def installed(path: str) -> Path:
    """A file among the package's weights; ValueError where the package is missing or of another version."""
    try:
        found = version("sevenn")
    except PackageNotFoundError:
        raise UserError(f"SevenNet needs the package sevenn {VERSION}: pip install --group foundation") from None
    spec = find_spec("sevenn")
    if found != VERSION or spec is None or spec.origin is None:
        raise UserError(f"SevenNet needs sevenn {VERSION}, found {found}: pip install --group foundation")
    return Path(spec.origin).parent / "pretrained_potentials" / path


def checked(path: Path, sha256: str) -> Path:
    """The path of a file with this SHA-256; ValueError for any other content."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise UserError(f"{path.name} is not the published checkpoint: its SHA-256 is {found}, expected {sha256}; it is not read")
    return path


def call(module: nn.Module, batch: Batch) -> Float[Tensor, " molecules"]:
    """Energies of molecules [eV]."""
    return _through(module, _known(module, batch), list(module._modules))[ENERGY]


def resume(module: nn.Module, batch: Batch, layer: int, x: Float[Tensor, "atoms dim"]) -> Float[Tensor, " molecules"]:
    """Energies that these features behind a layer lead to."""
    before, after = _cut(module, layer)
    data = _through(module, _known(module, batch), before)
    return _through(module, data | {"x": x}, after)[ENERGY]


@torch.no_grad()
def resume_many(
    net: Adapted, batch: Batch, starts: Mapping[int, Float[Tensor, "sets atoms _"]]
) -> dict[int, Float[Tensor, " sets"]]:
    """Energies of one molecule that many sets of features lead to: by layer, for the sets behind that layer.

    As `net.continued` set by set, but the geometry is computed once. Raises ValueError for several molecules.
    """
    if batch.num_molecules != 1:
        raise UserError(f"resume_many takes one molecule, got {batch.num_molecules}")
    module: Any = net.module
    data = _through(module, _known(module, batch), _cut(module, 0)[0])
    order = sorted(starts)
    elements, x, rest = data["atom_type"], starts[order[0]], _cut(module, order[0])[1]
    for layer in range(order[0], len(net.layers)):
        x = torch.cat([x, starts[layer]]) if layer in order[1:] else x
        stages, rest = rest[: (end := _first_after(rest, f"{layer}_equivariant_gate"))], rest[end:]
        for name in stages:
            stage = module._modules[name]
            if name.endswith("_convolution"):
                target, source = data["edge_index"]
                weights = stage.weight_nn(data["edge_embedding"]) / stage.denominator
                dense = DenseProduct(stage.convolution, data["edge_attr"], weights, source, target, len(batch.z))
                x = dense(x)
            else:
                data |= {"x": x.flatten(0, 1)}
                x = stage(data)["x"].unflatten(0, (-1, len(batch.z)))
    sets = len(x)
    owners = torch.arange(sets).repeat_interleave(len(batch.z))
    energies = _through(module, {"x": x.flatten(0, 1), "atom_type": elements.repeat(sets), "batch": owners}, rest)[ENERGY]
    return dict(zip(order, energies.split([len(starts[layer]) for layer in order]), strict=True))


def _known(module: Any, batch: Batch) -> dict[str, Tensor]:
    """What the modules of `sevenn` ask for; its edges point from row 1 to row 0."""
    source, target = batch.edge_index
    types = module.z_to_onehot_tensor.to(batch.z.device)[batch.z]
    return {"x": types, "edge_index": torch.stack([target, source]), "edge_vec": batch.pos[source] - batch.pos[target],
            "batch": batch.molecule}  # fmt: skip


def _through(module: Any, data: dict[str, Tensor], stages: list[str]) -> dict[str, Tensor]:
    for name in stages:
        data = module._modules[name](data)
    return data


def _cut(module: Any, layer: int) -> tuple[list[str], list[str]]:
    """Stages that the geometry and the elements need, and those behind a layer."""
    stages = list(module._modules)
    start = _first_after(stages, EMBEDDING)
    return stages[:start], stages[_first_after(stages, f"{layer - 1}_equivariant_gate") if layer else start :]


def _first_after(stages: list[str], name: str) -> int:
    return stages.index(name) + 1 if name in stages else 0
