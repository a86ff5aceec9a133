"""Networks with other bases, to be trained at equal numbers of parameters (37,000 to 38,300): the rules, before any run.

They differ in the orders of their features, in how vectors are made, and in the radial basis; data, steps and graph are the same.
"""

from equinotes.comparison.rows import SEEDS
from equinotes.config import RunConfig

SIZES = {"num_basis": 8, "epochs": 10, "num_train": 2000, "num_val": 500, "num_test": 1000}
CONFIGS = {
    "network_l0": RunConfig.preset("nequip", ls=(0,), mul=29, **SIZES),
    "network_vectors": RunConfig.preset("nequip", ls=(0, 1), mul=18, **SIZES),
    "painn": RunConfig.preset("painn", mul=32, **SIZES),
    "network_l2": RunConfig.preset("nequip", ls=(0, 1, 2), mul=12, **SIZES),
    "network_l2_gaussian": RunConfig.preset("nequip", ls=(0, 1, 2), mul=12, radial="gaussian", **SIZES),
}
"""Every network by the name of its row."""


def runs() -> list[RunConfig]:
    """All runs: every network for each seed.

    >>> len(runs())
    15
    """
    return [config.but(seed=seed) for config in CONFIGS.values() for seed in SEEDS]
