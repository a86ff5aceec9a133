"""From stored tables to changes of error and use, and from these to verdicts. Paired over seeds: both sides start alike."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from equinotes.analysis.inference import UNKNOWN, Estimate, holm, paired
from equinotes.audit.protocol import Judgement, Tables, judged
from equinotes.audit.protocols.strategies.claims import (
    ALPHA,
    CLAIMS,
    HARMS,
    HELPS,
    MARGIN,
    MIN_SEEDS,
    NOT_RUN,
    NOTHING,
    NULL,
    OPEN,
    RAISES,
    SHRINKS,
    USE,
)
from equinotes.audit.protocols.strategies.runs import NULLS, SEEDS, choice, nets_of, sides

LOG_MARGIN = float(np.log1p(MARGIN))


@dataclass(frozen=True)
class Pair:
    """A change against the plain network, and against the control."""

    plain: Estimate
    control: Estimate

    def shown(self, sign: int) -> float:
        """p that the change is not above (1) or below (-1) zero on both counts."""
        return max(e.p_above() if sign > 0 else e.p_below() for e in (self.plain, self.control))

    def matters(self, sign: int, margin: float) -> bool:
        """Whether both means are at least as far as the margin on this side."""
        return min(sign * self.plain.value, sign * self.control.value) >= margin


@dataclass(frozen=True)
class Effect:
    """What a strategy changes on one network."""

    strategy: str
    network: str
    seeds: int
    error: Pair
    """Log ratios of errors."""
    uses: dict[int, Pair]
    """Differences of damages, by order."""


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
        error = self._pair(triples, lambda run_id: float(np.log(self.errors[run_id])))
        uses = {l: self._pair(triples, lambda run_id, l=l: self.damages.get((run_id, l), np.nan)) for l in plain.ls}
        return Effect(strategy, network, len(triples), error, uses)

    def effects(self, strategy: str) -> list[Effect]:
        """Those of every network that the strategy was tried on."""
        found = [self.effect(strategy, network) for network in nets_of(strategy)]
        return [effect for effect in found if effect is not None]

    def _pair(self, triples: list[list[str]], value: Any) -> Pair:
        plain, strategy, control = np.array([[value(run_id) for run_id in ids] for ids in triples]).T
        estimates = [paired(other, strategy) for other in (plain, control)]
        return Pair(*(UNKNOWN if np.isnan(each.value) else each for each in estimates))


def verdict_of(effects: list[Effect]) -> str:
    """The rule in `claims.RULE`."""
    if not effects:
        return NOT_RUN
    better, worse = (_any([(effect.error, LOG_MARGIN) for effect in effects], sign) for sign in (-1, 1))
    if better != worse:
        return HELPS if better else HARMS
    above = [pair for effect in effects for l, pair in effect.uses.items() if l > 0]
    less, more = (_any([(pair, USE) for pair in above], sign) for sign in (-1, 1))
    no_gain = all(effect.error.plain.p_above(-LOG_MARGIN) <= ALPHA for effect in effects)
    if less != more and no_gain and not better:
        return SHRINKS if less else RAISES
    same = all(effect.error.plain.p_within(LOG_MARGIN) <= ALPHA for effect in effects)
    same = same and all(pair.plain.p_within(USE) <= ALPHA for effect in effects for pair in effect.uses.values())
    return NOTHING if same else OPEN


def _any(pairs: list[tuple[Pair, float]], sign: int) -> bool:
    """Whether one of these changes is shown after Holm's correction over all of them, and matters."""
    if not pairs:
        return False
    ps = holm([pair.shown(sign) for pair, _ in pairs])
    return any(p <= ALPHA and pair.matters(sign, margin) for p, (pair, margin) in zip(ps, pairs, strict=True))


def judge(tables: Tables) -> pd.DataFrame:
    """One row per strategy: `claim`, `verdict`, `numbers` by network: changes of error and use, as `effects_table` has them."""
    evidence = Evidence(tables)

    def rule(strategy: str) -> Any:
        def of(tables: Tables) -> Judgement:
            effects = evidence.effects(strategy)
            verdict = NULL if strategy in NULLS else verdict_of(effects)
            numbers: dict[str, Any] = {
                effect.network: {
                    "error": float(np.expm1(effect.error.plain.value)),
                    "against_control": float(np.expm1(effect.error.control.value)),
                    **{f"use_{l}": pair.plain.value for l, pair in effect.uses.items()}, "seeds": effect.seeds,
                }
                for effect in effects
            }  # fmt: skip
            return Judgement(verdict, numbers | {"coefficient": evidence.chosen.get(strategy, 1.0)} if numbers else {})

        return of

    return judged(CLAIMS, {claim.name: rule(claim.name) for claim in CLAIMS}, tables)


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
