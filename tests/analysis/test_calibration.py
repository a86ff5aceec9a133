"""Calibrated damage counts what only the features carry: no offset, no element, nothing that an untrained trunk loses as well."""

import numpy as np
import pandas as pd
import pytest
import torch

from equinotes.analysis.calibration import (
    above_untrained,
    calibrated_damage,
    conditional_shuffle,
    environments,
    fitted_readout,
    recalibrated,
    share_of_spread,
)

RNG = np.random.default_rng
MOLECULES, ATOMS = 400, 6


@pytest.fixture
def made():
    """Molecules of two elements whose energy is a sum over atoms: by element, and by a feature within an element."""
    rng = RNG(0)
    elements = rng.choice([1, 6], size=MOLECULES * ATOMS)
    molecule = np.repeat(np.arange(MOLECULES), ATOMS)
    parts = {
        "0e": np.stack([elements, rng.normal(size=len(elements))], 1)[..., None],
        "1o": rng.normal(size=(len(elements), 2, 3)),
    }

    def energy(parts, weight):
        norms = np.linalg.norm(parts["1o"][:, 0], axis=-1)
        atoms = 10.0 * parts["0e"][:, 0, 0] + parts["0e"][:, 1, 0] + weight * norms
        return np.bincount(molecule, atoms)

    design = np.stack([np.bincount(molecule, elements == z) for z in (1, 6)], axis=1).astype(float)
    noise = 0.1 * rng.normal(size=MOLECULES)
    return elements, parts, energy, design, noise


def damage_of(made, weight, irreps=("0e", "1o")):
    elements, parts, energy, design, noise = made

    def predict(edit=None):
        return energy(parts if edit is None else edit(1, parts), weight)

    groups, fitted = environments(elements, np.ones_like(elements)), np.arange(MOLECULES) < MOLECULES // 2
    return calibrated_damage(predict, energy(parts, weight) + noise, design, fitted, groups, layer=1, irreps=irreps)


def test_shuffles_stay_within_element_and_neighbours():
    rng = RNG(1)
    elements, neighbours = rng.choice([1, 6, 8], size=300), rng.choice([1, 2, 4], size=300)
    elements[0], neighbours[0] = 9, 1  # alone of its kind
    groups = environments(elements, neighbours)
    parts = {"0e": np.stack([elements, neighbours, np.arange(300)], 1)[..., None], "1o": np.zeros((300, 3, 3))}
    edit = conditional_shuffle(2, "0e", groups, seed=3)
    changed = edit(2, parts)
    np.testing.assert_array_equal(changed["0e"][:, :2], parts["0e"][:, :2])
    moved = changed["0e"][:, 2, 0]
    assert moved[0] == 0 and sorted(moved) == list(range(300)) and (moved != np.arange(300)).mean() > 0.8
    assert changed["1o"] is parts["1o"] and edit(1, parts) is parts
    tensors = {ir: torch.from_numpy(part) for ir, part in parts.items()}
    np.testing.assert_array_equal(edit(2, tensors)["0e"].numpy(), changed["0e"])


def test_shuffles_name_what_does_not_fit():
    with pytest.raises(ValueError, match="layer 1 has no 2e, it has 0e"):
        conditional_shuffle(1, "2e", np.zeros(3, np.int64))(1, {"0e": np.zeros((3, 1, 1))})
    with pytest.raises(ValueError, match="of 3 atoms, the features of 4: predict in one batch"):
        conditional_shuffle(1, "0e", np.zeros(3, np.int64))(1, {"0e": np.zeros((4, 1, 1))})


def test_recalibration_removes_what_composition_explains_and_nothing_else():
    rng = RNG(2)
    counts, rest = rng.integers(0, 9, size=(300, 3)).astype(float), rng.normal(size=300)
    fitted = np.arange(300) < 200
    target = counts @ [1.0, -2.0, 3.0] + rest
    np.testing.assert_allclose(recalibrated(rest + 7 + counts @ [5.0, 5, 5], target, counts, fitted), target[200:])
    np.testing.assert_allclose(recalibrated(np.zeros(300), target, counts, fitted) - target[200:], -rest[200:], atol=0.5)
    alike = np.concatenate([counts, counts[:, :1], np.zeros((300, 1))], axis=1)  # alike and empty columns
    np.testing.assert_allclose(recalibrated(rest, target, alike, fitted), target[200:])


def test_an_offset_is_no_damage(made):
    elements, parts, energy, design, noise = made
    fitted = np.arange(MOLECULES) < MOLECULES // 2

    def predict(edit=None):
        return energy(parts, 0.0) + (0.0 if edit is None else 100.0)

    target = energy(parts, 0.0) + noise
    table = calibrated_damage(predict, target, design, fitted, np.zeros(len(elements), np.int64), layer=1, irreps=["1o"], draws=2)
    np.testing.assert_allclose(table["damage"], 0, atol=1e-9)


def test_unused_features_cost_nothing_and_used_ones_what_they_explain(made):
    unused = damage_of(made, 0.0).groupby("irrep")["damage"].mean()
    assert unused["1o"] == 0 and unused["0e"] > 2  # what is within an element is lost: 2.4 against 0.1 eV
    used = damage_of(made, 1.0, irreps=["1o"])
    assert used["draw"].tolist() == list(range(10)) and (used["damage"] > 1).all() and used["damage"].nunique() == 10
    np.testing.assert_allclose(used["damage"], np.log(used["mae_eV"] / used["whole_mae_eV"]))


def test_only_what_training_adds_counts():
    rows = [
        {"ls": [0, 1], "mul": 4, "seed": seed, "trained": trained, "layer": 1, "irrep": "1o", "damage": damage + draw}
        for seed in (0, 1) for trained, damage in ((True, 0.5), (False, 0.2)) for draw in (0, 1)
        if not (seed == 1 and not trained)
    ]  # fmt: skip
    table = above_untrained(pd.DataFrame(rows))
    assert table["seed"].tolist() == [0], "a network without its twin says nothing"
    np.testing.assert_allclose(table[["damage", "untrained", "excess"]], [[1.0, 0.7, 0.3]])


def test_fitted_readouts_find_a_linear_truth():
    x = RNG(3).normal(5, [1, 20, 0.1], size=(500, 3))
    weights, constant = fitted_readout(x, x @ [1.0, -2.0, 30.0] + 4)
    np.testing.assert_allclose(weights, [1, -2, 30], rtol=1e-3)
    assert constant == pytest.approx(4, rel=0.05)


def test_share_of_spread_runs_from_nothing_to_everything():
    rng = RNG(4)
    design = rng.integers(0, 9, size=(600, 2)).astype(float)
    rest = rng.normal(size=600)
    whole, fitted, groups = design @ [1.0, 2.0] + rest, np.arange(600) < 300, np.arange(300) % 3
    none = share_of_spread(whole, whole + 5, design, fitted, groups)
    everything = share_of_spread(whole, design @ [1.0, 2.0], design, fitted, groups)
    half = share_of_spread(whole, design @ [1.0, 2.0] + rest / 2, design, fitted, groups)
    assert none.shape == (3,)
    np.testing.assert_allclose(none, 0, atol=1e-9)
    np.testing.assert_allclose(everything, 1, atol=0.25)
    np.testing.assert_allclose(half, everything / 2, rtol=0.01)
