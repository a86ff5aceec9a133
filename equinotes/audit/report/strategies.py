"""Numbers of the page of training strategies: what each one changes, its verdict, and what follows for practice."""

from typing import Any

import numpy as np
import pandas as pd

from equinotes.analysis.inference import Estimate, averaged, paired
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.strategies import claims
from equinotes.audit.protocols.strategies.rules import Evidence, effects_table, judge
from equinotes.audit.protocols.strategies.runs import ATTENTION, COEFFICIENTS, NETWORKS, SEEDS, choice, nets_of, sides, tried
from equinotes.config import RunConfig

NETS = {**NETWORKS, **ATTENTION}
"""Every network of the protocol by its name."""


def verdict_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per strategy: `name`, `verdict`, `coefficient` (missing where none was chosen), `networks` (their number; 0 where
    not all were run), `low` and `high` (the least and the largest relative change of an error among them), and on average over
    them `error` and `against_control` (relative changes) and `use` (of the orders above 0 that decide; None where it was not
    measured).
    """
    rows = []
    for row in judge(tables).to_dict("records"):
        numbers = dict(row["numbers"])
        coefficient = numbers.pop("coefficient", np.nan) if row["claim"] in COEFFICIENTS else np.nan
        numbers.pop("coefficient", None)
        found: dict[str, Any] = {"name": row["claim"], "verdict": row["verdict"], "coefficient": coefficient, "networks": 0}
        if average := numbers.pop("average", None):
            changes = [of["error"] for of in numbers.values()]
            found |= {"networks": len(changes), "low": min(changes), "high": max(changes)}
            found |= {"error": average["error"], "against_control": average["against_control"]}
            found["use"] = None if np.isnan(average["use"]) else average["use"]
        rows.append(found)
    return rows


def choosing_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per term that was tried with all coefficients: `name`, `errors` (pairs of coefficient and validation error [eV]),
    `chosen` coefficient.
    """
    runs, metrics = tables["runs"], tables["metrics"]
    chosen = choice(runs, metrics)
    return [
        {"name": name, "errors": list(errors.items()), "chosen": chosen[name]} for name, errors in tried(runs, metrics).items()
    ]


def control_rows(tables: Tables) -> list[dict[str, Any]]:
    """What each control does by itself: `name` (as it is switched on), and the relative `change` of the error against the plain
    network with its interval (`low`, `high`), averaged over the networks. Only controls that all networks were trained with.
    """
    evidence, rows = Evidence(tables), dict[str, dict[str, Any]]()
    for claim in claims.CLAIMS:
        plain = nets_of(claim.name).values()
        found = [alone for net in plain if (alone := _control_alone(evidence, claim.name, net))]
        if len(found) == len(plain):
            name, estimate = found[0][0], averaged([each for _, each in found])
            ends = np.expm1([estimate.value, *estimate.interval(1 - 2 * claims.ALPHA)]).tolist()
            rows[name] = {"name": name, "change": ends[0], "low": ends[1], "high": ends[2]}
    return list(rows.values())


def _control_alone(evidence: Evidence, strategy: str, plain: RunConfig) -> tuple[str, Estimate] | None:
    """How a control is switched on, and its log ratio to the plain network; None without a control or with too few seeds."""
    both = sides(strategy, plain, evidence.chosen)
    if both is None or both[1] == plain:
        return None
    control = both[1]
    pairs = [[config.but(seed=seed).run_id for config in (plain, control)] for seed in range(SEEDS[plain.ls])]
    logs = np.log([[evidence.errors[run_id] for run_id in pair] for pair in pairs if set(pair) <= set(evidence.errors)])
    if len(logs) < claims.MIN_SEEDS:
        return None
    settings = {"curriculum": control.curriculum, "skips": control.skips}
    changed = [f'{name}="{value}"' for name, value in settings.items() if value != getattr(plain, name)]
    return (changed or list(control.terms))[0], paired(*logs.T)


def practice(tables: Tables) -> dict[str, Any]:
    """Names of the strategies by what they do: `helps`, `harms`, `moves` (use alone), `nothing`, `control` (as much as their
    control), `null`, `open`, `missing`; `early`: those of them that lack seeds. `alone`: rows of `control_rows` whose interval
    excludes zero and whose change reaches the margin.
    """
    judged = judge(tables).to_dict("records")
    of = {row["claim"]: row["verdict"] for row in judged}
    kinds = {
        "helps": (claims.HELPS,),
        "harms": (claims.HARMS,),
        "moves": (claims.SHRINKS, claims.RAISES),
        "nothing": (claims.NOTHING,),
        "null": (claims.NULL,),
    }
    kinds |= {"control": (claims.LIKE_CONTROL,), "open": (claims.OPEN,), "missing": (claims.NOT_RUN,)}
    found = {kind: [name for name, verdict in of.items() if verdict in verdicts] for kind, verdicts in kinds.items()}
    alone = [row for row in control_rows(tables) if row["low"] * row["high"] > 0 and abs(row["change"]) >= claims.MARGIN]
    early = [row["claim"] for row in judged if _lacks_seeds(row["claim"], row["numbers"])]
    return found | {"early": early, "alone": alone}


def _lacks_seeds(strategy: str, numbers: dict[str, Any]) -> bool:
    """Whether fewer seeds than planned were judged."""
    return bool(numbers) and any(numbers[name]["seeds"] < SEEDS[net.ls] for name, net in nets_of(strategy).items())


def drawn(tables: Tables, network: str) -> tuple[pd.DataFrame, list[str]]:
    """What the figure shows of one network: rows of `effects_table`, and the names of all strategies tried on it."""
    effects = effects_table(tables)
    names = [claim.name for claim in claims.CLAIMS if network in nets_of(claim.name)]
    return effects[effects["network"] == network], names
