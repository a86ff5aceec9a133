"""A batch is its molecules put one behind another, whichever way it was made."""

import numpy as np
import pytest
import torch

from equinotes.data.batches import _drawn, from_pyg

# torch_geometric and e3nn still use TorchScript
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")

ROWS = [0, 130_830, 57, 57, 21_000]


def edges(batch) -> set[tuple[int, int]]:
    return set(map(tuple, batch.edge_index.T.tolist()))


def assert_same(a, b):
    for name in ("pos", "z", "edge_index", "molecule"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=0, atol=0)


@pytest.mark.parametrize("rows", [ROWS, np.array(ROWS, np.int32), torch.tensor(ROWS)], ids=["list", "array", "tensor"])
def test_a_batch_holds_its_molecules_in_the_order_asked_for(qm9, rows):
    batch = qm9.batch(rows)
    molecules = [qm9.molecule(row) for row in ROWS]
    starts = np.cumsum([0, *map(len, molecules)])
    assert batch.num_molecules == 5 and batch.rows.tolist() == ROWS
    np.testing.assert_array_equal(batch.pos, np.concatenate([m.pos for m in molecules]))
    assert batch.z.tolist() == np.concatenate([m.z for m in molecules]).tolist()
    assert batch.molecule.tolist() == [k for k, m in enumerate(molecules) for _ in range(len(m))]
    bonds = {(i + start, j + start) for m, start in zip(molecules, starts, strict=False) for i, j in m.bonds.tolist()}
    assert edges(batch) == bonds | {(j, i) for i, j in bonds}
    assert batch.edge_index.shape[1] == 2 * len(bonds)


@pytest.mark.parametrize("graph", ["bonds", "radius"])
def test_edge_b_and_edge_b_plus_half_are_the_two_directions_of_one_pair(qm9, graph):
    batch = qm9.batch(ROWS, graph=graph)
    forward, backward = batch.edge_index.chunk(2, dim=1)
    assert torch.equal(forward, backward.flip(0)) and (forward[0] < forward[1]).all()
    assert torch.equal(batch.molecule[forward[0]], batch.molecule[forward[1]])
    vectors = batch.pos[batch.edge_index[0]] - batch.pos[batch.edge_index[1]]
    assert torch.equal(*(half * sign for half, sign in zip(vectors.chunk(2), (1, -1), strict=True)))


def test_the_radius_graph_has_the_neighbours_that_six_angstrom_hold(qm9):
    """Neighbours of an atom, averaged over molecules: 16.5 within 6 A and 2.08 by bonds on the whole set."""
    rows = np.arange(0, len(qm9), 400)
    for graph, neighbours, within in (("radius", 16.5, 0.2), ("bonds", 2.08, 0.02)):
        batch = qm9.batch(rows, graph=graph, cutoff=6.0)
        edges_of, atoms_of = batch.molecule[batch.edge_index[0]].bincount(), batch.molecule.bincount()
        assert (edges_of / atoms_of).mean().item() == pytest.approx(neighbours, abs=within)


def test_a_batch_may_be_written_and_leaves_the_table_as_it_was(qm9):
    before = qm9.pos[:5].copy()
    batch = qm9.batch([0])
    batch.pos.zero_()
    np.testing.assert_array_equal(qm9.pos[:5], before)
    assert not torch.equal(qm9.batch([0]).pos, batch.pos)


