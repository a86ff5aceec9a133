"""Splits and orders depend on their own seeds and on nothing else."""

import numpy as np
import pytest
import torch

from equinotes.config import RunConfig
from equinotes.data.splits import draw_split, shuffled_batches

QM9 = 130_831
SIZES = {"num_train": 1000, "num_val": 200, "num_test": 300}


def draw(count=QM9, split_seed=0, **sizes):
    return draw_split(count, split_seed=split_seed, **(SIZES | sizes))


def rows(split) -> np.ndarray:
    return np.concatenate([split.train, split.val, split.test])


@pytest.mark.parametrize("count", [QM9, 3000, 1501, 1500])
def test_sets_are_disjoint_and_as_large_as_asked_for(count):
    split = draw(count)
    assert [len(part) for part in (split.train, split.val, split.test)] == [1000, 200, 300]
    assert len(np.unique(rows(split))) == 1500 and rows(split).min() >= 0 and rows(split).max() < count


def test_the_papers_split_uses_every_molecule_once(qm9):
    config = RunConfig.preset("paper")
    split = draw_split(qm9, num_train=config.num_train, num_val=config.num_val, num_test=config.num_test, split_seed=0)
    assert np.array_equal(np.sort(rows(split)), np.arange(len(qm9)))


@pytest.mark.parametrize("size", ["num_train", "num_val", "num_test"])
def test_a_smaller_set_begins_a_larger_one_and_changes_no_other(size):
    part = size.removeprefix("num_")
    small, large = draw(), draw(**{size: 13_000})
    for other in ("train", "val", "test"):
        a, b = getattr(small, other), getattr(large, other)
        np.testing.assert_array_equal(a, b[: len(a)])
        assert len(a) == len(b) or other == part


@pytest.mark.parametrize("sizes", [(700, 200, 100), (100, 800, 100), (100, 100, 800), (1, 998, 1), (0, 0, 1000), (1000, 0, 0)])
def test_any_sizes_that_fit_are_served_and_the_training_size_changes_no_other_set(sizes):
    num_train, num_val, num_test = sizes
    split = draw(1000, num_train=num_train, num_val=num_val, num_test=num_test)
    assert np.array_equal(np.sort(rows(split)), np.arange(1000))
    fewer = draw(1000, num_train=num_train // 2, num_val=num_val, num_test=num_test)
    np.testing.assert_array_equal(fewer.val, split.val)
    np.testing.assert_array_equal(fewer.test, split.test)
    np.testing.assert_array_equal(fewer.train, split.train[: num_train // 2])


def test_other_random_draws_change_nothing():
    before = rows(draw())
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    np.testing.assert_array_equal(rows(draw()), before)
    assert np.random.get_state()[1][0] == 1  # noqa: NPY002  and the draw changed no other


def test_splits_of_different_seeds_overlap_by_chance_alone():
    a, b = draw(num_test=13_083).test, draw(split_seed=1, num_test=13_083).test
    share = len(np.intersect1d(a, b)) / len(a)
    assert share == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / 13_083))


def test_the_draw_is_the_same_for_ever():
    """Stored runs hold their split, but a rerun must draw it again: these rows may never change."""
    split = draw()
    assert split.train[:4].tolist() == [94354, 82685, 106918, 46896]
    assert split.val[:4].tolist() == [73616, 8654, 108676, 59344]
    assert split.test[:4].tolist() == [98885, 94206, 13390, 116769]


def test_more_molecules_than_there_are_is_refused(qm9):
    with pytest.raises(ValueError, match=r"there are 130831 molecules, .* asks for 130832"):
        draw_split(qm9, num_train=130_332, num_val=200, num_test=300, split_seed=0)
    with pytest.raises(ValueError, match="must not be negative"):
        draw(num_val=-1)


def test_an_epoch_visits_every_row_once_and_the_last_batch_may_be_smaller():
    some = np.arange(100, 203)
    batches = list(shuffled_batches(some, 32, seed=0, epoch=0))
    assert [len(batch) for batch in batches] == [32, 32, 32, 7]
    assert np.array_equal(np.sort(np.concatenate(batches)), some)
    assert not np.array_equal(np.concatenate(batches), some)


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return np.concatenate(list(shuffled_batches(np.arange(500), 32, seed=seed, epoch=epoch))).tolist()

    assert order(0, 1) == order(0, 1)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_needs_a_molecule(batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {batch_size}"):
        list(shuffled_batches(np.arange(5), batch_size, seed=0, epoch=0))
