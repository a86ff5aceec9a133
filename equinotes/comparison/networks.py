"""Networks with other bases, trained at equal numbers of parameters (37,000 to 38,300): the rules, before any run.

They differ in the orders of their features, in how vectors are made, in the radial basis, and in the |m| that messages keep;
molecules, split, steps and target are the same. The last four are the paper's network with gates on the graph of bonds: they are
to be compared with one another.
"""

from dataclasses import dataclass

from equinotes.comparison.rows import SEEDS, UP_TO_4
from equinotes.config import RunConfig
from equinotes.support.errors import check_names


@dataclass(frozen=True)
class Trained:
    """One row of the table of networks."""

    label: str
    config: RunConfig


SIZES = {"num_basis": 8, "epochs": 10, "num_train": 2000, "num_val": 500, "num_test": 1000}


def _frames(m_max: int) -> RunConfig:
    fields = {"mul": 7, "num_blocks": 4, "atom_dim": 18, "gate": True, "last_block": "scalars", **SIZES}
    return RunConfig.preset("quick", ls=UP_TO_4, m_max=m_max, **fields)


NETWORKS = {
    "network_l0": Trained("NequIP, l = 0", RunConfig.preset("nequip", ls=(0,), mul=29, **SIZES)),
    "network_vectors": Trained("NequIP, l ≤ 1", RunConfig.preset("nequip", ls=(0, 1), mul=18, **SIZES)),
    "painn": Trained("PaiNN, vectors it makes", RunConfig.preset("painn", mul=32, **SIZES)),
    "network_l2": Trained("NequIP, l ≤ 2", RunConfig.preset("nequip", ls=(0, 1, 2), mul=12, **SIZES)),
    "network_l2_gaussian": Trained(
        "NequIP, l ≤ 2, Gaussians", RunConfig.preset("nequip", ls=(0, 1, 2), mul=12, radial="gaussian", **SIZES)
    ),
    "frames_m0": Trained("edge frames, l ≤ 4, m = 0", _frames(0)),
    "frames_m1": Trained("edge frames, l ≤ 4, m ≤ 1", _frames(1)),
    "frames_m2": Trained("edge frames, l ≤ 4, m ≤ 2", _frames(2)),
    "frames_m4": Trained("edge frames, l ≤ 4, all m", _frames(4)),
}
"""Every network by the name of its row."""
REFERENCE = "network_l2"
"""The network that costs are compared with."""


def network_named(name: str) -> Trained:
    """A row; UserError names the nearest ones."""
    check_names("network of the comparison", [name], NETWORKS)
    return NETWORKS[name]


def runs_of(name: str) -> list[RunConfig]:
    """The runs of one row, one for each seed."""
    return [network_named(name).config.but(seed=seed) for seed in SEEDS]


def runs() -> list[RunConfig]:
    """All runs: every network for each seed.

    >>> len(runs())
    27
    """
    return [config for name in NETWORKS for config in runs_of(name)]
