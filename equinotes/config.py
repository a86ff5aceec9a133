"""The one list of run parameters: the command line and the notebooks are made from these fields."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from typing import Any, Literal, Self, get_type_hints

from equinotes.support.errors import UserError, check_names
from equinotes.support.values import check

MAX_L = 11
"""Highest order for which e3nn holds Wigner 3j coefficients and spherical harmonics."""

MOLECULES = 130_831
"""Molecules of QM9 that pass its consistency check; the sets of a run are drawn from them."""

TARGETS = {
    "U0_atom": "eV",
    "U_atom": "eV",
    "H_atom": "eV",
    "G_atom": "eV",
    "U0": "eV",
    "gap": "eV",
    "homo": "eV",
    "lumo": "eV",
    "zpve": "eV",
    "Cv": "cal/(mol K)",
    "r2": "bohr^2",
    "dipole": "D",
    "dipole_proxy": "D",
    "alpha": "bohr^3",
    "alpha_anisotropy": "bohr^3",
}
"""Columns that a network can be fitted to, with their units."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What decides a run's numbers; where it runs (device, folders, workers) stays out.

    Raises
    ------
    ValueError, TypeError
        A field has a value or a type that no run can have; the message names the field.
    """

    target: str = "U0_atom"
    """QM9 column to fit: atomization energy at 0 K [eV] unless changed; `equinotes data` lists all."""
    auxiliary: tuple[str, ...] = ()
    """Further columns fitted beside it with equal weight, each by a readout of its own; errors are those of `target`.
    Names as for `target`, between commas: dipole,alpha."""
    reference: Literal["mean", "composition"] = "composition"
    """What is taken off before fitting: one mean, as in the paper, or least-squares energies per element."""

    ls: tuple[int, ...] = (0, 1, 2)
    """Orders kept, 0 and any up to 11: an lmax sweep lengthens it, an ablation leaves gaps."""
    mul: int = 32
    """Channels per irrep."""
    num_blocks: int = 5
    """Interaction blocks, the initial one included."""
    atom_dim: int = 64
    """Width of the embedding of the atomic number."""
    num_basis: int = 20
    """Radial functions of the bond length."""
    cutoff: float = 6.0
    """End of the radial basis, and of the radius graph [Angstrom]."""
    graph: Literal["bonds", "radius"] = "bonds"
    """Edges: covalent bonds, as in the paper, or all pairs within the cutoff."""
    degree_norm: float = 6.08275253
    """Divisor of the summed messages; the paper's is the root of 37."""
    gate: bool = False
    """Gate non-linearity after each block; the paper has none."""
    last_block: Literal["all", "scalars"] = "all"
    """Outputs of the last block: all orders, as in the paper, or only the 0e that the energy reads."""

    epochs: int = 10
    """Passes over the training set."""
    batch_size: int = 32
    """Molecules per step."""
    lr: float = 1e-3
    """Learning rate of AdamW."""
    weight_decay: float = 0.0
    """Weight decay of AdamW."""

    num_train: int = 4000
    """Molecules to fit."""
    num_val: int = 1000
    """Molecules watched while fitting."""
    num_test: int = 2000
    """Molecules that only the final errors see."""
    split_seed: int = 0
    """Draw of the split; independent of every other random draw."""
    seed: int = 0
    """Initial weights and the order of the batches."""

    # Fields from here on came after the first stored runs: at its default, such a field is not part of a run's name.
    network: str = "paper"
    """Architecture: paper, nequip, se3_transformer, segnn, painn, or another name in the registry of networks."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate over the steps: constant, as in the paper, or half a cosine from lr to zero."""
    average: float = 0.0
    """Decay of the exponential average of the weights, which is kept beside the last iterate: from 0, which keeps none, to
    below 1, such as 0.999."""
    terms: tuple[str, ...] = ()
    """Additional terms of the loss, by their names in the registry of terms, between commas."""
    term_weights: tuple[float, ...] = ()
    """Weight of each additional term, between commas."""
    parity: Literal["natural", "all"] = "natural"
    """Irreps kept of each order: those with the parity of the harmonics, or both parities. The paper has the natural ones."""
    heads: int = 2
    """Heads of an attention."""
    channels_div: int = 2
    """Channels of an attention's values and keys are `mul` divided by this."""
    pooling: Literal["mean", "max", "sum"] = "mean"
    """How features of atoms become those of a molecule, in networks that pool before their last layers."""
    attribute_lmax: int = 3
    """Highest order of the steerable attributes of edges and atoms, 0 to 11."""
    body_order: int = 2
    """Atoms whose positions one layer may join: 2 for messages alone, 3 or 4 with products of an atom's features behind each
    block."""
    radial: str = "bessel"
    """Radial basis: bessel, as in the paper, gaussian, or another one in the registry of bases, which `equinotes bases
    list` prints."""
    m_max: int = MAX_L
    """Largest |m| that messages keep in the frame of their edge, 0 to 11; all where it is at least the highest order."""
    skips: Literal["all", "none", "scalars", "directed", "dense", "scaled"] = "all"
    """Features added to a block's: all, as in the paper, none, l = 0, l > 0, the mean of all blocks before, or all where the
    block's own are made as large."""
    curriculum: Literal["none", "rising", "falling"] = "none"
    """Orders that join during the first half of the steps, from the lowest up or, after l = 0, from the highest down."""
    pretrain_epochs: int = 0
    """First epochs in which the additional terms alone are the loss; afterwards the error alone is."""
    reinitialise: Literal["none", "scalars", "directed", "all"] = "none"
    """Weights that start anew after these epochs: those of the paths from l = 0 to l = 0, those of all others, or all."""

    def __post_init__(self) -> None:
        for name, hint in _hints().items():
            object.__setattr__(self, name, check(name, getattr(self, name), hint))
        if self.ls[:1] != (0,) or list(self.ls) != sorted(set(self.ls)):
            raise UserError(f"ls must rise from 0 without repeats, got {self.ls}")
        if self.ls[-1] > MAX_L:
            raise UserError(f"ls may go up to {MAX_L} (as far as e3nn goes), got {self.ls}")
        for name in (
            "mul",
            "num_blocks",
            "atom_dim",
            "num_basis",
            "epochs",
            "batch_size",
            "num_train",
            "num_val",
            "num_test",
            "heads",
            "channels_div",
        ):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self, name)}")
        if (asked := self.num_train + self.num_val + self.num_test) > MOLECULES:
            raise UserError(f"there are {MOLECULES} molecules, num_train + num_val + num_test asks for {asked}")
        for name in ("cutoff", "degree_norm", "lr"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UserError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if not 0 <= self.attribute_lmax <= MAX_L:
            raise UserError(f"attribute_lmax must lie in 0 to {MAX_L} (as far as e3nn goes), got {self.attribute_lmax}")
        if not 0 <= self.m_max <= MAX_L:
            raise UserError(f"m_max must lie in 0 to {MAX_L}, got {self.m_max}")
        if not 2 <= self.body_order <= 4:
            raise UserError(f"body_order must lie in 2 to 4, got {self.body_order}")
        for name in ("weight_decay", "split_seed", "seed"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in (self.target, *self.auxiliary):
            check_target(name)
        if len({self.target, *self.auxiliary}) <= len(self.auxiliary):
            raise UserError(f"auxiliary must name other targets than {self.target}, each once, got {self.auxiliary}")
        if not 0 <= self.average < 1:
            raise UserError(f"average must be a decay from 0 (no average) to below 1, got {self.average}")
        if not 0 <= self.pretrain_epochs < self.epochs:
            raise UserError(
                f"pretrain_epochs must be at least 0 and leave one of {self.epochs} epochs, got {self.pretrain_epochs}"
            )
        if self.pretrain_epochs and not self.terms:
            raise UserError("pretrain_epochs needs terms: they are what is trained on first")
        if self.reinitialise != "none" and not self.pretrain_epochs:
            raise UserError(f"reinitialise={self.reinitialise!r} needs pretrain_epochs: weights start anew after them")
        _check_registries(self)

    @property
    def lmax(self) -> int:
        """Highest order kept."""
        return self.ls[-1]

    @property
    def unit(self) -> str:
        """Unit of the target."""
        return TARGETS[self.target]

    @cached_property
    def run_id(self) -> str:
        """Folder name of the run: readable, and ending in a hash of the fields.

        Fields that the first stored runs did not know are hashed only where they differ from their defaults, so that adding one
        changes no name.
        """
        hashed = {name: value for name, value in asdict(self).items() if name in FIRST_FIELDS or value != _DEFAULTS[name]}
        digest = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.target}-l{'-'.join(map(str, self.ls))}-mul{self.mul}-n{self.num_train}-seed{self.seed}-{digest}"

    def to_dict(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration with these fields; an unknown name stops and names the nearest one."""
        check_names("run parameter", values, [field.name for field in fields(cls)])
        return cls(**values)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """`smoke` (seconds, for tests), `quick` (minutes on a laptop), `nequip`, `se3_transformer`, `segnn` and `painn` (the
        same with these networks), or `paper` (the paper's settings).

        >>> RunConfig.preset("paper", ls=(0, 1, 2, 4)).num_train
        104665
        """
        check_names("preset", [name], PRESETS)
        return cls.from_dict({**PRESETS[name], **changes})

    def but(self, **changes: Any) -> Self:
        """This configuration with some fields changed."""
        return self.from_dict({**self.to_dict(), **changes})


@cache
def _hints() -> dict[str, Any]:
    """Types of the fields."""
    return get_type_hints(RunConfig)


FIRST_FIELDS = frozenset({
    "target", "auxiliary", "reference", "ls", "mul", "num_blocks", "atom_dim", "num_basis", "cutoff", "graph", "degree_norm",
    "gate", "last_block", "epochs", "batch_size", "lr", "weight_decay", "num_train", "num_val", "num_test", "split_seed", "seed",
})  # fmt: skip
"""Fields of the first stored runs; a run's name hashes them all."""
_DEFAULTS = {field.name: field.default for field in fields(RunConfig)}
SEQUENCES = frozenset(name for name, value in _DEFAULTS.items() if isinstance(value, tuple))
"""Fields that hold several items."""

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"ls": (0, 1), "mul": 4, "num_blocks": 2, "epochs": 2, "num_train": 64, "num_val": 32, "num_test": 32},
    "quick": {
        "mul": 16,
        "epochs": 5,
        "batch_size": 16,
        "lr": 3e-3,
        "num_train": 2000,
        "num_val": 500,
        "num_test": 1000,
    },
    "nequip": {
        "network": "nequip",
        "mul": 16,
        "num_blocks": 3,
        "num_basis": 8,
        "cutoff": 5.0,
        "graph": "radius",
        "degree_norm": 4.0,
        "epochs": 5,
        "batch_size": 16,
        "lr": 5e-3,
        "num_train": 2000,
        "num_val": 500,
        "num_test": 1000,
    },
    "se3_transformer": {
        "network": "se3_transformer",
        "mul": 8,
        "num_blocks": 3,
        "num_basis": 4,
        "epochs": 5,
        "batch_size": 16,
        "lr": 2e-3,
        "num_train": 2000,
        "num_val": 500,
        "num_test": 1000,
    },
    "segnn": {
        "network": "segnn",
        "mul": 8,
        "num_blocks": 3,
        "cutoff": 2.0,
        "graph": "radius",
        "epochs": 5,
        "batch_size": 16,
        "lr": 2e-3,
        "num_train": 2000,
        "num_val": 500,
        "num_test": 1000,
    },
    "painn": {
        "network": "painn",
        "ls": (0, 1),
        "mul": 32,
        "num_blocks": 3,
        "num_basis": 20,
        "cutoff": 5.0,
        "graph": "radius",
        "epochs": 5,
        "batch_size": 16,
        "lr": 2e-3,
        "num_train": 2000,
        "num_val": 500,
        "num_test": 1000,
    },
    "paper": {"reference": "mean", "epochs": 100, "num_train": 104_665, "num_val": 13_083, "num_test": 13_083},
}
"""Named starting points; every field not listed has its default. In `quick`, with few molecules and epochs, smaller batches and
a higher learning rate make up for the paper's many steps."""


def check_target(name: str) -> str:
    """The name of a target as it is, or a ValueError that names the nearest ones."""
    check_names("target", [name], TARGETS)
    return name


def _check_registries(config: RunConfig) -> None:
    """UserError for an unknown basis, network or term, and for a field that this network does not read."""
    from equinotes import bases, networks  # light: names and fields, no torch
    from equinotes.training import terms

    bases.check(config)
    networks.check(config)
    terms.check(config)
