"""What is said of the released code: where it cuts, what it counts, what it draws again, what it never trains."""

from math import comb

import numpy as np
import pytest
import torch
from e3nn import o3

from equinotes import RunConfig, build_network, split_irreps
from equinotes.analysis.features import weight_gradients
from equinotes.audit.released import (
    cut_like_released,
    orders_in_row,
    panels,
    redrawn_expected,
    redrawn_split,
    score_unsanitised,
    what_panels_hold,
)
from equinotes.irreps import irreps_of

PAPER = {
    ((0, 1, 2), 32): {0: 0, 1: 1, 2: 1},
    ((0, 1, 2, 3, 4, 5, 6), 16): {0: 0, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 2},
    ((0, 3, 4, 5, 6), 16): {0: 0, 3: 3, 4: 3, 5: 3, 6: 3},
}
"""Networks of the paper, and the order that the panel named after each order holds."""


@pytest.mark.parametrize("network", PAPER, ids=str)
def test_panels_of_the_released_cut_hold_these_orders(network):
    irreps = irreps_of(*network)
    row = np.broadcast_to(orders_in_row(irreps), (5, o3.Irreps(irreps).dim))
    cut = cut_like_released(row, irreps)
    assert {named: np.unique(piece).tolist() for named, piece in cut.items()} == {
        named: [held] for named, held in PAPER[network].items()
    }
    assert {piece.shape for piece in cut.values()} == {(5, network[1])}


@pytest.mark.parametrize("network", [*PAPER, ((0,), 4), ((0, 1, 2, 10), 3)], ids=str)
def test_the_right_cut_holds_one_order_in_each_panel_and_all_of_it(network):
    table = what_panels_hold(irreps_of(*network)).query("cut == 'irreps'")
    assert [(row.named,) for row in table.itertuples()] == table["holds"].tolist()
    assert (table["stop"] - table["start"]).tolist() == [network[1] * (2 * l + 1) for l in network[0]]
    assert table["start"].tolist() == [0, *table["stop"][:-1]]


def test_components_are_those_of_the_irreps():
    """The row of orders against the Casimir operator, which is l (l + 1) on every component of order l."""
    irreps = o3.Irreps(irreps_of((0, 1, 2, 4), 2))
    generators = [o3.so3_generators(block.ir.l) for block in irreps for _ in range(block.mul)]
    casimir = torch.cat([-(g @ g).sum(0).diagonal() for g in generators]).round()
    assert casimir.tolist() == [l * (l + 1) for l in orders_in_row(irreps)]


def test_cuts_take_batches_and_tensors():
    x = torch.arange(2 * 3 * 26).reshape(2, 3, 26)
    irreps = "2x0e+3x1o+3x2e"
    assert {l: tuple(part.shape) for l, part in panels(x, irreps, "released").items()} == {
        0: (2, 3, 2),
        1: (2, 3, 3),
        2: (2, 3, 3),
    }
    true = panels(x, irreps, "irreps")
    assert all(torch.equal(true[int(ir[0])], part.flatten(-2)) for ir, part in split_irreps(x, irreps).items())
    with pytest.raises(ValueError, match="cut must be 'released' or 'irreps', got 'both'"):
        panels(x, irreps, "both")


MOLECULES = {
    # SMILES: atoms, and neighbours other than hydrogen summed over all atoms: two for each bond of heavy atoms, one per hydrogen
    "CC": (8, 2 + 6),
    "C1=CC=CC=C1": (12, 12 + 6),
    "F/C=C/F": (6, 6 + 2),
    "CC(O)C(N)=O": (13, 10 + 7),
    "C#N": (3, 2 + 1),
}


@pytest.mark.parametrize("smiles", MOLECULES)
def test_the_unsanitised_score_counts_atoms_and_heavy_neighbours_and_nothing_else(smiles):
    terms = score_unsanitised([smiles]).iloc[0]
    assert (terms["stereo"], terms["heavy_neighbours"]) == MOLECULES[smiles]
    assert (terms["hybridisation"], terms["aromatic"]) == (0, 0)


