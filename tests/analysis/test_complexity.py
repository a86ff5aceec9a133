"""The spacial score against published values; planted dependence is found, absent dependence is not."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from equinotes.analysis.complexity import (
    complexity_structure,
    describe,
    distance_correlation,
    movable,
    nsps,
    partial_spearman,
    permutation_null,
    permute_within,
    spearman,
)


def test_the_score_counts_hybridisation_stereo_rings_and_neighbours():
    # by hand from h * s * r * n^2 (Krzyzanowski et al. 2023): hybridisation sp 1, sp2 2, sp3 3, otherwise 4; stereogenic 2;
    # ring atoms 2 unless aromatic; n heavy neighbours; divided by the number of heavy atoms
    expected = {
        "C": 0.0,
        "CC": (3 + 3) / 2,
        "C=C": (2 + 2) / 2,
        "C#N": (1 + 1) / 2,
        "C1CC1": 3 * 3 * 2 * 4 / 3,
        "c1ccccc1": 6 * 2 * 1 * 4 / 6,
        "C[C@H](O)N": (3 + 3 * 2 * 9 + 3 + 3) / 4,
    }
    np.testing.assert_allclose(nsps(list(expected)), list(expected.values()))


def test_aromatic_rings_are_seen_only_on_sanitised_molecules():
    kekule, aromatic = nsps(["C1=CC=CC=C1", "c1ccccc1"])
    assert kekule == aromatic


def test_processes_give_the_same_scores_in_the_same_order(monkeypatch):
    monkeypatch.setattr("equinotes.analysis.complexity.CHUNK", 10)
    smiles = ["C" * n for n in range(1, 43)]
    np.testing.assert_array_equal(nsps(smiles, workers=2), nsps(smiles, workers=1))


def test_formula_and_size_count_hydrogens_that_smiles_leave_out():
    assert describe(["O", "C[NH3+]", "FC(F)F"]).to_dict("list") == {
        "formula": ["H2O", "CH6N+", "CHF3"],
        "atoms": [3, 8, 5],
        "heavy_atoms": [1, 2, 4],
    }


def test_an_unreadable_smiles_is_named():
    with pytest.raises(ValueError, match="not a SMILES that RDKit can read: 'C1CC'"):
        nsps(["CC", "C1CC"])
    with pytest.raises(ValueError, match="''"):
        describe([""])


def gaussian_pair(rho, n, seed=0):
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * noise


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.9])
def test_distance_correlation_of_normal_variables_follows_the_closed_form(rho):
    # Szekely, Rizzo & Bakirov 2007, theorem 7
    square = rho * np.arcsin(rho) + np.sqrt(1 - rho**2) - rho * np.arcsin(rho / 2) - np.sqrt(4 - rho**2) + 1
    expected = np.sqrt(square / (1 + np.pi / 3 - np.sqrt(3)))
    assert distance_correlation(*gaussian_pair(rho, 2000)) == pytest.approx(expected, abs=0.04)


def test_distance_correlation_is_one_for_a_moved_copy_and_sees_what_ranks_do_not():
    x = np.random.default_rng(0).normal(size=(100, 3))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    assert distance_correlation(x, 2 * x @ turn + 1) == pytest.approx(1)
    line = np.linspace(-1, 1, 201)
    assert abs(spearman(line, line**2)) < 0.01
    assert distance_correlation(line, line**2) > 0.4
    assert distance_correlation(x, np.ones(100)) == 0


def test_rank_correlation_is_scipys_with_ties_too():
    x, y = np.random.default_rng(0).integers(8, size=(2, 60))
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert spearman(x, np.zeros(60)) == 0


def test_partial_correlation_forgets_what_size_explains_and_keeps_the_rest():
    rng = np.random.default_rng(0)
    size, x_noise, y_noise, shared = rng.normal(size=(4, 3000))
    assert spearman(size + x_noise, size + y_noise) > 0.4
    assert abs(partial_spearman(size + x_noise, size + y_noise, size)) < 0.05
    # all jointly normal: partial correlation 1/2 by construction, and the rank correlation of rho is 6/pi asin(rho/2)
    found = partial_spearman(size + x_noise + shared, size + y_noise + shared, size)
    assert found == pytest.approx(6 / np.pi * np.arcsin(1 / 4), abs=0.06)
    assert partial_spearman(size, size, size) == 0


def test_permutations_stay_within_their_groups_and_reach_every_order():
    groups = np.array(["CH4", "C2H6", "CH4", "H2O", "C2H6", "CH4"])
    rng = np.random.default_rng(0)
    orders = np.array([permute_within(groups, rng) for _ in range(600)])
    assert (groups[orders] == groups).all()
    assert len(np.unique(orders, axis=0)) == 6 * 2
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert counts.min() > 25  # 50 expected
    assert movable(groups).tolist() == [True, True, True, False, True, True]


def planted(n=240, seed=0):
    """Features whose first column is the score, beside noise, and molecules of twelve formulas and three sizes."""
    rng = np.random.default_rng(seed)
    formula = rng.integers(12, size=n)
    score = formula % 3 + rng.normal(size=n)
    return rng.normal(size=(n, 6)), score, formula, formula % 3


def test_planted_order_is_found():
    x, score, formula, size = planted()
    x[:, 0] += 4 * score
    table = complexity_structure(x, score, size=size, formula=formula, permutations=99).set_index("measure")
    assert (table["p"] == 0.01).all()
    assert (table["value"] > table["null_high"] + 0.1).all()


def test_what_only_the_formula_explains_is_not_found():
    x, score, formula, size = planted()
    x[:, :3] += 5 * np.eye(3)[formula % 3]
    table = complexity_structure(x, score, size=size, formula=formula, permutations=99).set_index("measure")
    assert table.loc["neighbours", "value"] > 0.3  # a correlation without a null would have been believed
    assert (table["p"] > 0.05).all()


def test_measures_can_be_asked_for_one_by_one():
    x, score, formula, size = planted(60)
    given = {"size": size, "formula": formula, "permutations": 9}
    whole = complexity_structure(x, score, **given)
    for measure in whole["measure"]:
        alone = complexity_structure(x, score, **given, measures=(measure,))
        np.testing.assert_array_equal(alone.to_numpy(), whole[whole["measure"] == measure].to_numpy())
    with pytest.raises(ValueError, match=r"measures must be among 'neighbours', .*, got 'distances'"):
        complexity_structure(x, score, **given, measures=("distances",))


def test_distance_measure_is_the_distance_correlation():
    x, score, formula, size = planted(60)
    table = complexity_structure(x, score, size=size, formula=formula, permutations=9, measures=("distance",))
    assert table["value"][0] == pytest.approx(distance_correlation(x, score))


def test_p_values_of_a_null_are_spread_evenly():
    def p_value(seed):
        x, score, formula, _ = planted(60, seed)
        null = permutation_null(lambda order: float(score[order] @ x[:, 0]), formula, permutations=39, seed=seed)
        return (1 + (null >= score @ x[:, 0]).sum()) / 40

    p = np.array([p_value(seed) for seed in range(200)])
    assert (p <= 0.1).mean() == pytest.approx(0.1, abs=0.07)
    assert p.mean() == pytest.approx(0.5, abs=0.09)
