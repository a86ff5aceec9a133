"""What the verdicts rest on, as tables: errors compared between sets of orders, and what single networks show, seed by seed."""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from equinotes.audit import protocol
from equinotes.audit.claims import DAMAGE, DOMINANT, SIGNIFICANT
from equinotes.audit.report import Tables, listed, order_of_irrep, orders_name
from equinotes.audit.statistics import agree, relative_change

Orders = tuple[int, ...]
FEW, MANY = (0, 1, 2), (0, 1, 2, 3, 4, 5, 6)
"""The set that others are compared with, and the one whose latents the paper looks into."""
BASELINE = "bond lengths"
"""The linear baseline that a network must have left behind."""
MEASURE = "neighbours given size"
"""The measure of structure."""
NUM_TRAIN = int(protocol.REDUCED["num_train"])


class Pair(NamedTuple):
    """Two sets of orders with the same number of channels that a claim compares."""

    claim: str
    first: Orders
    second: Orders
    mul: int


def pairs() -> list[Pair]:
    """The comparisons that the rules of C1, C3 and C5 name."""
    added = [(ls, mul) for ls, mul in protocol.PAPER_SETS if set(FEW) < set(ls)]
    found = [Pair("C1", FEW, ls, mul) for ls, mul in added]
    found.append(Pair("C3", (0, 1, 2, 3, 4), (0, 3, 4, 5, 6), 16))
    return found + [Pair("C5", first, second, 16) for first, second in combinations(protocol.SUBSTITUTES, 2)]


def seeds_of(pair: Pair, reference: str) -> frozenset[int]:
    """Seeds that the protocol has for both sets."""
    return planned_seeds(pair.first, pair.mul, reference) & planned_seeds(pair.second, pair.mul, reference)


class Lack(NamedTuple):
    """Networks that do not count: seeds that were run and planned, and their mean MAE [eV] where all were run."""

    name: str
    seeds: int
    planned: int
    mae: float


@cache
def _planned() -> dict[tuple[Orders, int, str], frozenset[int]]:
    found: dict[tuple[Orders, int, str], frozenset[int]] = {}
    for config in [*protocol.table(), *protocol.substitutes()]:
        key = config.ls, config.mul, config.reference
        found[key] = found.get(key, frozenset()) | {config.seed}
    return found


def planned_seeds(ls: Orders, mul: int, reference: str) -> frozenset[int]:
    """Seeds that the reduced protocol has for a set of orders."""
    return _planned().get((ls, mul, reference), frozenset())


def errors_of(tables: Tables, ls: Orders, mul: int, reference: str) -> dict[int, float]:
    """Test MAE [eV] by seed of the stored runs of a set of orders under the reduced protocol."""
    columns = (tables["runs"][name].tolist() for name in ("experiment", "ls", "mul", "reference", "seed", "mae_eV"))
    wanted = (ls, mul, reference)
    return {
        seed: mae
        for experiment, *network, seed, mae in zip(*columns, strict=True)
        if experiment in ("table", "substitutes") and (tuple(network[0]), *network[1:]) == wanted
    }


def baseline_of(tables: Tables) -> float:
    """MAE [eV] of the linear baseline fitted to the same molecules; NaN where it is not stored."""
    columns = (tables["baselines"][name].tolist() for name in ("baseline", "num_train", "mae_eV"))
    return next((mae for name, size, mae in zip(*columns, strict=True) if (name, size) == (BASELINE, NUM_TRAIN)), float("nan"))


def lacks(tables: Tables, sets: Iterable[Orders], mul: int, reference: str, seeds: frozenset[int]) -> list[Lack]:
    """Those of the sets that do not count: seeds were not run, or the mean error is not below the linear baseline's."""
    limit, found = baseline_of(tables), []
    for ls in sets:
        errors = errors_of(tables, ls, mul, reference)
        there = [errors[seed] for seed in seeds if seed in errors]
        mae = float(np.mean(there)) if len(there) == len(seeds) else float("nan")
        if not mae < limit:
            found.append(Lack(f"{orders_name(ls)} ({mul} channels)", len(there), len(seeds), mae))
    return found


