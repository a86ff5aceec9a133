"""Cutting features by irrep, and what stays when the molecule turns."""

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation

from equinotes.irreps import channel_norms, invariants, irreps_of, natural, pack_irreps, power_spectrum, split_irreps

SETS = [(0,), (0, 1, 2), (0, 1, 2, 3, 4, 5, 6), (0, 3, 4, 5, 6)]


def blocks_filled_with_their_order(irreps):
    """Packed features in which every component of an irrep of order l has the value l; written out without `split_irreps`."""
    return np.concatenate([np.full(mul * ir.dim, ir.l) for mul, ir in o3.Irreps(irreps)])


@pytest.mark.parametrize("ls", SETS, ids=str)
def test_every_slice_holds_its_own_order_and_nothing_else(ls):
    irreps = irreps_of(ls, 16)
    x = np.tile(blocks_filled_with_their_order(irreps), (5, 1))
    parts = split_irreps(x, irreps)
    assert list(parts) == [natural(l) for l in ls]
    for l, part in zip(ls, parts.values(), strict=True):
        assert part.shape == (5, 16, 2 * l + 1)
        assert (part == l).all()


@pytest.mark.parametrize("ls", SETS, ids=str)
def test_packing_undoes_splitting(ls):
    x = np.random.default_rng(0).normal(size=(3, 4, o3.Irreps(irreps_of(ls, 5)).dim))
    np.testing.assert_array_equal(pack_irreps(split_irreps(x, irreps_of(ls, 5))), x)


def test_parts_are_views():
    x = np.zeros((2, 26))
    split_irreps(x, "2x0e+3x1o+3x2e")["1o"][:] = 1
    assert x.sum() == 2 * 9


@pytest.mark.parametrize("ls", SETS, ids=str)
@pytest.mark.parametrize("kind", ["norms", "power"])
def test_invariants_stay_when_the_molecule_is_turned_or_inverted(ls, kind):
    irreps = o3.Irreps(irreps_of(ls, 6))
    x = np.random.default_rng(1).normal(size=(20, irreps.dim))
    R = -Rotation.random(random_state=2).as_matrix()  # improper: checks parity too
    D = irreps.D_from_matrix(torch.from_numpy(R)).numpy()
    before, after = invariants(x, irreps, kind), invariants(x @ D.T, irreps, kind)
    for irrep in before:
        np.testing.assert_allclose(after[irrep], before[irrep], atol=1e-10)
    if len(ls) > 1:
        assert np.abs(x @ D.T - x).max() > 0.1


def test_the_power_spectrum_tells_relative_directions_that_norms_do_not_see():
    aligned = np.array([[[1.0, 0, 0], [1, 0, 0]]])
    across = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    np.testing.assert_array_equal(channel_norms(aligned), channel_norms(across))
    np.testing.assert_array_equal(power_spectrum(aligned), [[1, 1, 1]])
    np.testing.assert_array_equal(power_spectrum(across), [[1, 0, 1]])


def test_wrong_lengths_repeated_irreps_and_unknown_summaries_are_refused():
    with pytest.raises(ValueError, match="features have 25 components, 2x0e\\+3x1o\\+3x2e has 26"):
        split_irreps(np.zeros((2, 25)), "2x0e+3x1o+3x2e")
    with pytest.raises(ValueError, match="each irrep may appear once"):
        split_irreps(np.zeros((2, 2)), "1x0e+1x0e")
    with pytest.raises(ValueError, match="kind must be 'norms' or 'power', got 'bispectrum'"):
        invariants(np.zeros((2, 4)), "1x0e+1x1o", "bispectrum")
