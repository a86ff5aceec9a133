"""Beside protocol 2's rules: what they do not see, from the same tables.

Written after the runs; nothing here changes a verdict. Changes are relative ones, with the rules' intervals.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from equinotes.analysis.inference import log_ratio
from equinotes.audit.protocol import Tables, steps
from equinotes.audit.protocols.second.claims import MARGIN, MIN_SEEDS, REPLACEABLE, STRUCTURE, USED
from equinotes.audit.protocols.second.evidence import (
    BESIDE,
    INTERVAL,
    JUDGED,
    LOG_MARGIN,
    OF_SCALE,
    SCORE,
    Evidence,
    Network,
    answers,
    cells_of,
    order_of,
)
from equinotes.audit.protocols.second.parts import UNDECIDED, added_orders, foundation_model, same_errors, structure_gain
from equinotes.audit.protocols.second.rules import judge
from equinotes.audit.protocols.second.runs import ADDED, FOUR, LOW, MAIN, PAPERS, SCALES, SIX, SUBSTITUTES, TOP, WITHOUT, matched
from equinotes.audit.reported import counted_parameters, printed_error
from equinotes.config import RunConfig

BY_ERRORS = ("C1", "C3", "C5")
"""Claims that are judged by test errors."""


def judged_by_last(tables: Tables) -> dict[str, str]:
    """Verdicts of the claims about errors, were the last iterate judged in place of the averaged weights."""
    runs = tables["runs"]
    verdicts = judge({**tables, "runs": runs.assign(**{JUDGED: runs[BESIDE]})}, BY_ERRORS)
    return dict(zip(verdicts["claim"], verdicts["verdict"], strict=True))


def beside(tables: Tables, claim: str) -> dict[str, Any]:
    """Numbers to be read beside a claim's verdict; none where what they are about is not stored."""
    return NUMBERS[claim](Evidence(tables))


def _added(evidence: Evidence) -> dict[str, Any]:
    """C1: each set against 0-2 with as many parameters, which controls are missing, and which sets differ little from 0-2."""
    parts = added_orders(evidence)
    if any(part.why for part in parts):
        return {}
    controls, missing, near = [], [], []
    for added, part in zip((Network(*added) for added in ADDED), parts, strict=True):
        control = Network(*matched(LOW, *added))
        comparison = evidence.comparison(control, added, part.scale)
        if comparison.why:
            missing.append(str(control))
        else:
            controls.append({"name": str(added), "control": str(control), **comparison.ratio.relative(INTERVAL)})
        if abs(part.estimate.value) < LOG_MARGIN:
            more = counted_parameters(*added) / counted_parameters(LOW, added.mul) - 1
            near.append({"name": str(added), "more": more, "shown": part.outcome == "shown", **part.estimate.relative(INTERVAL)})
    surest = min(parts, key=lambda part: part.p_against)
    last = {"name": surest.name.partition(" is ")[0], **surest.last.relative(INTERVAL)}
    return {"controls": controls, "missing": list(dict.fromkeys(missing)), "near": near, "last": last, "sets": len(parts),
            "margin": MARGIN}  # fmt: skip


def _scores(evidence: Evidence) -> dict[str, Any]:
    """C2: structure scores of l = 1 and 2 after and before training, and where complexity is permuted within a formula."""
    scores, (scale, gains) = evidence.tables["structure"], evidence.gains_at_best(Network(SIX, 16))
    if "null_mean" not in scores or not gains:
        return {}
    scores = scores.merge(evidence.runs[evidence.runs["scale"] == scale][["run_id"]], on="run_id")
    there = (scores["measure"] == SCORE) & (scores["layer"] == f"block{int(evidence.runs['num_blocks'].max()) - 1}")
    scores = scores[there & scores["ls"].map(lambda ls: tuple(ls) == SIX).astype(bool) & (scores["mul"] == 16)]
    means = scores.assign(l=scores["irrep"].map(order_of)).groupby(["l", "trained"])[["value", "null_mean"]].mean()
    values, chances = (means[name].to_dict() for name in ("value", "null_mean"))
    rows = [{"l": l, "after": values[l, True], "before": values[l, False], "chance": chances[l, True]} for l in (1, 2)]
    return {"orders": rows, "above": all(min(row["after"], row["before"]) > row["chance"] + STRUCTURE for row in rows)}


def _papers_reference(evidence: Evidence) -> dict[str, Any]:
    """C3: the same comparison of errors with the paper's reference *mean*, at the largest scale below the paper's."""
    known = [row for row in _smaller_scales(evidence) if min(row["seeds"]) >= MIN_SEEDS]
    return {"first": str(Network(FOUR, 16)), "second": str(Network(WITHOUT, 16)), **known[-1]} if known else {}


