"""From stored tables to changes of error and use, and from these to verdicts. Paired over seeds: both sides start alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from equinotes.analysis.inference import UNKNOWN, Estimate, averaged, holm, paired
from equinotes.audit.protocol import Judgement, Tables, judged
from equinotes.audit.protocols.strategies.claims import (
    ALPHA,
    CLAIMS,
    HARMS,
    HELPS,
    LIKE_CONTROL,
    MARGIN,
    MEANT,
    MIN_SEEDS,
    NOT_RUN,
    NOTHING,
    NULL,
    OPEN,
    RAISES,
    SHRINKS,
    USE,
)
from equinotes.audit.protocols.strategies.runs import NULLS, SEEDS, UNMEASURED, choice, nets_of, sides

LOG_MARGIN = float(np.log1p(MARGIN))


@dataclass(frozen=True)
class Pair:
    """A change against the plain network, and against the control."""

    plain: Estimate
    control: Estimate

    def shown(self, sign: int, margin: float) -> float:
        """p that the change is not above (1) or below (-1) zero on both counts; 1 unless both means reach the margin."""
        if not min(sign * self.plain.value, sign * self.control.value) >= margin:
            return 1.0
        return max(e.p_above() if sign > 0 else e.p_below() for e in (self.plain, self.control))


@dataclass(frozen=True)
class Effect:
    """What a strategy changes on one network."""

    strategy: str
    network: str
    seeds: int
    error: Pair
    """Log ratios of errors."""
    uses: dict[int, Pair]
    """Differences of damages, by order; none where use is not measured."""
    use: Pair
    """Those of the mean over the orders that decide (`claims.MEANT`)."""


class Evidence:
    """Effects from stored tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.chosen = choice(tables["runs"], tables["metrics"])

    @cached_property
    def errors(self) -> dict[str, float]:
        """Test error under averaged weights [eV], by run."""
        runs = self.tables["runs"].drop_duplicates("run_id")
        return dict(zip(runs["run_id"], runs["average_mae_eV"], strict=True)) if "average_mae_eV" in runs else {}

    @cached_property
    def damages(self) -> dict[tuple[str, int], float]:
        """Damage by run and order, averaged over blocks and draws."""
        uses = self.tables["uses"]
        uses = uses[uses["trained"].astype(bool)].assign(l=uses["irrep"].str[:-1].astype(int)) if len(uses) else uses
        return dict(uses.groupby(["run_id", "l"])["damage"].mean().items()) if len(uses) else {}  # type: ignore[arg-type]

    def effect(self, strategy: str, network: str) -> Effect | None:
        """What the seeds that all sides have show; None where there are fewer than `MIN_SEEDS`."""
        plain = nets_of(strategy)[network]
        both = sides(strategy, plain, self.chosen)
        if both is None:
            return None
        triples = [[side.but(seed=seed).run_id for side in (plain, *both)] for seed in range(SEEDS[plain.ls])]
        triples = [ids for ids in triples if all(run_id in self.errors for run_id in ids)]
        if len(triples) < MIN_SEEDS:
            return None

        def use(*orders: int) -> Pair:
            return self._pair(triples, lambda run_id: float(np.mean([self.damages.get((run_id, l), np.nan) for l in orders])))

        error = self._pair(triples, lambda run_id: float(np.log(self.errors[run_id])))
        measured = () if strategy in UNMEASURED else plain.ls
        meant = use(*MEANT.get(strategy, plain.ls[1:])) if measured else Pair(UNKNOWN, UNKNOWN)
        return Effect(strategy, network, len(triples), error, {l: use(l) for l in measured}, meant)

    def effects(self, strategy: str) -> list[Effect]:
        """Those of every network that the strategy was tried on."""
        found = [self.effect(strategy, network) for network in nets_of(strategy)]
        return [effect for effect in found if effect is not None]

    def _pair(self, triples: list[list[str]], value: Any) -> Pair:
        plain, strategy, control = np.array([[value(run_id) for run_id in ids] for ids in triples]).T
        estimates = [paired(other, strategy) for other in (plain, control)]
        return Pair(*(UNKNOWN if np.isnan(each.value) else each for each in estimates))


def mean_of(pairs: Sequence[Pair]) -> Pair:
    """The mean over networks, each of the same weight; of one seed they share the order of the molecules alone."""
    return Pair(averaged([pair.plain for pair in pairs]), averaged([pair.control for pair in pairs]))