def test_rotation_turns_positions_and_nothing_else(qm9):
    batch = qm9.batch(ROWS).to(dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # about z: x -> y, y -> -x
    turned = batch.rotated(quarter)
    x, y, z = batch.pos.T
    torch.testing.assert_close(turned.pos, torch.stack([-y, x, z], dim=1), rtol=0, atol=0)
    assert turned.pos.dtype == torch.float64 and torch.equal(turned.edge_index, batch.edge_index)
    assert_same(batch.rotated(quarter.numpy()), turned)


@pytest.mark.parametrize(("device", "ahead"), [(None, False), ("cpu", False), (torch.device("cpu"), False), ("meta", True)])
def test_only_copies_away_from_the_cpu_may_still_be_under_way(qm9, device, ahead):
    seen = []

    class Watched(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is torch.Tensor.to:
                seen.append(kwargs["non_blocking"])
            return function(*args, **(kwargs or {}))

    batch = qm9.batch(ROWS)
    with Watched():
        batch.to(device)
    assert seen == 5 * [ahead]


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        ([0, 130_831], IndexError, "0 to 130830, got 130831"),
        ([-1], IndexError, "got -1"),
        ([0.5], TypeError, "whole numbers, got float64"),
        (np.array(3), TypeError, "list of whole numbers"),
        ([[1, 2]], TypeError, r"of shape \(1, 2\)"),
    ],
)
def test_rows_that_are_not_there_are_refused(qm9, rows, error, says):
    with pytest.raises(error, match=says):
        qm9.batch(rows)


@pytest.mark.parametrize("graph", ["bonds", "radius", "given"])
def test_to_pytorch_geometric_and_back_is_the_same_batch(qm9, graph):
    batch = qm9.batch(ROWS, graph="bonds" if graph == "given" else graph, cutoff=2.5)
    data = batch.to_pyg()
    assert [item.row for item in data] == ROWS
    assert_same(from_pyg(data, graph, cutoff=2.5), batch)


def test_pytorch_geometric_collates_our_molecules_to_our_batch(qm9):
    from torch_geometric.data import Batch as PygBatch

    batch = qm9.batch(ROWS)
    for data in (batch.to_pyg(), [qm9.molecule(row).to_pyg() for row in ROWS]):
        theirs = PygBatch.from_data_list(data)
        assert torch.equal(theirs.pos, batch.pos) and torch.equal(theirs.z, batch.z)
        assert torch.equal(theirs.batch, batch.molecule)
        assert edges(theirs) == edges(batch)


def test_a_molecule_for_pytorch_geometric_carries_its_number_and_targets(qm9):
    data = qm9.molecule(qm9.row(3)).to_pyg()
    assert (data.number, data.smiles) == (3, "O")
    assert data.y_dipole.item() == 1.8511 and data.y_U0_atom.item() == qm9.targets["U0_atom"][2]
    data.pos.zero_()  # a copy of its own
    assert qm9.pos[qm9.atom_ptr[2]].any()


def test_given_edges_may_come_in_any_order(qm9):
    data = qm9.batch(ROWS).to_pyg()
    for item in data:
        item.edge_index = item.edge_index[:, torch.randperm(item.num_edges, generator=torch.Generator().manual_seed(0))]
    assert_same(from_pyg(data, "given"), qm9.batch(ROWS))


def make_data(**changes):
    from torch_geometric.data import Data

    items = {"pos": torch.eye(3)[:2], "z": torch.tensor([1, 8]), "edge_index": torch.tensor([[0, 1], [1, 0]])} | changes
    return Data(**{name: item for name, item in items.items() if item is not None})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"z": None}, r"needs pos \[atoms, 3\] in Angstrom and z \[atoms\]; number 1"),
        ({"pos": None}, "number 1 of the list"),
        ({"z": torch.tensor([1, 1, 1])}, "needs pos"),
        ({"edge_index": None}, "needs edge_index; number 1"),
        ({"edge_index": torch.tensor([[0], [1]])}, "each edge needs its opposite .* number 1"),
        ({"edge_index": torch.tensor([[0, 0], [0, 0]])}, "each edge needs its opposite"),
    ],
    ids=["no z", "no pos", "lengths differ", "no edges", "one way only", "loops"],
)
def test_data_that_cannot_be_a_batch_is_named(changes, says):
    assert from_pyg([make_data(), make_data()], "given").num_molecules == 2
    with pytest.raises(ValueError, match=says):
        from_pyg([make_data(), make_data(**changes)], "given")


def test_an_empty_list_or_an_unknown_graph_is_refused():
    with pytest.raises(ValueError, match="at least one Data"):
        from_pyg([])
    with pytest.raises(ValueError, match="graph must be 'bonds' or 'radius', got 'knn'"):
        _drawn("knn", np.eye(3), np.ones(3, int), np.array([0, 3]), 6.0)
