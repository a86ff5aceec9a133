"""What the rules look at: errors and damage by network, target, graph and orders, from the stored tables."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from equinotes.analysis.calibration import above_untrained
from equinotes.analysis.inference import UNKNOWN, Estimate, difference, holm, log_ratio
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.networks.claims import IMPOSSIBLE, MIN_SEEDS, MISSING
from equinotes.audit.protocols.networks.runs import NONE, PLACES, TARGETS, WHOLE, WITHOUT, Orders, Place, configuration
from equinotes.audit.protocols.second.evidence import Use, answer_of, change_of, order_of, raised, use_of
from equinotes.config import RunConfig
from equinotes.runs.store import error_columns


class Cost(NamedTuple):
    """What orders are worth: log ratio of the error without them and that of orders 0-2, and the seeds of both."""

    ratio: Estimate
    seeds: tuple[int, int]

    @property
    def counted(self) -> Estimate:
        """The ratio where both have enough seeds."""
        return self.ratio if min(self.seeds) >= MIN_SEEDS else UNKNOWN

    @property
    def why(self) -> str:
        """Why it does not count; empty where it does."""
        if min(self.seeds) >= MIN_SEEDS:
            return ""
        return f"{self.seeds[0]} and {self.seeds[1]} of {MIN_SEEDS} seeds"


class Evidence:
    """Estimates from stored tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @cached_property
    def _runs(self) -> pd.DataFrame:
        return self.tables["runs"].drop_duplicates("run_id").set_index("run_id")

    def errors(self, place: Place, ls: Orders, *, average: bool = True) -> list[float]:
        """Test errors in the target's unit, of those planned seeds that are stored."""
        column = error_columns(RunConfig(target=TARGETS[place.target]["target"]).unit)["mae"]
        ids = [configuration(place, ls, seed).run_id for seed in range(5)]
        there = [run_id for run_id in ids if run_id in self._runs.index]
        return [float(value) for value in self._runs.loc[there, f"average_{column}" if average else column]]

    def cost(self, place: Place, ls: Orders = NONE, *, average: bool = True) -> Cost:
        """What leaving out the orders that `ls` lacks costs."""
        sides = [self.errors(place, some, average=average) for some in (WHOLE, ls)]
        return Cost(log_ratio(*sides) if all(sides) else UNKNOWN, (len(sides[0]), len(sides[1])))

    def change_of_cost(self, place: Place, other: Place) -> tuple[Estimate, str]:
        """By how much the cost of leaving out both orders is higher at the other place, and why it cannot be said."""
        costs = [self.cost(place), self.cost(other)]
        why = "; ".join(f"{where}: {cost.why}" for where, cost in zip((place, other), costs, strict=True) if cost.why)
        return (UNKNOWN if why else difference(costs[0].counted, costs[1].counted)), why

    def use(self, place: Place) -> dict[int, Use]:
        """Is l = 1, is l = 2 used? Empty where too few seeds were examined."""
        table = self._of(place, "uses")
        if table.empty:
            return {}
        table = above_untrained(table)
        table = table[[order_of(irrep) in WHOLE for irrep in table["irrep"]]]
        own, above = (
            table.pivot_table(index="seed", columns=["layer", "irrep"], values=column).dropna() for column in ("damage", "excess")
        )
        return {} if len(above) < MIN_SEEDS else use_of(above, own, f"{place.target}, {place.graph}")

    def reached(self, place: Place) -> pd.DataFrame:
        """What reaches the output, of one network: `layer`, `name`, `irrep`, `l`, `reaches`; no rows where none is examined."""
        table = self._of(place, "reach")
        table = table[table["trained"].astype(bool)]
        table = table[table["run_id"] == table["run_id"].min()] if len(table) else table
        return table.assign(l=[order_of(irrep) for irrep in table["irrep"]])[["layer", "name", "irrep", "l", "reaches"]]

    def _of(self, place: Place, name: str) -> pd.DataFrame:
        ids = {configuration(place, WHOLE, seed).run_id for seed in range(5)}
        return self.tables[name][self.tables[name]["run_id"].isin(ids)]


def answers(tables: Tables) -> pd.DataFrame:
    """Is l = 1, is l = 2 needed, used but replaceable, or not used? One row per network, target, graph and order.

    Columns: `network`, `target`, `graph`, `body_order`, `l`, `answer`; `damage` (calibrated, above the untrained trunk) and
    `cost` (of retraining without the order at equal parameters) as relative changes, with `_low` and `_high`; `name` of the layer
    where the damage is largest; `unreached`: layers from which the order does not reach the output; `seeds` examined, `why` where
    something is missing. On the radius graph and with many-body products nothing is examined.
    """
    evidence = Evidence(tables)
    return pd.DataFrame([row for place in PLACES if place.whole for row in _answers(evidence, place)])


def _answers(evidence: Evidence, place: Place) -> list[dict]:
    use, reach = evidence.use(place), evidence.reached(place)
    costs = {l: evidence.cost(place, ls) for l, ls in WITHOUT.items()}
    costly = dict(zip(costs, holm([raised(cost.counted) for cost in costs.values()]).tolist(), strict=True))
    names = dict(zip(reach["layer"], reach["name"], strict=True))
    rows = []
    for l, cost in costs.items():
        of = reach[reach["l"] == l]
        why = "; ".join(text for text in (cost.why and f"retrained: {cost.why}", "" if use else "too few are examined") if text)
        if len(of) and not of["reaches"].any():
            answer, why = IMPOSSIBLE, ""
        else:
            answer = answer_of(use[l], cost.counted, costly[l]) if l in use else MISSING
        damage = use[l].damage if l in use else UNKNOWN
        about = {**place._asdict(), "l": l, "answer": answer}
        about |= change_of("damage", damage) | change_of("cost", cost.counted)
        about |= {"name": names.get(use[l].layer, "") if l in use else "", "seeds": use[l].seeds if l in use else 0}
        rows.append(about | {"unreached": ", ".join(of[~of["reaches"].astype(bool)]["name"]), "why": why})
    return rows


def error_table(tables: Tables) -> pd.DataFrame:
    """Mean errors: `network`, `target`, `graph`, `body_order`, `ls`, `mul`, `seeds`, `unit`, `mae` and `sd` over the seeds
    (averaged weights), `last` (mean of the last iterates), `cost` of leaving out orders, relative to 0-2; NaN where a network was
    not run.
    """
    evidence, rows = Evidence(tables), []
    for place in PLACES:
        for ls in (WHOLE, *WITHOUT.values(), NONE) if place.whole else (WHOLE, NONE):
            errors, last = (evidence.errors(place, ls, average=average) for average in (True, False))
            unit = RunConfig(target=TARGETS[place.target]["target"]).unit
            cost = evidence.cost(place, ls).counted if ls != WHOLE else UNKNOWN
            rows.append({
                **place._asdict(), "ls": ls, "mul": configuration(place, ls, 0).mul, "seeds": len(errors), "unit": unit,
                "mae": float(np.mean(errors)) if errors else np.nan,
                "sd": float(np.std(errors, ddof=1)) if len(errors) > 1 else np.nan,
                "last": float(np.mean(last)) if last else np.nan, **change_of("cost", cost),
            })  # fmt: skip
    return pd.DataFrame(rows)