def verdict_of(effects: list[Effect]) -> str:
    """The rule in `claims.RULE`, of one strategy's effects on all its networks."""
    if not effects:
        return NOT_RUN
    error, use = mean_of([effect.error for effect in effects]), mean_of([effect.use for effect in effects])
    better, worse = (_shown(error, [effect.error for effect in effects], sign, LOG_MARGIN) for sign in (-1, 1))
    if better != worse:
        return HELPS if better else HARMS
    above = [pair for effect in effects for l, pair in effect.uses.items() if l > 0]
    less, more = (_shown(use, above, sign, USE) for sign in (-1, 1))
    if less != more and not better and error.plain.p_above(-LOG_MARGIN) <= ALPHA:
        return SHRINKS if less else RAISES
    if less or more or better:
        return OPEN
    for side, verdict in (("plain", NOTHING), ("control", LIKE_CONTROL)):
        same = getattr(error, side).p_within(LOG_MARGIN) <= ALPHA
        if same and (not above or getattr(use, side).p_within(USE) <= ALPHA):
            return verdict
    return OPEN


def _shown(average: Pair, singles: list[Pair], sign: int, margin: float) -> bool:
    """Whether a change that matters is shown, on average or after Holm's correction in a single one; each at half the level."""
    single = holm([pair.shown(sign, margin) for pair in singles])
    return bool(min([average.shown(sign, margin), *single]) <= ALPHA / 2)


def judge(tables: Tables) -> pd.DataFrame:
    """One row per strategy: `claim`, `verdict`, `numbers`.

    Numbers are changes of error and use, as `effects_table` has them, by network and on `average` over the networks, and the
    `coefficient`; none until all networks of a strategy have `MIN_SEEDS`, examined.
    """
    evidence = Evidence(tables)

    def rule(strategy: str) -> Any:
        def of(tables: Tables) -> Judgement:
            effects = evidence.effects(strategy)
            unknown = strategy not in UNMEASURED and any(np.isnan(effect.use.plain.value) for effect in effects)
            if len(effects) < len(nets_of(strategy)) or unknown:
                effects = []
            verdict = verdict_of(effects)
            if strategy in NULLS and verdict in (NOTHING, LIKE_CONTROL, OPEN, NOT_RUN):
                verdict = NULL
            return Judgement(verdict, _numbers(effects) | {"coefficient": evidence.chosen.get(strategy, 1.0)} if effects else {})

        return of

    return judged(CLAIMS, {claim.name: rule(claim.name) for claim in CLAIMS}, tables)


def _numbers(effects: list[Effect]) -> dict[str, Any]:
    """Changes by network, and on average over them."""
    numbers: dict[str, Any] = {
        effect.network: {
            **_changes(effect.error), **{f"use_{l}": pair.plain.value for l, pair in effect.uses.items()}, "seeds": effect.seeds,
        }
        for effect in effects
    }  # fmt: skip
    use = mean_of([effect.use for effect in effects])
    whole = {**_changes(mean_of([effect.error for effect in effects])), "use": use.plain.value}
    return numbers | {"average": {**whole, "use_against_control": use.control.value}}


def _changes(error: Pair) -> dict[str, float]:
    return {"error": float(np.expm1(error.plain.value)), "against_control": float(np.expm1(error.control.value))}


def effects_table(tables: Tables) -> pd.DataFrame:
    """What the figure draws: `strategy`, `network`, `quantity` ("error", or "use of l"), `against` ("plain", "control"),
    `estimate`, `low`, `high` (relative change of the error, change of the damage; 90 % intervals), `seeds`.
    """
    evidence, rows = Evidence(tables), []
    for claim in CLAIMS:
        for effect in evidence.effects(claim.name):
            for name, pair in {"error": effect.error, **{f"use of {l}": pair for l, pair in effect.uses.items()}}.items():
                for against, estimate in (("plain", pair.plain), ("control", pair.control)):
                    ends = np.array([estimate.value, *estimate.interval(1 - 2 * ALPHA)])
                    ends = np.expm1(ends) if name == "error" else ends
                    rows.append((claim.name, effect.network, name, against, *ends, effect.seeds))
    columns = ["strategy", "network", "quantity", "against", "estimate", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=columns)
