"""What protocol 2 runs: experiments by name, each a list of configurations, and the ladder of scales.

Sizes follow from protocol 1 and from trials on orders 0, 1, 2 alone: 8,000 molecules for 8 epochs are 4,000 steps. The training
is the paper's (AdamW, constant rate); an exponential average of the weights watches, and errors are those of the average.
"""

from bisect import bisect_left
from functools import cache
from itertools import product

from equinotes.audit.reported import counted_parameters
from equinotes.config import RunConfig
from equinotes.support.errors import UserError

Orders = tuple[int, ...]
LOW, FOUR, SIX, WITHOUT = (0, 1, 2), (0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6), (0, 3, 4, 5, 6)
"""Orders 0-2, 0-4, 0-6, and 0-6 without 1 and 2."""
PAPER_SETS: tuple[tuple[Orders, int], ...] = (
    (LOW, 32), ((0, 1, 2, 4), 32), ((0, 1, 2, 6), 32), ((0, 1, 2, 8), 32), ((0, 1, 2, 10), 32),
    (FOUR, 16), (SIX, 16), ((0, 1, 2, 3, 4, 5, 6, 7, 8), 16), (WITHOUT, 16),
)  # fmt: skip
"""Orders and channels of the nine networks in the paper's table."""
ADDED = tuple((ls, mul) for ls, mul in PAPER_SETS if set(LOW) < set(ls))
"""Sets that add orders to 0, 1, 2 (C1)."""
SUBSTITUTES: tuple[Orders, ...] = (LOW, (0, 3, 4), (0, 5, 6))
"""Sets with equally many parameters, and no order above 0 in common (C5)."""
TOLERANCE = 0.05
"""Relative difference of the parameter counts that a matched control may have."""

COMMON = {"average": 0.999, "batch_size": 16, "lr": 3e-3, "num_val": 1000, "num_test": 2000}
SCALES: dict[str, dict] = {
    "500 steps": COMMON | {"num_train": 2000, "epochs": 4},
    "4,000 steps": COMMON | {"num_train": 8000, "epochs": 8},
    "16,000 steps": COMMON | {"num_train": 32000, "epochs": 8},
    "paper's settings": RunConfig.preset("paper", epochs=30, average=0.999).to_dict(),
}
"""The ladder, lowest rung first. The last: 98,130 steps, the paper's batches, rate and reference; 30 epochs, the paper's number
for 16 channels (for 32 channels it has 100, so that rows with 32 channels are compared at epoch 30)."""
FOOT, MAIN, UPPER, TOP = SCALES
PAPERS = RunConfig.from_dict(SCALES[TOP])
"""The paper's settings."""


def experiments() -> dict[str, list[RunConfig]]:
    """Configurations by experiment, the most important experiment first, seed by seed within one.

    - `table`: the paper's nine sets at 4,000 steps, 5 seeds (C1, C2, C3, C4);
    - `substitutes`: 0, 1, 2 and 0, 3, 4 and 0, 5, 6 at 16 channels, 5 seeds (C5, and the control of C1 at 16 channels);
    - `matched`: controls with as many parameters within 5% (C1, and beside C3), 5 seeds;
    - `retrain`: orders 0-4 without one order, 5 seeds, and 0-6 without one, 3 seeds (needed, or replaceable);
    - `ladder`: 0-4 and 0, 3-6, then 0-6 and 0-2, at 500 steps (5 seeds) and 16,000 (3); 4,000 steps stand in the table;
    - `full`: the paper's settings: 0-4 and 0, 3-6, then 0-6 and 0-2/32, then further seeds of them;
    - `scalars`: l = 0 alone, 3 seeds;
    - `mean`: the paper's reference at the ladder's scales, 0-4 and 0, 3-6, 3 seeds (where is the linear baseline left behind?).

    A run that was not made leaves the comparisons that need it open, with the reason.

    >>> {name: len(configs) for name, configs in experiments().items()}
    {'table': 45, 'substitutes': 15, 'matched': 30, 'retrain': 38, 'ladder': 32, 'full': 12, 'scalars': 6, 'mean': 18}
    """
    return {
        "table": [_run(MAIN, ls, mul, seed) for seed, (ls, mul) in product(range(5), PAPER_SETS)],
        "substitutes": [_run(MAIN, ls, 16, seed) for seed, ls in product(range(5), SUBSTITUTES)],
        "matched": [_run(MAIN, ls, mul, seed) for seed, (ls, mul) in product(range(5), matched_sets())],
        "retrain": [_run(MAIN, ls, 16, seed) for seed, ls in product(range(5), left_out(FOUR))]
        + [_run(MAIN, ls, 16, seed) for seed, ls in product(range(3), left_out(SIX))],
        "ladder": [
            _run(scale, ls, 16, seed)
            for pair, (scale, seeds) in product(((FOUR, WITHOUT), (SIX, LOW)), ((FOOT, 5), (UPPER, 3)))
            for seed, ls in product(range(seeds), pair)
        ],
        "full": [
            _run(TOP, ls, mul, seed)
            for seeds, pair in product(((0,), (1, 2)), (((FOUR, 16), (WITHOUT, 16)), ((SIX, 16), (LOW, 32))))
            for seed, (ls, mul) in product(seeds, pair)
        ],
        "scalars": [_run(MAIN, (0,), mul, seed) for seed, mul in product(range(3), (16, 32))],
        "mean": [
            _run(scale, ls, 16, seed).but(reference="mean")
            for scale, seed, ls in product((FOOT, MAIN, UPPER), range(3), (FOUR, WITHOUT))
        ],
    }