def reason(found: Iterable[Lack], limit: float) -> str:
    """Why networks do not count, in words; nothing where none is named. `limit` is the linear baseline's MAE [eV].

    >>> reason([Lack("0–2", 2, 3, float("nan")), Lack("0–4", 3, 3, 0.5)], 0.4)
    'not all seeds were run of 0–2; 0–4 (0.500 eV) not below the linear baseline (0.400 eV)'
    """
    by_name = {lack.name: lack for lack in found}
    missing = [lack.name for lack in by_name.values() if lack.seeds < lack.planned]
    rest = [f"{lack.name} ({lack.mae:.3f} eV)" for lack in by_name.values() if lack.seeds >= lack.planned]
    words = [f"not all seeds were run of {listed(missing)}"] if missing else []
    if rest:
        words.append(
            "no linear baseline is stored"
            if np.isnan(limit)
            else f"{listed(rest)} not below the linear baseline ({limit:.3f} eV)"
        )
    return "; ".join(words)


def comparisons(tables: Tables) -> pd.DataFrame:
    """Every comparison of the rules, under both references of the target.

    Columns: `claim`, `reference`, `first`, `second` (orders), `mul`, `seeds`, `planned`, `change` of the MAE from first to
    second as a share of the first, its interval `low` to `high`, `mae_first_eV`, `mae_second_eV` (means over the paired seeds),
    `baseline_eV`, `counts`, and `reason` where it does not count.
    """
    rows = []
    for reference in protocol.REFERENCES:
        for pair in pairs():
            first, second = (errors_of(tables, ls, pair.mul, reference) for ls in (pair.first, pair.second))
            seeds = seeds_of(pair, reference)
            shared = seeds & set(first) & set(second)
            change = relative_change({seed: first[seed] for seed in shared}, second)
            means = [np.mean([side[seed] for seed in shared]) if shared else np.nan for side in (first, second)]
            why = reason(lacks(tables, (pair.first, pair.second), pair.mul, reference, seeds), baseline_of(tables))
            about = {"claim": pair.claim, "reference": reference, "first": pair.first, "second": pair.second, "mul": pair.mul}
            found = {"seeds": change.seeds, "planned": len(seeds), "change": change.mean, "low": change.low, "high": change.high}
            errors = {"mae_first_eV": means[0], "mae_second_eV": means[1], "baseline_eV": baseline_of(tables)}
            rows.append({**about, **found, **errors, "counts": not why, "reason": why})
    return pd.DataFrame(rows)


def orders_used(tables: Tables) -> pd.DataFrame:
    """Which orders cost the threshold when shuffled, at each block that the energy can feel.

    Columns: `reference`, `ls`, `mul`, `l`, `block`, `seeds`, `planned`, `damage` (mean over seeds of the change of the MAE as
    a share of the whole network's), `hits` (seeds in which it reaches the threshold, its interval above zero), `used`.
    """
    table = tables["ablations"]
    table = _with_reference(tables, table[(table["mode"] == "shuffle") & table["trained"].astype(bool)])
    damage = table["delta_mae_eV"] / (table["mae_eV"] - table["delta_mae_eV"])
    table = table.assign(damage=damage, hit=(damage >= DAMAGE) & (table["low_eV"] > 0), l=order_of_irrep(table["irrep"]))
    rows = []
    for (reference, ls, mul, l, block), group in _groups(table, ["reference", "ls", "mul", "l", "layer"]):
        planned = len(planned_seeds(ls, mul, reference))
        about = {"reference": reference, "ls": ls, "mul": mul, "l": l, "block": block, "seeds": len(group), "planned": planned}
        found = {"damage": group["damage"].mean(), "hits": int(group["hit"].sum()), "used": agree(group["hit"], planned)}
        rows.append(about | found)
    columns = ["reference", "ls", "mul", "l", "block", "seeds", "planned", "damage", "hits", "used"]
    return pd.DataFrame(rows, columns=columns)


