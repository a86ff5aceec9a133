"""What the rules of the first protocol look at: errors compared between sets of orders, and what single networks show."""

from collections.abc import Iterable
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from equinotes.audit import measures
from equinotes.audit.measures import Orders
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.first.claims import AGREEING, DOMINANT, THRESHOLDS
from equinotes.audit.protocols.first.runs import PAPER_SETS, REDUCED, REFERENCES, SUBSTITUTES, substitutes, table
from equinotes.audit.statistics import relative_change

FEW, MANY = (0, 1, 2), (0, 1, 2, 3, 4, 5, 6)
"""The set that others are compared with, and the one whose latents the paper looks into."""
MUL = 16
"""Channels of the networks that are examined."""
NUM_TRAIN = int(REDUCED["num_train"])
JUDGED = ("table", "substitutes")
"""Experiments whose runs the rules look at."""


class Pair(NamedTuple):
    """Two sets of orders with the same number of channels that a claim compares."""

    claim: str
    first: Orders
    second: Orders
    mul: int


def pairs(claim: str | None = None) -> list[Pair]:
    """The comparisons that the rules of C1, C3 and C5 name, or those of one claim."""
    found = [Pair("C1", FEW, ls, mul) for ls, mul in PAPER_SETS if set(FEW) < set(ls)]
    found.append(Pair("C3", (0, 1, 2, 3, 4), (0, 3, 4, 5, 6), MUL))
    found += [Pair("C5", one, other, MUL) for one, other in combinations(SUBSTITUTES, 2)]
    return [pair for pair in found if claim in (None, pair.claim)]


@cache
def _planned() -> dict[tuple[Orders, int, str], frozenset[int]]:
    found: dict[tuple[Orders, int, str], frozenset[int]] = {}
    for config in [*table(), *substitutes()]:
        key = config.ls, config.mul, config.reference
        found[key] = found.get(key, frozenset()) | {config.seed}
    return found


def planned_seeds(ls: Orders, mul: int, reference: str) -> frozenset[int]:
    """Seeds that the reduced protocol has for a set of orders."""
    return _planned().get((tuple(ls), mul, reference), frozenset())


def count_planned(ls: Orders, mul: int, reference: str) -> int:
    """How many seeds the reduced protocol has for a set of orders."""
    return len(planned_seeds(ls, mul, reference))


def errors_of(tables: Tables, ls: Orders, mul: int, reference: str) -> dict[int, float]:
    """Test MAE [eV] by seed under the reduced protocol."""
    return measures.errors(tables, ls, mul, reference, JUDGED)


def baseline_of(tables: Tables) -> float:
    """MAE [eV] of the linear baseline that networks must have left behind."""
    return measures.baseline(tables, NUM_TRAIN, measures.BASELINE)


def lacks(tables: Tables, sets: Iterable[Orders], mul: int, reference: str, seeds: frozenset[int]) -> list[dict[str, Any]]:
    """Those of the sets that do not count: seeds were not run, or the mean error is not below the linear baseline's.

    Each has `ls`, `mul`, `seeds` (how many were run), `missing` (some were not) and `mae_eV`, the mean where all were run.
    """
    limit, found = baseline_of(tables), []
    for ls in sets:
        errors = errors_of(tables, ls, mul, reference)
        there = [errors[seed] for seed in seeds if seed in errors]
        mae = float(np.mean(there)) if len(there) == len(seeds) else float("nan")
        if not mae < limit:
            found.append({"ls": ls, "mul": mul, "seeds": len(there), "missing": len(there) < len(seeds), "mae_eV": mae})
    return found


def seeds_of(pair: Pair, reference: str) -> frozenset[int]:
    """Seeds that the protocol has for both sets."""
    return planned_seeds(pair.first, pair.mul, reference) & planned_seeds(pair.second, pair.mul, reference)