def subjects() -> list[RunConfig]:
    """Networks that are examined: those whose orders C2 to C5 speak about, at 4,000 and 16,000 steps, seed by seed."""
    return [
        _run(scale, ls, 16, seed)
        for scale, seeds in ((MAIN, 5), (UPPER, 3))
        for seed, ls in product(range(seeds), dict.fromkeys((FOUR, WITHOUT, *SUBSTITUTES, SIX)))
    ]


def queue() -> list[tuple[str, RunConfig]]:
    """All runs with their experiment, in the order in which time is best spent: what no verdict can do without comes first.

    Seeds 0 to 2 of what C1 to C5 rest on, seeds 3 and 4 of the same, then the ladder, and the rest as `experiments` lists it.
    Each configuration stands once.
    """
    first = ("table", "substitutes", "matched", "retrain")
    listed = [(name, config) for name, configs in experiments().items() for config in configs]
    listed.sort(key=lambda run: (run[0] not in first, run[0] in first and run[1].seed >= 3))
    return list({config.run_id: (name, config) for name, config in reversed(listed)}.values())[::-1]


def left_out(ls: Orders) -> list[Orders]:
    """The set without one of its orders above 0, each in turn.

    >>> left_out((0, 1, 2))
    [(0, 2), (0, 1)]
    """
    return [tuple(other for other in ls if other != l) for l in ls[1:]]


@cache
def matched(ls: Orders, other: Orders, mul: int) -> tuple[Orders, int]:
    """`ls` with the number of channels that gives it as many parameters as `other` has with `mul`, within the tolerance.

    >>> matched((0, 1, 2), (0, 1, 2, 3, 4, 5, 6), 16)
    ((0, 1, 2), 33)

    Raises ValueError where no number of channels comes that near.
    """
    wanted = counted_parameters(other, mul)
    above = bisect_left(range(8 * mul), wanted, lo=1, key=lambda channels: counted_parameters(ls, channels))
    best = min((above - 1, above), key=lambda channels: abs(counted_parameters(ls, channels) / wanted - 1))
    if abs(counted_parameters(ls, best) / wanted - 1) > TOLERANCE:
        raise UserError(
            f"no number of channels gives {ls} the {wanted:,} parameters of {other} with {mul}, within {TOLERANCE:.0%}"
        )
    return ls, best


def matched_sets() -> list[tuple[Orders, int]]:
    """The parameter-matched controls, each once: 0, 1, 2 for each set that adds orders, and 0, 3-6 for 0-6."""
    return list(dict.fromkeys([*(matched(LOW, *added) for added in ADDED), matched(WITHOUT, SIX, 16)]))


@cache
def _run(scale: str, ls: Orders, mul: int, seed: int) -> RunConfig:
    return RunConfig.from_dict({**SCALES[scale], "ls": ls, "mul": mul, "seed": seed})