def test_sanitised_molecules_have_the_terms_that_were_lost():
    benzene, alkene = score_unsanitised(["C1=CC=CC=C1", "F/C=C/F"], sanitise=True).to_dict("records")
    assert (benzene["hybridisation"], benzene["aromatic"]) == (6 * 2, 6)
    assert alkene["stereo"] == 6 + 2, "one more for each atom of the double bond"


def test_a_text_that_is_no_molecule_is_named():
    with pytest.raises(ValueError, match="not a SMILES that RDKit can read: 'C1CC'"):
        score_unsanitised(["CC", "C1CC"])


def test_a_test_set_drawn_again_was_mostly_trained_on():
    """Against the hypergeometric distribution, whose moments are computed here from its definition for a small data set."""
    train, test = 16, 2
    chances = [comb(train, found) * comb(20 - train, test - found) / comb(20, test) for found in range(test + 1)]
    mean = sum(found * chance for found, chance in enumerate(chances))
    variance = sum((found - mean) ** 2 * chance for found, chance in enumerate(chances))
    assert redrawn_expected(20) == pytest.approx((mean / test, variance**0.5 / test))
    shares = np.array([redrawn_split(20, seeds=(2 * draw, 2 * draw + 1)) for draw in range(2000)])
    assert shares.sum(axis=1) == pytest.approx(1)
    assert shares.mean(axis=0) == pytest.approx([0.8, 0.1, 0.1], abs=0.03)
    assert shares[:, 0].std() == pytest.approx(variance**0.5 / test, rel=0.1)


def test_the_same_seed_draws_the_same_test_set():
    assert redrawn_split(1000, seeds=(3, 3)) == (0, 0, 1)
    assert redrawn_split(130_831).train == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("implementation", ["e3nn", "fast"])
@pytest.mark.parametrize(("ls", "dead_paths"), [((0, 1, 2), 8), ((0, 3, 4), 8)], ids=str)
def test_paths_above_0_of_the_last_block_have_exactly_zero_gradient_and_no_others(ls, dead_paths, implementation, qm9):
    """e3nn's tensor product computes all outputs: autograd finds that nothing reads them."""
    config = RunConfig(ls=ls, mul=2, num_blocks=3)
    net = build_network(config, implementation, all_outputs=True).double()
    table = weight_gradients(net.float(), qm9.rows([69, 288, 1234]))
    dead = (table["block"] == config.num_blocks) & (table["l3"] > 0)
    assert dead.sum() == dead_paths
    assert (table.loc[dead, "zero_fraction"] == 1).all()
    assert (table.loc[~dead, "grad_norm"] > 0).all()


@pytest.mark.parametrize("ls", [(0, 1, 2), (0, 3, 4)], ids=str)
def test_mirror_images_have_one_energy_and_the_same_lengths(ls, qm9):
    """Lactamide has one chiral centre; its mirror image is another molecule."""
    net = build_network(RunConfig(ls=ls, mul=4)).double()
    batch = qm9.batch(qm9.rows([288])).to(dtype=torch.float64)
    mirrored = batch.rotated(torch.diag(torch.tensor([1.0, 1.0, -1.0])))
    torch.testing.assert_close(net(mirrored), net(batch), rtol=1e-12, atol=1e-9)
    for layer, image in zip(net.features(batch), net.features(mirrored), strict=True):
        assert all(block.ir.p == (-1) ** block.ir.l for block in o3.Irreps(layer.irreps))
        parts, images = (split_irreps(x.detach(), layer.irreps) for x in (layer.x, image.x))
        for irrep, part in parts.items():
            power = part @ part.transpose(-1, -2)
            torch.testing.assert_close(images[irrep] @ images[irrep].transpose(-1, -2), power, rtol=1e-9, atol=1e-9)
