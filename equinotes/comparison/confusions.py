"""Pairs of point sets that some bases cannot tell apart: what each basis can and cannot see, computed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from equinotes.bases.edge_frames import edge_frames
from equinotes.comparison.rows import ROWS
from equinotes.data.batches import Batch

LENGTH = 1.3
"""Length of every bond of the pairs [Angstrom]."""
ROUNDING = 1e-10
"""Relative difference below which a basis in double precision does not see one."""


def circle(places: list[int], of: int, height: float = 0.0, turn: float = 0.0) -> Float[np.ndarray, "points 3"]:
    """Unit vectors at the given multiples of 1/of of a full circle, at a height above the plane x, z."""
    angle = 2 * np.pi * np.asarray(places) / of + turn
    radius = (1 - height**2) ** 0.5
    return np.stack([radius * np.cos(angle), np.full(len(angle), height), radius * np.sin(angle)], axis=1)


def twisted(n: int, twist: float) -> Float[np.ndarray, "points 3"]:
    """Two rings of n bonds, the lower one turned: orders below n cannot tell by how much."""
    every = list(range(n))
    return np.concatenate([circle(every, n, 0.5), circle(every, n, -0.5, twist)])


SQUARE, TETRAHEDRON = circle([0, 1, 2, 3], 4), np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
SAME_ANGLES = (circle([0, 1, 2, 5], 8), circle([0, 1, 3, 4], 8))
"""Two sets of four bonds with the same six angles, and as points the same six distances; no rotation or mirror joins them."""


def star(directions: Float[np.ndarray, "points 3"]) -> Batch:
    """Carbon with hydrogens in these directions; the graph has the edges into carbon alone."""
    n = len(directions)
    pos = torch.tensor(np.concatenate([np.zeros((1, 3)), LENGTH * directions]))
    edges = torch.stack([torch.arange(1, n + 1), torch.zeros(n, dtype=torch.long)])
    return Batch(pos, torch.tensor([6] + n * [1]), edges, molecule=torch.zeros(n + 1, dtype=torch.long), rows=torch.tensor([0]))


def chain(torsion: float) -> Batch:
    """H-O-O-H with right angles and this torsion; the graph has its three bonds."""
    pos = LENGTH * torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 1, 0], [np.cos(torsion), 1, np.sin(torsion)]], dtype=torch.float64)
    forward = torch.tensor([[0, 1, 2], [1, 2, 3]])
    zero = torch.zeros(4, dtype=torch.long)
    edges = torch.cat([forward, forward.flip(0)], dim=1)
    return Batch(pos, torch.tensor([1, 8, 8, 1]), edges, molecule=zero, rows=torch.tensor([0]))


TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
"""A rotation that no polyhedron has."""
PAIRS = {
    "bend": (star(circle([0, 1], 2)), star(circle([0, 1], 3))),
    "square": (star(SQUARE), star(TETRAHEDRON)),
    "twist 3": (star(twisted(3, 0.0)), star(twisted(3, 0.5))),
    "twist 5": (star(twisted(5, 0.0)), star(twisted(5, 0.3))),
    "same angles": (star(SAME_ANGLES[0]), star(SAME_ANGLES[1])),
    "torsion": (chain(0.0), chain(np.pi)),
    "turned": (star(twisted(3, 0.5)), star(twisted(3, 0.5) @ TURN.T)),
}
"""Pairs by name. The last one is the same set twice, turned: there a difference is an error."""


def both_ways(batch: Batch) -> Batch:
    """The batch with every edge in both directions, each once: first all in one direction, then all in the other."""
    source, target = torch.unique(batch.edge_index.sort(dim=0, descending=True).values, dim=1)
    forward = torch.stack([source, target])
    return replace(batch, edge_index=torch.cat([forward, forward.flip(0)], dim=1))


def all_pairs(batch: Batch) -> Batch:
    """The batch with edges between all atoms, in the order of `both_ways`: the graph within a cutoff beyond the molecule."""
    forward = torch.tril_indices(len(batch.z), len(batch.z), -1)
    return replace(batch, edge_index=torch.cat([forward, forward.flip(0)], dim=1))


def difference(name: str, pair: str) -> float:
    """Largest difference of a row's columns between the two sets of a pair, relative to the largest column."""
    of_bonds = ROWS[name].columns is edge_frames  # they look from both ends
    one, other = (ROWS[name](both_ways(batch) if of_bonds else batch).double() for batch in PAIRS[pair])
    return ((one - other).abs().max() / one.abs().max()).item()


def confusions(names: list[str] | None = None) -> pd.DataFrame:
    """Differences of all pairs in all rows: `basis`, `pair`, `difference`."""
    rows = [(name, pair, difference(name, pair)) for name in names or ROWS for pair in PAIRS]
    return pd.DataFrame(rows, columns=["basis", "pair", "difference"])
