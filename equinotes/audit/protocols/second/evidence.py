"""What the rules look at: estimates from the stored tables, at the highest rung of the ladder that has enough seeds."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from equinotes.analysis.calibration import above_untrained
from equinotes.analysis.inference import UNKNOWN, Estimate, holm, log_ratio, mean
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.second.claims import ALPHA, MARGIN, MIN_SEEDS, NEEDED, REPLACEABLE, UNDECIDED, UNUSED, USED
from equinotes.audit.protocols.second.runs import SCALES, Orders
from equinotes.config import RunConfig
from equinotes.support.text import orders_name

INTERVAL = 1 - 2 * ALPHA
"""Level of all intervals: a one-sided test at ALPHA rejects what lies outside."""
LOG_MARGIN = float(np.log1p(MARGIN))
"""The margin of log ratios."""
JUDGED, BESIDE = "average_mae_eV", "mae_eV"
"""The error that is judged, of the averaged weights, and the one beside it, of the last iterate."""
OF_SCALE = ("num_train", "epochs", "batch_size", "lr", "reference", "average", "schedule", "network", "gate", "graph", "target")
"""Fields of a run that place it on the ladder."""
BASELINE, SCORE = "bond lengths", "neighbours given size"
"""The linear baseline that a network must have left behind, and the structure score."""


class Network(NamedTuple):
    """A set of orders with its channels."""

    ls: Orders
    mul: int

    def __str__(self) -> str:
        return f"{orders_name(self.ls)} ({self.mul})"


class Use(NamedTuple):
    """Is one order used? Behind each block its damage is tested twice: on its own, and above that of the untrained trunk.

    `p_used`: least over the blocks, after Holm's correction over orders and blocks, of the larger p of the tests that each lies
    above zero (1 where a mean is below the margin). `p_unused`: largest over the blocks of twice the smaller p of the tests that
    each lies below the margin. `damage`: the smaller of the two behind `layer`, where it is largest.
    """

    p_used: float
    p_unused: float
    damage: Estimate
    layer: int
    scale: str
    seeds: int


class Comparison(NamedTuple):
    """Errors of two networks at one scale: log(second / first), and why it does not count where it does not."""

    first: Network
    second: Network
    scale: str
    ratio: Estimate
    last: Estimate
    seeds: tuple[int, int]
    why: str

    @property
    def counted(self) -> Estimate:
        """The log ratio, or nothing known where the comparison does not count."""
        return UNKNOWN if self.why else self.ratio


@dataclass(frozen=True)
class Evidence:
    """The stored tables, each run with its rung of the ladder; estimates are made when they are asked for."""

    tables: Tables

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Stored runs on the ladder, each once: column `scale`, "" for other runs."""
        runs = self.tables["runs"].drop_duplicates("run_id").copy()
        runs["ls"] = runs["ls"].map(tuple)
        runs["scale"] = ""
        for name, fields in SCALES.items():
            config = RunConfig.from_dict(fields)
            same = [runs[field] == getattr(config, field) for field in OF_SCALE]
            runs.loc[np.logical_and.reduce(same), "scale"] = name
        return runs

    @cached_property
    def _networks(self) -> dict[Hashable, pd.DataFrame]:
        return dict(iter(self.runs.groupby(["ls", "mul", "scale"])))

    def errors(self, network: Network, scale: str, column: str = JUDGED) -> dict[int, float]:
        """Test error [eV] by seed."""
        chosen = self._networks.get((*network, scale))
        return {} if chosen is None else dict(zip(chosen["seed"], chosen[column], strict=True))

    @cached_property
    def baselines(self) -> dict[int, float]:
        """Error of the linear baseline [eV] by the number of molecules that it was fitted to."""
        table = self.tables["baselines"]
        table = table[table["baseline"] == BASELINE]
        return dict(zip(table["num_train"], table["mae_eV"], strict=True))

    def comparison(self, first: Network, second: Network, scale: str, *, pairs: bool = False) -> Comparison:
        """The log ratio of two networks' errors; `pairs` takes the seeds that both have, one by one."""
        judged, last = ([self.errors(network, scale, column) for network in (first, second)] for column in (JUDGED, BESIDE))
        shared = sorted(set(judged[0]) & set(judged[1]))
        seeds = [shared, shared] if pairs else [sorted(errors) for errors in judged]
        sides, last_sides = ([[of[s] for s in some] for of, some in zip(two, seeds, strict=True)] for two in (judged, last))
        known = all(sides)
        ratio, beside = (log_ratio(*two, pairs=pairs) if known else UNKNOWN for two in (sides, last_sides))
        why = self._why((first, second), sides, scale)
        return Comparison(first, second, scale, ratio, beside, (len(sides[0]), len(sides[1])), why)

    def decisive(self, first: Network, second: Network, *, pairs: bool = False) -> Comparison:
        """The comparison at the highest rung where it counts; where none does, at the highest with any run."""
        ladder = self.ladder(first, second, pairs=pairs)
        counting = [rung for rung in ladder if not rung.why]
        return (counting or ladder or [self.comparison(first, second, "4,000 steps", pairs=pairs)])[-1]

    def ladder(self, first: Network, second: Network, *, pairs: bool = False) -> list[Comparison]:
        """The comparison at every rung with a run of either network, lowest first."""
        rungs = [self.comparison(first, second, scale, pairs=pairs) for scale in SCALES]
        return [rung for rung in rungs if any(rung.seeds)]

    def _why(self, networks: Iterable[Network], sides: Iterable[list[float]], scale: str) -> str:
        limit, reasons = self.baselines.get(SCALES[scale]["num_train"], np.nan), []
        for network, errors in zip(networks, sides, strict=True):
            if len(errors) < MIN_SEEDS:
                reasons.append(f"{network} has {len(errors)} of {MIN_SEEDS} seeds")
            elif np.isnan(limit):
                reasons.append("no linear baseline is stored")
            elif not np.mean(errors) < limit:
                reasons.append(f"{network} ({np.mean(errors):.3f} eV) is not below the linear baseline ({limit:.3f} eV)")
        return f"{scale}: {'; '.join(dict.fromkeys(reasons))}" if reasons else ""

    @cached_property
    def excess(self) -> pd.DataFrame:
        """Damage of each stored network above its untrained twin, with `scale`; see `above_untrained`."""
        parts = [
            above_untrained(table).assign(scale=scale) for scale, table in self._by_scale("uses").groupby("scale") if len(table)
        ]
        columns = ["ls", "mul", "seed", "layer", "irrep", "damage", "untrained", "excess", "scale"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    @cached_property
    def _excess_by_network(self) -> dict[Hashable, pd.DataFrame]:
        return dict(iter(self.excess.groupby(["ls", "mul"])))

    def damages(self, network: Network, column: str = "excess", *, at: str = "") -> tuple[str, pd.DataFrame]:
        """Decisive scale (or the rung `at`) and [seed; layer, irrep] damage of a network; no rows where too few seeds were
        examined whole.
        """
        table = self._excess_by_network.get(tuple(network), self.excess.iloc[:0])
        for scale in [at] if at else reversed(SCALES):
            grid = table[table["scale"] == scale].pivot_table(index="seed", columns=["layer", "irrep"], values=column).dropna()
            if len(grid) >= MIN_SEEDS:
                return scale, grid
        return "", pd.DataFrame()

    def use(self, network: Network, *, at: str = "") -> dict[int, Use]:
        """Is each order above 0 used, at the decisive scale or at the rung `at`? Empty where too few seeds were examined."""
        scale, above = self.damages(network, at=at)
        if above.empty:
            return {}
        return use_of(above, self.damages(network, "damage", at=at)[1], scale)

    def gains(self, network: Network, scale: str) -> pd.DataFrame:
        """[seed; irrep] change of the structure score by training, behind the last block whose orders above 0 count."""
        table = self._scores.get((*network, scale))
        if table is None:
            return pd.DataFrame()
        grid = table.pivot_table(index="seed", columns=["trained", "irrep"], values="value").dropna()
        if not {True, False} <= set(grid.columns.get_level_values(0)):
            return pd.DataFrame()
        trained, before = (grid.xs(state, axis=1, level=0) for state in (True, False))
        return pd.DataFrame(trained - before)

    @cached_property
    def _scores(self) -> dict[Hashable, pd.DataFrame]:
        """Structure scores behind the last block whose orders above 0 count, by orders, channels and scale."""
        table = self._by_scale("structure")
        table = table[table["measure"] == SCORE]
        if table.empty:
            return {}
        blocks = table["layer"].astype(str).str.extract(r"(\d+)$", expand=False).astype(int)
        table = table[blocks == int(self.runs["num_blocks"].max()) - 1]
        return dict(iter(table.groupby(["ls", "mul", "scale"])))

    def gains_at_best(self, *networks: Network) -> tuple[str, list[pd.DataFrame]]:
        """`gains` of some networks at the highest rung where all have enough seeds."""
        for scale in reversed(SCALES):
            found = [self.gains(network, scale) for network in networks]
            if all(len(table) >= MIN_SEEDS for table in found):
                return scale, found
        return "", []

    def _by_scale(self, name: str) -> pd.DataFrame:
        table = self.tables[name].assign(ls=lambda table: table["ls"].map(tuple))
        return table.merge(self.runs[["run_id", "scale"]], on="run_id", how="inner")


def use_of(above: pd.DataFrame, own: pd.DataFrame, scale: str = "") -> dict[int, Use]:
    """Is each order above 0 used? `own` is the damage, `above` its excess over the untrained trunk, both [seed; layer, irrep]."""
    cells = [cell for cell in cells_of(above) if order_of(cell[1]) > 0]
    both = {cell: (mean(own[cell].to_numpy()), mean(above[cell].to_numpy())) for cell in cells}
    adjusted = dict(zip(cells, holm([max(map(raised, both[cell])) for cell in cells]).tolist(), strict=True))
    damage = {cell: min(pair, key=lambda estimate: estimate.value) for cell, pair in both.items()}
    found = {}
    for l in dict.fromkeys(order_of(irrep) for _, irrep in cells):
        of = [cell for cell in cells if order_of(cell[1]) == l]
        worst = max(of, key=lambda cell: damage[cell].value)
        p_unused = max(2 * min(estimate.p_below(LOG_MARGIN) for estimate in both[cell]) for cell in of)
        p_used = min(adjusted[cell] for cell in of)
        found[l] = Use(p_used, min(1.0, p_unused), damage[worst], worst[0], scale, len(above))
    return found


def answer_of(use: Use, cost: Estimate, costly: float) -> str:
    """Needed, used but replaceable, used, not used, or undecided; `costly` is the p that retraining without it costs the margin,
    after Holm's correction.
    """
    if use.p_used <= ALPHA:
        return NEEDED if costly <= ALPHA else REPLACEABLE if cost.p_below(LOG_MARGIN) <= ALPHA else USED
    return UNUSED if use.p_unused <= ALPHA else UNDECIDED


def order_of(irrep: str) -> int:
    """The order of an irrep such as "2e"."""
    return int(irrep[:-1])


def raised(estimate: Estimate, margin: float = LOG_MARGIN) -> float:
    """p that a value lies above 0; 1 where the estimate does not reach the margin, since less does not matter."""
    return estimate.p_above(0.0) if estimate.value >= margin else 1.0


def lowered(estimate: Estimate, margin: float = LOG_MARGIN) -> float:
    """p that a value lies below 0; 1 where the estimate does not reach -margin."""
    return estimate.p_below(0.0) if estimate.value <= -margin else 1.0


def zero_against_others(grid: pd.DataFrame, layer: int) -> Estimate:
    """Mean of the damage of l = 0 behind a layer less the largest of the other orders; `grid` is [replicate; layer, irrep]."""
    cells = [cell for cell in cells_of(grid) if cell[0] == layer]
    zero, others = ([cell for cell in cells if (order_of(cell[1]) == 0) == first] for first in (True, False))
    return mean(grid[zero].to_numpy().max(axis=1) - grid[others].to_numpy().max(axis=1))


def cells_of(grid: pd.DataFrame) -> list[tuple[int, str]]:
    """Layers and irreps of a table with a column for each."""
    return [(int(cell[0]), str(cell[1])) for cell in grid.columns.to_list()]


def answers(evidence: Evidence, network: Network, *, at: str = "") -> pd.DataFrame:
    """Is each order above 0 of a network needed, used but replaceable, or not used? At the rung `at`, or where the rules look.

    Needed: used, and retraining without it costs the margin or more, after Holm's correction over the orders. Replaceable: used,
    and a cost of the margin is excluded. Columns: `l`, `answer`, `damage` and `cost` (of retraining without it, Welch), both as
    relative changes of the error, with `_low` and `_high`; `layer` (where the damage is largest), `scale`, `seeds`.
    """
    uses, costs = evidence.use(network, at=at), {}
    for l in uses:
        without = Network(tuple(other for other in network.ls if other != l), network.mul)
        comparison = evidence.comparison(network, without, at) if at else evidence.decisive(network, without)
        costs[l] = comparison.counted
    costly = dict(zip(uses, holm([raised(cost) for cost in costs.values()]).tolist(), strict=True))
    rows = []
    for l, use in uses.items():
        answer = answer_of(use, costs[l], costly[l])
        numbers = change_of("damage", use.damage) | change_of("cost", costs[l])
        rows.append({"l": l, "answer": answer, **numbers, "layer": use.layer, "scale": use.scale, "seeds": use.seeds})
    return pd.DataFrame(rows)


def change_of(name: str, ratio: Estimate) -> dict[str, float]:
    """A log ratio and its interval as relative changes."""
    found = ratio.relative(INTERVAL)
    return {name: found["change"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
