"""Edits do what they say and no more; intervals cover what they should; a planted use of an order is found."""

import numpy as np
import pytest
import torch

from equinotes.analysis.ablation import MODES, edit_of, inference_ablation, paired_changes, paired_interval

RNG = np.random.default_rng


@pytest.fixture(params=["array", "tensor"])
def part(request):
    values = RNG(0).normal(size=(500, 4, 3)).astype(np.float32)
    return values if request.param == "array" else torch.from_numpy(values)


def test_edits_keep_type_shape_and_precision(part):
    for edit in MODES.values():
        changed = edit(part, RNG(0))
        assert type(changed) is type(part) and changed.dtype == part.dtype and changed.shape == part.shape


def test_shuffling_moves_whole_atoms_and_loses_none(part):
    before, after = np.asarray(part), np.asarray(MODES["shuffle"](part, RNG(0)))
    assert not np.array_equal(after, before)
    rows = {row.tobytes() for row in before}
    assert {row.tobytes() for row in after} == rows and len(rows) == len(before)


def test_random_directions_keep_every_channels_norm_and_point_anywhere(part):
    before, after = np.asarray(part), np.asarray(MODES["direction"](part, RNG(0)))
    np.testing.assert_allclose(np.linalg.norm(after, axis=-1), np.linalg.norm(before, axis=-1), rtol=1e-5)
    units = (after / np.linalg.norm(after, axis=-1, keepdims=True)).reshape(-1, 3)
    # 2000 uniform directions: mean 0 and mean square 1/3 per component, with standard errors .013 and .007
    np.testing.assert_allclose(units.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose((units**2).mean(axis=0), 1 / 3, atol=0.03)


def test_zero_stays_zero_under_random_directions():
    assert not MODES["direction"](torch.zeros(5, 2, 3), RNG(0)).any()


def test_gradients_flow_through_edits():
    part = torch.ones(6, 2, 3, requires_grad=True)
    MODES["direction"](part, RNG(0)).square().sum().backward()
    torch.testing.assert_close(part.grad, torch.full((6, 2, 3), 2.0))  # sum of squared norms, whatever the directions


def test_an_edit_touches_one_irrep_of_one_block():
    parts = {"0e": np.ones((4, 2, 1)), "1o": np.ones((4, 2, 3))}
    edit = edit_of("zero", 2, "1o")
    assert edit(1, parts) is parts
    changed = edit(2, parts)
    assert changed["0e"] is parts["0e"] and not changed["1o"].any() and parts["1o"].all()


def test_unknown_modes_and_missing_irreps_are_named():
    with pytest.raises(ValueError, match="mode must be one of 'zero', 'shuffle', 'direction', got 'drop'"):
        edit_of("drop", 1, "0e")
    with pytest.raises(ValueError, match="block 1 has no 2e, it has 0e, 1o"):
        edit_of("zero", 1, "2e")(1, {"0e": np.ones((1, 1, 1)), "1o": np.ones((1, 1, 3))})


def toy_network(blocks=2):
    """Predictions of a network that reads l=0 after both blocks, the norms of l=1 after block 1, and never l=2."""
    rng = RNG(1)
    stream = {
        k: {"0e": rng.normal(size=(80, 2, 1)), "1o": rng.normal(size=(80, 2, 3)), "2e": rng.normal(size=(80, 2, 5))}
        for k in (1, 2)
    }

    def predict(edit=lambda block, parts: parts):
        first, second = edit(1, stream[1]), edit(2, stream[2])
        return first["0e"].sum((1, 2)) + second["0e"].sum((1, 2)) + np.linalg.norm(first["1o"], axis=-1).sum(-1)

    return predict


def test_what_is_used_and_what_is_not_is_found():
    predict = toy_network()
    table = inference_ablation(predict, predict(), irreps=["0e", "1o", "2e"], layers=[1, 2], repeats=2)
    change = table.set_index(["layer", "irrep", "mode"])["delta_mae_eV"]
    used = {
        (1, "0e", "zero"),
        (1, "0e", "shuffle"),
        (2, "0e", "zero"),
        (2, "0e", "shuffle"),
        (1, "1o", "zero"),
        (1, "1o", "shuffle"),
    }
    assert set(change.index[change > 0.1]) == used
    # norms are all that is read of l=1, so that directions do not matter; the rest is not read at all
    assert change.drop(list(used)).abs().max() < 1e-12
    assert "0e" not in table.loc[table["mode"] == "direction", "irrep"].tolist()


def test_changes_are_measured_from_the_whole_networks_error_and_lie_in_their_interval():
    predict = toy_network()
    targets = predict() + RNG(2).normal(size=80)
    table = inference_ablation(predict, targets, irreps=["0e"], layers=[1], repeats=3, unit="bohr3")
    whole = np.abs(predict() - targets).mean()
    np.testing.assert_allclose(table["mae_bohr3"] - table["delta_mae_bohr3"], whole)
    assert (table["low_bohr3"] < table["delta_mae_bohr3"]).all() and (table["delta_mae_bohr3"] < table["high_bohr3"]).all()
    spread = table.set_index("mode")["repeat_sd_bohr3"]
    assert spread["shuffle"] > 0 and table.set_index("mode")["draws"].to_dict() == {"zero": 1, "shuffle": 3}
    assert np.isnan(spread["zero"])


def test_one_draw_has_no_spread():
    predict = toy_network()
    table = inference_ablation(predict, predict(), irreps=["1o"], layers=[1], repeats=1)
    assert table["repeat_sd_eV"].isna().all() and (table["draws"] == 1).all()


def coverage(draw, trials=300):
    """Share of intervals that hold the true mean 0."""
    intervals = [paired_interval(draw(RNG(trial)), resamples=400, seed=trial) for trial in range(trials)]
    return np.mean([low <= 0 <= high for _, low, high in intervals])


def test_intervals_over_molecules_hold_the_truth_as_often_as_they_say():
    assert coverage(lambda rng: rng.exponential(size=100) - 1) == pytest.approx(0.95, abs=0.04)


def test_intervals_over_seeds_know_that_other_seeds_differ():
    def seeds_and_molecules(rng):
        return rng.normal(size=(10, 1)) + rng.normal(size=(1, 60)) + rng.normal(size=(10, 60))

    assert coverage(seeds_and_molecules) > 0.88
    assert coverage(lambda rng: seeds_and_molecules(rng).mean(axis=0)) < 0.8  # molecules alone promise too much


def test_the_interval_is_that_of_the_mean_and_the_same_each_time():
    differences = RNG(0).normal(loc=2.0, scale=3.0, size=1000)
    mean, low, high = paired_interval(differences)
    assert mean == pytest.approx(differences.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * 3 / np.sqrt(1000), rel=0.1)
    assert paired_interval(differences) == (mean, low, high)


def test_a_change_is_clear_only_where_the_interval_and_the_seeds_say_so():
    rng = RNG(0)
    noise = rng.normal(size=(3, 400))
    pairs = {
        "planted": noise + 1,
        "null": noise - noise.mean(),
        "one seed against two": noise + np.array([[3.0], [3.0], [-0.5]]),
        "a single seed": noise[:1] + 1,
    }
    table = paired_changes(pairs).set_index("name")
    assert table["clear"].to_dict() == {"planted": True, "null": False, "one seed against two": False, "a single seed": False}
    assert table.loc["planted", "mean_eV"] == pytest.approx(1 + noise.mean())
