"""Which molecules are fitted, watched and tested, and in which order: draws that depend on nothing but their own seeds."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from equinotes.support.errors import UserError

_SPLITS, _ORDERS = 1, 2
"""Streams of random numbers: the same seed means different draws in different streams."""


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of QM9 to fit, to watch while fitting, and to test on; no row stands in two of them."""

    train: Int[np.ndarray, " train"]
    val: Int[np.ndarray, " val"]
    test: Int[np.ndarray, " test"]


def draw_split(qm9: Sized | int, *, num_train: int, num_val: int, num_test: int, split_seed: int) -> Split:
    """Draw disjoint sets of rows at random, in a way that lets runs of different sizes be compared.

    One random order of all molecules gives a slot of a tenth to the test set, one to the validation set, and the rest to the
    training set. Each set is the beginning of its slot: a smaller set is the beginning of a larger one, and no size changes
    another set. Only a set that outgrows its slot takes what others leave; even then the training size changes no other set.

    Raises ValueError where more molecules are asked for than there are.

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
    """Cut the rows into batches in a random order that depends on seed and epoch alone; the last batch may be smaller."""
    if batch_size < 1:
        raise UserError(f"batch_size must be at least 1, got {batch_size}")
    order = rows[_random_order(len(rows), _ORDERS, seed, epoch)]
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))


def _random_order(count: int, *key: int) -> Int[np.ndarray, " count"]:
    """A random permutation that only the key decides.

    It sorts raw draws, which numpy promises never to change; `Generator.permutation` comes without that promise (NEP 19).
    """
    return np.argsort(np.random.PCG64(np.random.SeedSequence(key)).random_raw(count), kind="stable")
