"""What the comparison of networks runs: four networks with and without orders 1 and 2, at equal parameters and equal steps.

4,000 molecules for 8 epochs of batches of 16 are 2,000 steps. Learning rates are those of the presets. All networks sum over
atoms and have one head where they have heads, so that neither pooling nor heads differ. SEGNN's attributes go up to 3, as its
authors have them, and no further than the features where these end at 0 or 1: otherwise an order that was left out would come
back through the attributes.

Energies have the composition taken off. The tensor target is the anisotropy of the polarisability: the package reads scalars
alone, so that the network has to make this invariant of a tensor from its l = 0 features, by way of whatever orders it has.
"""

from functools import cache
from itertools import product
from typing import Any, NamedTuple

from equinotes.config import RunConfig

Orders = tuple[int, ...]
WHOLE, NONE = (0, 1, 2), (0,)
WITHOUT: dict[int, Orders] = {1: (0, 2), 2: (0, 1)}
"""The orders that stay when one is left out."""
SETS: tuple[Orders, ...] = (WHOLE, NONE, *WITHOUT.values())
PARAMETERS = 108_400
"""Parameters that every network has, within `TOLERANCE`."""
TOLERANCE = 0.05

SIZES = {"num_train": 4000, "num_val": 500, "num_test": 2000, "epochs": 8, "batch_size": 16, "average": 0.999}
FIELDS: dict[str, dict[str, Any]] = {
    "paper": {"lr": 3e-3},
    "nequip": {"lr": 5e-3, "num_blocks": 3, "num_basis": 8},
    "se3_transformer": {"lr": 2e-3, "num_blocks": 3, "num_basis": 4, "heads": 1, "pooling": "sum"},
    "segnn": {"lr": 2e-3, "num_blocks": 3, "pooling": "sum"},
}
"""The networks that are compared, and what sets each apart from the defaults."""
CHANNELS: dict[str, dict[Orders, int]] = {
    "paper": {WHOLE: 12, (0, 2): 15, (0, 1): 16, NONE: 25},
    "nequip": {WHOLE: 29, (0, 2): 39, (0, 1): 40, NONE: 62},
    "se3_transformer": {WHOLE: 8, (0, 2): 12, (0, 1): 14, NONE: 30},
    "segnn": {WHOLE: 17, (0, 2): 28, (0, 1): 30, NONE: 71},
}
"""Channels that give each network and set of orders the parameters."""
ATTRIBUTES = {WHOLE: 3, (0, 2): 3, (0, 1): 1, NONE: 0}
"""Highest order of SEGNN's attributes by orders of its features."""
RADIUS = 3.0
"""Cutoff of the radius graph [Angstrom]: second neighbours are in it, so that distances say angles."""
GRAPHS: dict[str, dict[str, dict[str, Any]]] = {
    "bonds": {"nequip": {"cutoff": 5.0, "degree_norm": 1.5}},
    "radius": {name: {"graph": "radius", "cutoff": RADIUS} for name in FIELDS} | {
        "nequip": {"graph": "radius", "cutoff": RADIUS, "degree_norm": 2.6}
    },
}  # fmt: skip
"""Fields of each graph; where nothing is said, a network has its default."""
PRODUCTS: dict[str, dict[str, Any]] = {"paper": {"body_order": 3, "atom_dim": 60}, "nequip": {"body_order": 3}}
"""Networks that take many-body products, with squares behind each block; a narrower embedding pays for the weights."""
PRODUCT_CHANNELS: dict[str, dict[Orders, int]] = {"paper": {WHOLE: 12, NONE: 25}, "nequip": {WHOLE: 28, NONE: 58}}
TARGETS: dict[str, dict[str, Any]] = {
    "energy": {"target": "U0_atom"},
    "anisotropy": {"target": "alpha_anisotropy", "reference": "mean"},
}
ENERGY, ANISOTROPY = TARGETS


class Place(NamedTuple):
    """Where a network is judged: its architecture, the target, the graph, and with which body order."""

    network: str
    target: str = ENERGY
    graph: str = "bonds"
    body_order: int = 2

    @property
    def whole(self) -> bool:
        """Whether it is run with every set of orders, and examined."""
        return self.graph == "bonds" and self.body_order == 2

    def __str__(self) -> str:
        products = "" if self.body_order == 2 else f", body order {self.body_order}"
        return f"{self.network}, {self.target}, {self.graph}{products}"


PLACES = (
    *(Place(network, target) for target in TARGETS for network in FIELDS),
    *(Place(network, graph="radius") for network in FIELDS),
    *(Place(network, body_order=3) for network in PRODUCTS),
)
"""Every place: both targets on the bonds; energies on the radius graph; energies with many-body products."""


@cache
def configuration(place: Place, ls: Orders, seed: int) -> RunConfig:
    """The run of a network with these orders."""
    fields = SIZES | FIELDS[place.network] | GRAPHS[place.graph].get(place.network, {}) | TARGETS[place.target]
    if place.network == "segnn":
        fields["attribute_lmax"] = ATTRIBUTES[ls]
    if place.body_order > 2:
        fields |= PRODUCTS[place.network]
    mul = (CHANNELS if place.body_order == 2 else PRODUCT_CHANNELS)[place.network][ls]
    return RunConfig.from_dict({"network": place.network, "ls": ls, "mul": mul, "seed": seed} | fields)


def experiments() -> dict[str, list[RunConfig]]:
    """Configurations by experiment, seed by seed.

    - `energy`: four networks, all sets of orders, 5 seeds, on bonds;
    - `anisotropy`: the same for the tensor target, 5 seeds of orders 0-2 and 0 alone, 3 seeds without one order;
    - `products`: energies of the networks that take them with many-body products, orders 0-2 and 0 alone, 3 seeds;
    - `radius`: energies on the radius graph, orders 0-2 and 0 alone, 3 seeds.

    >>> {name: len(configs) for name, configs in experiments().items()}
    {'energy': 80, 'anisotropy': 64, 'products': 12, 'radius': 24}
    """
    return {
        "energy": _runs(ENERGY, "bonds", SETS, range(5)),
        "anisotropy": [
            config
            for seed in range(5)
            for config in _runs(ANISOTROPY, "bonds", SETS if seed < 3 else (WHOLE, NONE), (seed,))
        ],
        "products": [
            configuration(Place(network, body_order=3), ls, seed)
            for seed, ls, network in product(range(3), (WHOLE, NONE), PRODUCTS)
        ],
        "radius": _runs(ENERGY, "radius", (WHOLE, NONE), range(3)),
    }  # fmt: skip


def subjects() -> list[RunConfig]:
    """Networks that are examined: orders 0 to 2 on the bonds, both targets."""
    return [config for target in TARGETS for config in _runs(target, "bonds", (WHOLE,), range(5))]


def _runs(target: str, graph: str, sets: tuple[Orders, ...], seeds: Any) -> list[RunConfig]:
    return [configuration(Place(network, target, graph), ls, seed) for seed, ls, network in product(seeds, sets, FIELDS)]
