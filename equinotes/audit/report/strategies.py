"""Numbers of the page of training strategies: what each one changes, its verdict, and what follows for practice."""

from typing import Any

import numpy as np
import pandas as pd

from equinotes.analysis.inference import Estimate, averaged, paired
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.strategies import claims
from equinotes.audit.protocols.strategies.rules import Evidence, effects_table, judge, mean_of
from equinotes.audit.protocols.strategies.runs import ATTENTION, COEFFICIENTS, NETWORKS, SEEDS, choice, nets_of, sides, tried
from equinotes.config import RunConfig

NETS = {**NETWORKS, **ATTENTION}
"""Every network of the protocol by its name."""
LEVEL = 1 - 2 * claims.ALPHA
"""Of the intervals: one-sided tests at `ALPHA` reject what lies outside."""


def verdict_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per strategy: `name`, `verdict`, `coefficient` (missing where none was chosen), `networks` (their number; 0 where
    not all were run), `early` (whether fewer seeds than planned were judged).

    Of those that were run: `least` and `most` (the least and the largest relative change of an error among the networks); and on
    average over them `error` and `against_control` (relative changes with intervals), `use` and `use_against_control` (of the
    orders above 0 that decide; None where they were not measured).
    """
    evidence, rows = Evidence(tables), []
    for row in judge(tables).to_dict("records"):
        name, numbers = row["claim"], row["numbers"]
        coefficient = numbers.get("coefficient", np.nan) if name in COEFFICIENTS else np.nan
        found: dict[str, Any] = {"name": name, "verdict": row["verdict"], "coefficient": coefficient, "networks": 0}
        found["early"] = bool(numbers) and any(numbers[net]["seeds"] < SEEDS[of.ls] for net, of in nets_of(name).items())
        if numbers:
            effects = evidence.effects(name)
            error, use = mean_of([effect.error for effect in effects]), mean_of([effect.use for effect in effects])
            changes = [float(np.expm1(effect.error.plain.value)) for effect in effects]
            found |= {"networks": len(changes), "least": min(changes), "most": max(changes)}
            found |= {"error": error.plain.relative(LEVEL), "against_control": error.control.relative(LEVEL)}
            found |= {"use": _known(use.plain), "use_against_control": _known(use.control)}
        rows.append(found)
    return rows


def _known(estimate: Estimate) -> float | None:
    return None if np.isnan(estimate.value) else estimate.value


def plain(tables: Tables) -> dict[str, Any]:
    """The networks without a strategy: `errors`, mean over seeds on test molecules [eV] by name, averaged weights; `earlier`, the
    relative change of the validation error from the last epoch to the one before, geometric mean over networks and seeds;
    `linear`, the error of the best linear baseline. {} where none is stored.
    """
    evidence, metrics = Evidence(tables), tables["metrics"]
    seeds = {name: [net.but(seed=seed).run_id for seed in range(SEEDS[net.ls])] for name, net in NETWORKS.items()}
    ids = [run_id for some in seeds.values() for run_id in some]
    if not set(ids) <= set(evidence.errors) & set(metrics["run_id"]):
        return {}
    curves = metrics[metrics["run_id"].isin(ids)].pivot(index="epoch", columns="run_id", values="val_average_mae_eV")
    logs = np.log(curves.sort_index().to_numpy())
    linear = tables["baselines"]["mae_eV"] if "baselines" in tables else ()
    return {
        "errors": {name: float(np.mean([evidence.errors[run_id] for run_id in some])) for name, some in seeds.items()},
        "earlier": float(np.expm1((logs[-2] - logs[-1]).mean())), "linear": float(min(linear)) if len(linear) else None,
    }  # fmt: skip


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
        nets = nets_of(claim.name).values()
        found = [alone for net in nets if (alone := _control_alone(evidence, claim.name, net))]
        if len(found) == len(nets):
            name, estimate = found[0][0], averaged([each for _, each in found])
            rows[name] = {"name": name, **estimate.relative(LEVEL)}
    return list(rows.values())


def _control_alone(evidence: Evidence, strategy: str, net: RunConfig) -> tuple[str, Estimate] | None:
    """How a control is switched on, and its log ratio to the plain network; None without a control or with too few seeds."""
    both = sides(strategy, net, evidence.chosen)
    if both is None or both[1] == net:
        return None
    control = both[1]
    pairs = [[config.but(seed=seed).run_id for config in (net, control)] for seed in range(SEEDS[net.ls])]
    logs = np.log([[evidence.errors[run_id] for run_id in pair] for pair in pairs if set(pair) <= set(evidence.errors)])
    if len(logs) < claims.MIN_SEEDS:
        return None
    settings = {"curriculum": control.curriculum, "skips": control.skips}
    changed = [f'{name}="{value}"' for name, value in settings.items() if value != getattr(net, name)]
    return (changed or list(control.terms))[0], paired(*logs.T)


def practice(tables: Tables) -> dict[str, Any]:
    """Names of the strategies by what they do: `helps`, `harms`, `moves` (use alone), `nothing`, `control` (as much as their
    control), `null`, `between` (open, with an error between that of the plain network and that of the control), `open` (the
    others), `missing`; `early`: those that are short of seeds. `alone`: rows of `control_rows` whose interval excludes zero and
    whose change reaches the `margin`.
    """
    rows = verdict_rows(tables)
    of = {row["name"]: row["verdict"] for row in rows}
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
    early = [row["name"] for row in rows if row["early"]]
    between = [row["name"] for row in rows if row["name"] in found["open"] and _between(row)]
    found["open"] = [name for name in found["open"] if name not in between]
    return found | {"early": early, "alone": alone, "between": between, "margin": claims.MARGIN}


def _between(row: dict[str, Any]) -> bool:
    """Whether the error lies between those of the plain network and of the control, both differences shown."""
    ends = [row[against][end] for against in ("error", "against_control") for end in ("low", "high")]
    signs = np.sign(ends)
    return bool(signs[0] == signs[1] != signs[2] == signs[3] and 0 not in signs)


def drawn(tables: Tables, network: str) -> tuple[pd.DataFrame, list[str]]:
    """What the figure shows of one network: rows of `effects_table`, and the names of all strategies tried on it."""
    effects = effects_table(tables)
    names = [claim.name for claim in claims.CLAIMS if network in nets_of(claim.name)]
    return effects[effects["network"] == network], names