def compare(tables: Tables, pair: Pair, reference: str) -> dict[str, Any]:
    """One row of `comparisons`."""
    one, other = (errors_of(tables, ls, pair.mul, reference) for ls in (pair.first, pair.second))
    seeds = seeds_of(pair, reference)
    shared = seeds & set(one) & set(other)
    change = relative_change({seed: one[seed] for seed in shared}, other)
    means = [float(np.mean([side[seed] for seed in shared])) if shared else float("nan") for side in (one, other)]
    about = {**pair._asdict(), "reference": reference, "seeds": change.seeds, "planned": len(seeds)}
    about |= {"change": change.mean, "low": change.low, "high": change.high}
    errors = {"mae_first_eV": means[0], "mae_second_eV": means[1], "baseline_eV": baseline_of(tables)}
    return {**about, **errors, "counts": not lacks(tables, (pair.first, pair.second), pair.mul, reference, seeds)}


def comparisons(tables: Tables) -> pd.DataFrame:
    """Every comparison of the rules, under both references of the target.

    Columns: `claim`, `first`, `second` (orders), `mul`, `reference`, `seeds`, `planned`, `change` of the MAE from first to second
    as a share of the first, its interval `low` to `high`, `mae_first_eV`, `mae_second_eV` (means over the paired seeds),
    `baseline_eV` and `counts`.
    """
    return pd.DataFrame([compare(tables, pair, reference) for reference in REFERENCES for pair in pairs()])


def orders_used(tables: Tables) -> pd.DataFrame:
    """`over_seeds` of the damage of shuffling: which orders count as used behind each block."""
    return measures.over_seeds(measures.damage(tables, THRESHOLDS), count_planned, AGREEING)


def orders_structured(tables: Tables, *, trained: bool = True) -> pd.DataFrame:
    """`over_seeds` of the structure: which orders' latents follow complexity beyond size and formula, behind each block."""
    cells = measures.structure(tables, THRESHOLDS, trained=trained)
    return measures.over_seeds(cells, count_planned, AGREEING)


def dominance(tables: Tables) -> pd.DataFrame:
    """Does l = 0 dominate in the networks with orders 0 to 6? One row per reference and seed.

    Columns: `reference`, `seed`, `least_flow` (smallest share of l = 0 in the gradient flow over blocks 1 to last but one),
    `flow` (above the threshold at each), `damage` (shuffling l = 0 costs most at each), `blocks_of_others` (at how many some
    other order holds more of the flow).
    """
    inner, rows = list(range(1, measures.last_block(tables))), []
    flows = measures.flow(tables, THRESHOLDS)
    costs = measures.damage(tables, THRESHOLDS)
    for reference in REFERENCES:
        for seed in sorted(planned_seeds(MANY, MUL, reference)):
            flow, cost = _grid(flows, reference, seed, "value", inner), _grid(costs, reference, seed, "delta_mae_eV", inner)
            if flow is None or cost is None:
                continue
            shares, others = flow[0], flow.drop(columns=0).max(axis=1)
            about = {"reference": reference, "seed": seed, "least_flow": shares.min(), "flow": bool((shares > DOMINANT).all())}
            most = bool((cost[0] > cost.drop(columns=0).max(axis=1)).all())
            rows.append(about | {"damage": most, "blocks_of_others": int((others > shares).sum())})
    columns = ["reference", "seed", "least_flow", "flow", "damage", "blocks_of_others"]
    return pd.DataFrame(rows, columns=columns)


def _grid(cells: pd.DataFrame, reference: str, seed: int, value: str, blocks: list[int]) -> pd.DataFrame | None:
    """A value of one network with orders 0 to 6, [blocks, orders]; None where it was not examined whole."""
    found = cells[(cells["ls"] == MANY) & (cells["mul"] == MUL) & (cells["reference"] == reference) & (cells["seed"] == seed)]
    found = found[found["block"].isin(blocks)]
    if found.empty:
        return None
    grid = found.pivot_table(index="block", columns="l", values=value)
    return grid if grid.shape == (len(blocks), len(MANY)) and grid.notna().to_numpy().all() else None