def orders_structured(tables: Tables) -> pd.DataFrame:
    """Which orders' latents follow molecular complexity beyond size and formula, in the last block.

    Columns: `reference`, `ls`, `mul`, `trained`, `l`, `seeds`, `planned`, `value` and `null` (means over seeds), `p` (largest
    over seeds), `hits` (seeds with p below the threshold), `structured`.
    """
    table = tables["structure"]
    table = _with_reference(tables, table[table["measure"] == MEASURE])
    table = table[table["layer"] == f"block{last_block(tables)}"].assign(l=lambda found: order_of_irrep(found["irrep"]))
    rows = []
    for (reference, ls, mul, trained, l), group in _groups(table, ["reference", "ls", "mul", "trained", "l"]):
        planned, hits = len(planned_seeds(ls, mul, reference)), group["p"] < SIGNIFICANT
        about = {
            "reference": reference,
            "ls": ls,
            "mul": mul,
            "trained": trained,
            "l": l,
            "seeds": len(group),
            "planned": planned,
        }
        found = {"value": group["value"].mean(), "null": group["null_mean"].mean(), "p": group["p"].max()}
        rows.append(about | found | {"hits": int(hits.sum()), "structured": agree(hits, planned)})
    columns = ["reference", "ls", "mul", "trained", "l", "seeds", "planned", "value", "null", "p", "hits", "structured"]
    return pd.DataFrame(rows, columns=columns)


def dominance(tables: Tables) -> pd.DataFrame:
    """Does l = 0 dominate in the networks with orders 0 to 6? One row per reference and seed.

    Columns: `reference`, `seed`, `least_flow` (smallest share of l = 0 in the gradient flow over blocks 1 to last but one),
    `flow` (above the threshold at each), `damage` (shuffling l = 0 costs most at each), `blocks_of_others` (at how many some
    other order holds more of the flow).
    """
    inner = range(1, last_block(tables))
    flows, damages = (_of_many(tables, tables[name]) for name in ("gradients", "ablations"))
    flows, damages = flows[flows["trained"].astype(bool)], damages[damages["mode"] == "shuffle"]
    rows = []
    for reference in protocol.REFERENCES:
        for seed in sorted(planned_seeds(MANY, 16, reference)):
            flow = _grid(flows, reference, seed, "share", [f"block{block}" for block in inner])
            cost = _grid(damages, reference, seed, "delta_mae_eV", list(inner))
            if flow is None or cost is None:
                continue
            shares, others = flow["0e"], flow.drop(columns="0e").max(axis=1)
            about = {"reference": reference, "seed": seed, "least_flow": shares.min(), "flow": bool((shares > DOMINANT).all())}
            most = bool((cost["0e"] > cost.drop(columns="0e").max(axis=1)).all())
            rows.append(about | {"damage": most, "blocks_of_others": int((others > shares).sum())})
    columns = ["reference", "seed", "least_flow", "flow", "damage", "blocks_of_others"]
    return pd.DataFrame(rows, columns=columns)


def _with_reference(tables: Tables, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of a diagnostic about runs that are stored, with the reference of their target."""
    runs = tables["runs"][["run_id", "reference"]].drop_duplicates("run_id")
    return table.merge(runs, on="run_id", how="inner")


def _groups(table: pd.DataFrame, by: list[str]) -> Iterator[tuple[tuple, pd.DataFrame]]:
    return iter(table.groupby(by, sort=True)) if len(table) else iter(())


def last_block(tables: Tables) -> int:
    """Number of the last block, whose orders above 0 the energy cannot feel."""
    blocks = tables["runs"]["num_blocks"]
    return int(blocks.max()) if len(blocks) else 5


def _of_many(tables: Tables, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of a diagnostic about networks with orders 0 to 6."""
    return _with_reference(tables, table[np.array([tuple(ls) == MANY for ls in table["ls"]], dtype=bool) & (table["mul"] == 16)])


def _grid(table: pd.DataFrame, reference: str, seed: int, value: str, layers: list) -> pd.DataFrame | None:
    """A value of one network, [layers, irreps]; None where it was not examined whole."""
    found = table[(table["reference"] == reference) & (table["seed"] == seed) & table["layer"].isin(layers)]
    if found.empty:
        return None
    grid = found.pivot_table(index="layer", columns="irrep", values=value)
    return grid if grid.shape == (len(layers), len(MANY)) and grid.notna().to_numpy().all() else None
