"""Bases of whole molecules: what is equal to what, what turns, and what each one confuses."""

from functools import partial

import numpy as np
import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, build_network
from equinotes.analysis.harmonics import legendre as polynomial
from equinotes.bases.averaged import averaged, turned
from equinotes.bases.bessel import bessel
from equinotes.bases.edge_frames import edge_frames
from equinotes.bases.groups import rotations
from equinotes.bases.spectrum import legendre, spectrum, tensors
from equinotes.bases.wavelets import wavelets
from equinotes.data.batches import Batch
from equinotes.irreps import split_irreps

ROWS = [2, 40, 3000, 70_000]


@pytest.fixture
def batch(qm9, float64):
    return qm9.batch(ROWS, graph="radius", cutoff=4.0).to(dtype=float64)


@pytest.fixture
def radial(float64):
    return partial(bessel, num_basis=3, cutoff=4.0)


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize("ls", [(0,), (0, 1, 2), (0, 3, 6), (5,)], ids=str)
def test_legendre_of_all_pairs_is_the_squared_block_of_harmonics(batch, radial, ls):
    assert relative(legendre(batch, radial, ls, 12), spectrum(batch, radial, ls, 12)) < 1e-12


@pytest.mark.parametrize("ls", [(0,), (0, 1), (0, 1, 2), (2,)], ids=str)
def test_cartesian_tensors_are_the_same_columns(batch, radial, ls):
    assert relative(tensors(batch, radial, ls, 12), spectrum(batch, radial, ls, 12)) < 1e-12


def test_one_squared_block_of_the_network_is_the_legendre_sum(qm9, float64):
    """The features of oxygen in water after the network's first block, squared, are sums over pairs of bonds of P_l.

    A bond's weight is w_j = x_l . Y_l(r_j) solved for both bonds; the third number is the identity's to give.
    """
    water = qm9.batch([2]).to(dtype=float64)
    layer = build_network(RunConfig(ls=(0, 1, 2, 3), mul=4, num_blocks=2)).double().features(water)[1]
    parts = split_irreps(layer.x[0].detach(), layer.irreps)
    unit = torch.nn.functional.normalize(water.pos[1:] - water.pos[0], dim=1)
    cosine = (unit @ unit.T).numpy()
    for l, irrep in enumerate(["0e", "1o", "2e", "3o"][1:], start=1):
        harmonic = o3.spherical_harmonics(l, unit, True, "integral")
        w = torch.linalg.lstsq(harmonic.T, parts[irrep].T).solution.numpy()
        wanted = (2 * l + 1) / (4 * np.pi) * np.einsum("jk,jn,nk->k", w, polynomial(l, cosine), w)
        np.testing.assert_allclose(parts[irrep].square().sum(1).numpy(), wanted, rtol=1e-9)


INVARIANT = {
    "spectrum": lambda b, r: spectrum(b, r, (0, 1, 2, 3, 4), 10),
    "legendre": lambda b, r: legendre(b, r, (0, 1, 2, 3, 4), 10),
    "tensors": lambda b, r: tensors(b, r, (0, 1, 2), 10),
    "edge_frames": lambda b, r: edge_frames(b, r, lmax=3, m_max=2, count=9),
    "limit": lambda b, r: averaged(b, r, lmax=3, turns="all", count=10),
}


@pytest.mark.parametrize("name", INVARIANT)
def test_invariant_bases_do_not_turn(batch, radial, name):
    values = INVARIANT[name](batch, radial)
    assert relative(INVARIANT[name](batch.rotated(o3.rand_matrix()), radial), values) < 1e-11
    assert len(values) == len(ROWS) and values.abs().min(0).values.numel() > 20


EXACT = [("T", 1, True), ("T", 2, False), ("O", 1, True), ("O", 2, False), ("I", 2, True), ("I", 3, False)]


@pytest.mark.parametrize(("group", "lmax", "exact"), EXACT)
def test_a_group_average_is_exact_while_products_stay_below_its_first_invariant(batch, radial, group, lmax, exact):
    """Products of orders up to lmax hold orders up to 2 lmax: below 3 (T), 4 (O), 6 (I) the mean is that over all rotations."""
    limit = averaged(batch, radial, lmax, "all", 10)
    off = relative(averaged(batch, radial, lmax, group, 10), limit)
    assert off < 1e-12 if exact else off > 1e-4
    if exact:
        assert relative(averaged(batch, radial, lmax, f"random{len(rotations(group))}", 10), limit) > 1e-3


def test_principal_axes_make_any_function_invariant_but_symmetric_tops(qm9, batch, radial):
    R = o3.rand_matrix()
    found = averaged(batch, radial, 3, "principal", 10)
    off = [relative(a, b) for a, b in zip(averaged(batch.rotated(R), radial, 3, "principal", 10), found, strict=True)]
    assert max(off[1:]) < 1e-9
    tetrahedron = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    shaken = tetrahedron + 1e-4 * np.random.default_rng(0).normal(size=(2, 4, 3))
    tops = [averaged(star(each), radial, 4, "principal", 10) for each in shaken]
    assert relative(*tops) > 1e-2, "a molecule without axes gets those of its last digits"
    assert relative(*[averaged(star(each), radial, 4, "O", 10) for each in shaken]) < 1e-2


def test_averaging_any_function_over_a_group_is_that_of_the_columns(batch, radial):
    plain = partial(averaged, radial=radial, lmax=2, turns="one", count=6)
    by_turning = turned(batch, plain, rotations("T"))
    assert relative(by_turning, averaged(batch, radial, 2, "T", 6)) < 1e-10