def _papers_settings(evidence: Evidence) -> dict[str, Any]:
    """C3: the same comparison of errors under the paper's settings, whatever the number of seeds, and what the paper prints.

    `change` and `last`: relative change of the mean error, by averaged weights and by the last iterate; `errors` [eV] of both
    under averaged weights, and `best`, those at `rung`, the highest other one where the comparison counts ("" and NaN without
    one); `seeds` and `devices` of both; `judged`: whether the rule counts the comparison; `printed`: the change between the
    paper's two numbers; `scatter`: the largest factor between two seeds of one of these networks under one of all other settings
    that they were trained with (NaN where none has two seeds); `smaller`: the change at each smaller scale with the paper's
    reference (see `_smaller_scales`).
    """
    pair = Network(FOUR, 16), Network(WITHOUT, 16)
    judged, last = ([evidence.errors(network, TOP, column) for network in pair] for column in (JUDGED, BESIDE))
    if not all(judged):
        return {}
    runs = evidence.runs[[network in pair for network in zip(evidence.runs["ls"], evidence.runs["mul"], strict=True)]]
    lower = [of for _, of in runs[runs["scale"] != TOP].groupby(["ls", *OF_SCALE])[JUDGED] if len(of) > 1]
    devices = runs[runs["scale"] == TOP].groupby("ls")["device_name"].unique()
    printed = [printed_error(network.ls, network.mul, PAPERS.epochs) for network in pair]
    rung = next((scale for scale in reversed(SCALES) if scale != TOP and not evidence.comparison(*pair, scale).why), "")
    return {
        "first": str(pair[0]), "second": str(pair[1]), "seeds": [len(errors) for errors in judged],
        "change": _of_means(*judged), "last": _of_means(*last),
        "errors": [_mean_of(errors) for errors in judged],
        "rung": rung, "best": [_mean_of(evidence.errors(network, rung)) for network in pair],
        "devices": [", ".join(sorted(map(str, devices[network.ls]))) for network in pair],
        "judged": not evidence.comparison(*pair, TOP).why,
        "printed": printed[1] / printed[0] - 1 if printed[0] and printed[1] else None,
        "scatter": max((float(of.max() / of.min()) for of in lower), default=float("nan")),
        "smaller": _smaller_scales(evidence),
    }  # fmt: skip


def _smaller_scales(evidence: Evidence) -> list[dict[str, Any]]:
    """C3: the comparison below the top with the paper's reference, whatever the `seeds`, smallest scale first.

    `molecules`, `steps`; the relative `change` of the error, with its interval `low` to `high` (NaN with one seed); `below`: how
    many of the two networks are below the linear baseline.
    """
    runs, rows = evidence.runs[(evidence.runs["reference"] == PAPERS.reference) & (evidence.runs["mul"] == 16)], []
    for config in (RunConfig.from_dict(fields) for name, fields in SCALES.items() if name != TOP):
        there = runs[(runs["num_train"] == config.num_train) & (runs["epochs"] == config.epochs)]
        sides = [there[JUDGED][there["ls"] == ls].to_numpy() for ls in (FOUR, WITHOUT)]
        if min(map(len, sides)):
            limit = evidence.baselines.get(config.num_train, np.nan)
            rows.append({"molecules": config.num_train, "steps": steps(config), "seeds": [len(side) for side in sides],
                         "below": sum(bool(side.mean() < limit) for side in sides),
                         **log_ratio(*sides).relative(INTERVAL)})  # fmt: skip
    return rows


def _structure_by_scale(evidence: Evidence) -> list[dict[str, Any]]:
    """C3: the part about structure at every rung where both networks have enough seeds: `scale`, `estimate`, `low`, `high`,
    `seeds`, `outcome`.
    """
    rows = []
    for scale in SCALES:
        four, without = (evidence.gains(Network(ls, 16), scale) for ls in (FOUR, WITHOUT))
        if min(len(four), len(without)) >= MIN_SEEDS:
            part = structure_gain(four, without, scale)
            low, high = part.estimate.interval(INTERVAL)
            rows.append({"scale": scale, "estimate": part.estimate.value, "low": low, "high": high, "seeds": part.seeds,
                         "outcome": part.outcome})  # fmt: skip
    return rows


def _mean_of(errors: dict[int, float]) -> float:
    return float(np.mean(list(errors.values()) or [np.nan]))


