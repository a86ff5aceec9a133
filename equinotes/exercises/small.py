"""A few hundred molecules and two small trained networks that come with the package, so that a class starts at once."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from equinotes.data.qm9 import QM9
    from equinotes.networks.base import Network

DATA = Path(__file__).parent / "data"
MOLECULES = DATA / "molecules.npz"
ELEMENTS = (1, 6, 7, 8, 9)


@dataclass(frozen=True)
class Small:
    """What `load_small` returns. The molecules come from QM9: Ramakrishnan et al., Sci. Data 1, 140022 (2014)."""

    qm9: "QM9"
    """Molecules that no network here was trained on, in the form of the whole data set; rows count from 0."""
    networks: "dict[str, Network]"
    """Trained networks by their orders: "0-1-2" and "0-1-2-3"."""

    def composition(self) -> tuple[np.ndarray, np.ndarray]:
        """Atoms of H, C, N, O, F in each molecule [molecules, 5] and its atomization energy at 0 K [eV]."""
        owner = np.repeat(np.arange(len(self.qm9)), np.diff(self.qm9.atom_ptr))
        counts = np.stack([np.bincount(owner, self.qm9.z == z, len(self.qm9)) for z in ELEMENTS], axis=1)
        return counts, np.asarray(self.qm9.targets["U0_atom"])


@cache
def load_small() -> Small:
    """Load the molecules and the networks; takes about a second, and no download.

    >>> small = load_small()
    >>> len(small.qm9), list(small.networks)
    (400, ['0-1-2', '0-1-2-3'])
    """
    from safetensors import safe_open
    from safetensors.torch import load_file

    from equinotes.config import RunConfig
    from equinotes.data.qm9 import QM9
    from equinotes.networks import build_network

    with np.load(MOLECULES, allow_pickle=False) as arrays:
        qm9 = QM9.from_arrays(dict(arrays))
    networks = {}
    for path in sorted(DATA.glob("network-*.safetensors"), key=lambda path: path.stem):
        with safe_open(path, "pt") as file:
            config = RunConfig.from_dict(json.loads(file.metadata()["config"]))
        net = build_network(config)
        net.load_state_dict(load_file(path))
        networks[path.stem.removeprefix("network-")] = net.eval()
    return Small(qm9, networks)
