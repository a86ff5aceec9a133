"""The regression of the comparison, on made-up columns and a few real molecules."""

import numpy as np
import pytest

from equinotes.comparison import rows as rules
from equinotes.comparison.confusions import PAIRS, ROUNDING, SAME_ANGLES, TETRAHEDRON, difference
from equinotes.comparison.measure import measure, split_of
from equinotes.comparison.regression import fit
from equinotes.comparison.rows import ROWS
from equinotes.comparison.store import load, run


def made_up(width, noise=0.0):
    rng = np.random.default_rng(0)
    counts, x = rng.integers(1, 9, (400, 3)).astype(float), rng.normal(size=(400, width))
    y = counts @ [-1.0, -2.0, -3.0] + 0.1 * x @ np.arange(width) + noise * rng.normal(size=400)
    return counts, x, y


def test_a_linear_world_is_recovered():
    counts, x, y = made_up(6)
    model = fit(counts[:300], x[:300], y[:300], 60, 100)
    np.testing.assert_allclose(model(counts[300:], x[300:]), y[300:], atol=1e-6)


def test_columns_beyond_the_limit_become_random_combinations():
    counts, x, y = made_up(40)
    model = fit(counts, x, y, 60, 10)
    assert model.mixing.shape == (40, 10) and len(model.coefficients) == 10


def test_constant_columns_say_nothing():
    counts, x, y = made_up(6, 0.1)
    more = np.concatenate([x, np.ones((len(x), 1)), np.zeros((len(x), 1))], axis=1)
    one, other = fit(counts[:300], x[:300], y[:300], 60, 100), fit(counts[:300], more[:300], y[:300], 60, 100)
    np.testing.assert_allclose(one(counts, x), other(counts, more), atol=1e-10)


def test_the_penalty_is_chosen_on_molecules_that_are_not_fitted():
    counts, x, _ = made_up(300)
    y = np.random.default_rng(1).normal(size=len(x))
    model = fit(counts[:350], x[:350], y[:350], 50, 400)
    assert model.penalty > 1e-3, "with as many columns as molecules, fitting the noise exactly is wrong"


def test_molecules_of_test_and_fit_are_apart_and_each_seed_draws_its_own():
    for seed in rules.SEEDS:
        fitted, test = split_of(seed, rules.MOLECULES)
        assert len(fitted) == rules.TRAIN + rules.VALIDATION and not set(fitted) & set(test)
    assert not np.array_equal(split_of(0, 1800)[1], split_of(1, 1800)[1])


@pytest.mark.parametrize(
    ("name", "blind", "sees"),
    [
        ("l0", ["bend", "square", "twist 3"], []),
        ("vectors", ["square", "twist 3"], ["bend"]),
        ("l2", ["twist 3", "same angles"], ["square"]),
        ("cartesian", ["twist 3", "same angles"], ["square"]),
        ("harmonics", ["twist 5", "same angles"], ["twist 3"]),
        ("l6", ["same angles"], ["twist 5"]),
        ("legendre", ["twist 5", "same angles"], ["twist 3"]),
    ],
)
def test_what_a_basis_sees_of_the_pairs(name, blind, sees):
    assert max(difference(name, pair) for pair in [*blind, "turned"]) < ROUNDING
    assert min([difference(name, pair) for pair in sees], default=1) > 1e-3


@pytest.mark.parametrize("name", ["tetrahedron", "octahedron", "random24"])
def test_a_mean_over_few_rotations_takes_a_turned_set_for_another(name):
    assert difference(name, "turned") > 1e-4
    assert difference("all_rotations", "turned") < ROUNDING


def test_the_pairs_are_what_they_are_called():
    angles = [np.sort((one @ one.T)[np.triu_indices(4, 1)]) for one in SAME_ANGLES]
    np.testing.assert_allclose(*angles, atol=1e-14)
    gaps = [np.sort(np.diff(np.append(np.sort(np.arctan2(o[:, 2], o[:, 0]) % (2 * np.pi)), 2 * np.pi))) for o in SAME_ANGLES]
    assert np.abs(gaps[0] - gaps[1]).max() > 0.5, "neighbours along the circle stand otherwise: not congruent"
    assert set(PAIRS) >= {"bend", "square", "same angles", "torsion", "turned"}
    np.testing.assert_allclose(TETRAHEDRON.sum(0), 0, atol=1e-14)


def test_a_row_is_measured_stored_and_replaced(qm9, tmp_path):
    run("l2", tmp_path, size=300, progress=False)
    new = run("cartesian", tmp_path, size=300, progress=False)
    run("l2", tmp_path, size=300, progress=False)
    tables = load(tmp_path)
    errors = tables["errors"]
    assert errors["basis"].tolist() == 3 * ["l2"] + 3 * ["cartesian"]
    assert (errors["mae_eV"] > 0).all() and (errors["columns"] == 180).all()
    one, other = (errors[errors["basis"] == name]["mae_eV"].to_numpy() for name in ("l2", "cartesian"))
    np.testing.assert_allclose(one, other, rtol=1e-6)
    assert len(new["costs"]) == rules.PAIRED_ROUNDS and set(new["confusions"]["pair"]) == set(PAIRS)


def test_angles_help(qm9):
    rows = [measure(name, qm9, size=900, progress=False)["errors"]["mae_eV"].mean() for name in ("l0", "l2")]
    assert rows[1] < rows[0]


def test_every_row_has_a_label_of_its_own():
    assert len({row.label for row in ROWS.values()}) == len(ROWS)
