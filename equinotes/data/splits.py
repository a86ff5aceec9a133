"""Train, validation and test splits and the order of batches: random draws determined by their seeds alone."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from equinotes.support.errors import UserError

_SPLITS, _ORDERS = 1, 2
"""Random streams: the same seed gives different draws in different streams."""


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint rows of QM9 for training, validation and testing."""

    train: Int[np.ndarray, " train"]
    val: Int[np.ndarray, " val"]
    test: Int[np.ndarray, " test"]


def draw_split(qm9: Sized | int, *, num_train: int, num_val: int, num_test: int, split_seed: int) -> Split:
    """Draw disjoint random sets of rows such that runs of different sizes can be compared.

    A random permutation of all molecules is cut into slots: a tenth for testing, a tenth for validation, the rest for training.
    Each set is a prefix of its slot, so a smaller set is a prefix of a larger one, and sizes do not affect other sets. A set
    larger than its slot takes what the others leave; even then the training size affects no other set.

    Raises ValueError if the sizes add up to more than there are molecules.

    >>> small, large = (draw_split(100, num_train=n, num_val=10, num_test=10, split_seed=0) for n in (5, 80))
    >>> np.array_equal(small.train, large.train[:5]), np.array_equal(small.test, large.test)
    (True, True)
    """
    count = qm9 if isinstance(qm9, int) else len(qm9)
    sizes = num_train, num_val, num_test
    if min(sizes) < 0:
        raise UserError(f"sizes of a split must not be negative, got {num_train}, {num_val}, {num_test}")
    if sum(sizes) > count:
        raise UserError(f"there are {count} molecules, num_train + num_val + num_test asks for {sum(sizes)}")
    test, val, train = np.split(_random_order(count, _SPLITS, split_seed), [count // 10, 2 * (count // 10)])
    free = np.ones(count, bool)

    def take(size: int, *preferred: Int[np.ndarray, " _"]) -> Int[np.ndarray, " _"]:
        rows = np.concatenate(preferred)
        rows = rows[free[rows]][:size]
        free[rows] = False
        return rows

    test_rows = take(num_test, test, train[::-1], val[::-1])
    val_rows = take(num_val, val, train[::-1], test[::-1])
    return Split(train=take(num_train, train, val[::-1], test[::-1]), val=val_rows, test=test_rows)


def shuffled_batches(
    rows: Int[np.ndarray, " rows"], batch_size: int, seed: int, epoch: int
) -> Iterator[Int[np.ndarray, " batch"]]:
    """Batches of the rows in a random order determined by seed and epoch; the last batch may be smaller."""
    if batch_size < 1:
        raise UserError(f"batch_size must be at least 1, got {batch_size}")
    order = rows[_random_order(len(rows), _ORDERS, seed, epoch)]
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))


def _random_order(count: int, *key: int) -> Int[np.ndarray, " count"]:
    """A random permutation determined by the key.

    Sorts raw draws, which numpy guarantees to be stable across versions, unlike `Generator.permutation` (NEP 19).
    """
    return np.argsort(np.random.PCG64(np.random.SeedSequence(key)).random_raw(count), kind="stable")