def star(directions, centre=6, ligand=1):
    """A centre with neighbours at these directions, seen from the centre alone."""
    r = torch.tensor(np.asarray(directions), dtype=torch.float64)
    n = len(r)
    pos = torch.cat([torch.zeros(1, 3, dtype=torch.float64), r])
    edges = torch.stack([torch.arange(1, n + 1), torch.zeros(n, dtype=torch.long)])
    z = torch.tensor([centre] + n * [ligand])
    return Batch(pos, z, edges, molecule=torch.zeros(n + 1, dtype=torch.long), rows=torch.tensor([0]))


def ring(places, height=0.0, turn=0.0, of=8):
    t = 2 * np.pi * np.asarray(places) / of + turn
    flat = (1 - height**2) ** 0.5
    return np.stack([flat * np.cos(t), np.full(len(t), height), flat * np.sin(t)], 1)


def test_equal_angles_are_confused_by_every_power_spectrum(radial):
    """Four bonds of one length at 45 degrees times 0, 1, 2, 5 and 0, 1, 3, 4: the same six angles, and not congruent."""
    one, other = star(ring([0, 1, 2, 5])), star(ring([0, 1, 3, 4]))
    ls = tuple(range(9))
    assert relative(spectrum(one, radial, ls, 18), spectrum(other, radial, ls, 18)) < 1e-12
    cubic = [(ring(p) @ ring(p).T).ravel() for p in ([0, 1, 2, 5], [0, 1, 3, 4])]
    np.testing.assert_allclose(np.sort(cubic[0]), np.sort(cubic[1]), atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_two_rings_of_n_bonds_hide_their_twist_from_orders_below_n(radial, n):
    pair = [star(np.concatenate([ring(range(n), 0.5, of=n), ring(range(n), -0.5, t, of=n)])) for t in (0.0, 0.4)]
    columns = [spectrum(each, radial, tuple(range(n + 1)), 6 * (n + 1))[0, : 30 * (n + 1)].view(5, n + 1, 6) for each in pair]
    seen = (columns[0] - columns[1]).abs().amax((0, 2)) / columns[0].abs().max()
    assert max(seen[:n]) < 1e-12 and seen[n] > 1e-4


@pytest.mark.parametrize(("n", "orders"), [(2, 1), (3, 3), (4, 6)])
def test_n_equal_bonds_are_told_by_orders_up_to_n_n_minus_1_over_2(n, orders):
    """The spectra are power sums of the n(n-1)/2 cosines: that many of them determine the angles, one less does not."""
    rng, pairs = np.random.default_rng(0), n * (n - 1) // 2
    assert pairs == orders
    cosine = np.sort(rng.uniform(-1, 1, pairs))
    sums = np.array([np.sum(cosine**k) for k in range(1, pairs + 1)])
    e = [1.0]
    for k in range(1, pairs + 1):  # Newton's identities: power sums give the polynomial whose roots the cosines are
        e.append(sum((-1) ** (i - 1) * e[k - i] * sums[i - 1] for i in range(1, k + 1)) / k)
    np.testing.assert_allclose(np.sort(np.roots([(-1) ** k * c for k, c in enumerate(e)]).real), cosine, atol=1e-8)


def peroxide(torsion):
    """Four atoms in a chain with right angles and this torsion: H-O-O-H, with its bonds as the graph."""
    pos = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 1.4, 0], [np.cos(torsion), 1.4, np.sin(torsion)]], dtype=torch.float64)
    forward = torch.tensor([[0, 1, 2], [1, 2, 3]])
    z, zero = torch.tensor([1, 8, 8, 1]), torch.zeros(4, dtype=torch.long)
    return Batch(pos, z, torch.cat([forward, forward.flip(0)], 1), molecule=zero, rows=torch.tensor([0]))


@pytest.mark.parametrize(("m_max", "seen"), [(0, False), (1, True), (2, True)])
def test_torsion_enters_an_edge_frame_with_m_1(radial, m_max, seen):
    cis, trans = (edge_frames(peroxide(t), radial, lmax=3, m_max=m_max, count=6) for t in (0.0, np.pi))
    assert relative(cis, trans) > 1e-3 if seen else relative(cis, trans) < 1e-12


def molecule(pos):
    n = len(pos)
    none = torch.zeros(2, 0, dtype=torch.long)
    return Batch(torch.tensor(pos), torch.full((n,), 1), none, molecule=torch.zeros(n, dtype=torch.long), rows=torch.tensor([0]))


def test_first_order_wavelets_with_q_2_see_distances_alone(float64):
    """Two sets of four points on a circle have equal distances and different angles. The box is large: it is periodic."""
    one, other = molecule(1.3 * ring([0, 1, 2, 5])), molecule(1.3 * ring([0, 1, 3, 4]))
    assert relative(*[wavelets(each, order=1, powers=(2.0,), points=36, box=20.0) for each in (one, other)]) < 1e-9
    for order, powers in ((1, (1.0,)), (2, (2.0,))):
        assert relative(wavelets(one, order, powers), wavelets(other, order, powers)) > 1e-3


def test_wavelets_turn_by_no_more_than_their_grid(batch):
    R = o3.rand_matrix()
    coarse, fine = (
        [wavelets(b, order=1, powers=(2.0,), points=points, box=box) for b in (batch, batch.rotated(R))]
        for points, box in ((24, 14.0), (40, 24.0))
    )
    assert relative(*fine) < 1e-6 < relative(*coarse) < 1e-2