def _of_means(first: dict[int, float], second: dict[int, float]) -> float:
    return _mean_of(second) / _mean_of(first) - 1


def _other_settings(evidence: Evidence) -> dict[str, Any]:
    """C3: what the three functions above find, by the names `reference`, `full` and `structure`."""
    sources = {"reference": _papers_reference, "full": _papers_settings, "structure": _structure_by_scale}
    found = {name: of(evidence) for name, of in sources.items()}
    return found if any(found.values()) else {}


def _by_block(evidence: Evidence) -> dict[str, Any]:
    """C4: damage of l = 0 behind each block beside that of the costliest other order, means over seeds."""
    grid = evidence.damages(Network(SIX, 16), "damage")[1]
    if grid.empty:
        return {}
    means, rows = grid.mean(), []
    for layer in dict.fromkeys(layer for layer, _ in cells_of(grid)):
        others = {irrep: means[(layer, irrep)] for of, irrep in cells_of(grid) if of == layer and order_of(irrep)}
        zero = next(means[(layer, irrep)] for of, irrep in cells_of(grid) if of == layer and not order_of(irrep))
        worst = max(others, key=lambda irrep: others[irrep])
        rows.append(
            {"block": layer, "zero": float(np.expm1(zero)), "other": float(np.expm1(others[worst])), "l": order_of(worst)}
        )
    return {"blocks": rows}


def _used_all_the_same(evidence: Evidence) -> dict[str, Any]:
    """C5: orders that are used though training without them is not shown to cost the margin; the nearest pair, unpaired."""
    found = answers(evidence, Network(FOUR, 16), at=MAIN)
    if found.empty or any(part.why for part in same_errors(evidence)):
        return {}
    used = found[found["answer"].isin((USED, REPLACEABLE)) & found["cost"].notna()]
    pairs = [(Network(first, 16), Network(second, 16)) for k, first in enumerate(SUBSTITUTES) for second in SUBSTITUTES[k + 1 :]]
    nearest = min((evidence.decisive(*pair) for pair in pairs), key=lambda comparison: abs(comparison.ratio.value))
    orders = [{"l": row["l"], "change": row["cost"], "low": row["cost_low"], "high": row["cost_high"]}
              for row in used.to_dict("records")]  # fmt: skip
    unpaired = {"name": f"{nearest.second} in place of {nearest.first}", **nearest.ratio.relative(INTERVAL)}
    return {"network": str(Network(FOUR, 16)), "orders": orders, "unpaired": unpaired, "margin": MARGIN}


def _published(evidence: Evidence) -> dict[str, Any]:
    """C6: how wide the intervals of structure are, how many of these parts are open, which scores random weights reach, and
    behind how many layers l = 0 moves predictions most.
    """
    parts = [part for part in foundation_model(evidence) if "structure" in part.name]
    shares = evidence.tables["foundation"]
    if not parts or shares.empty:
        return {}
    means = shares[shares["weights"] == "trained"].groupby(["model", "layer", "irrep"])["damage_share"].mean().unstack()
    means = means[means.notna().sum(axis=1) > 1]  # the last layer has scalars alone
    most = means.idxmax(axis=1).map(order_of) == 0
    models = evidence.tables.get("foundation_models", pd.DataFrame())
    return {"half": min(part.estimate.value - part.estimate.interval(INTERVAL)[0] for part in parts), "matters": STRUCTURE,
            "random": parts[0].seeds.partition(" ")[0], "parts": len(parts), "first": int(most.sum()), "layers": len(most),
            "molecules": int(models["molecules"].max()) if len(models) else None, "chance": _by_chance(evidence),
            "open": sum(part.outcome == UNDECIDED for part in parts)}  # fmt: skip


def _by_chance(evidence: Evidence) -> list[float]:
    """C6: the least and the largest mean structure score of random weights, l = 1 and 2 of each model at its last layer."""
    scores = evidence.tables["foundation_structure"]
    scores = scores[(scores["weights"] == "random") & (scores["measure"] == SCORE)]
    scores = scores[[order_of(irrep) in (1, 2) for irrep in scores["irrep"]]]
    last = scores[scores["layer"] == scores.groupby(["model", "irrep"])["layer"].transform("max")]
    means = last.groupby(["model", "irrep"])["value"].mean()
    return [float(means.min()), float(means.max())]


NUMBERS: dict[str, Callable[[Evidence], dict[str, Any]]] = {
    "C1": _added, "C2": _scores, "C3": _other_settings, "C4": _by_block, "C5": _used_all_the_same, "C6": _published,
}  # fmt: skip
"""What stands beside the rule of each claim."""
