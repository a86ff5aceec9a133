"""Made-up tables of protocol 2, in which every number is chosen."""

import numpy as np
import pandas as pd

from equinotes.audit.protocols.second.runs import FOUR, MAIN, SCALES, SIX, SUBSTITUTES, TOP, WITHOUT, experiments
from equinotes.audit.protocols.second.tables import SCHEMAS
from equinotes.irreps import natural

GOOD, BASELINE = 0.08, 0.45
"""Errors of a network and of the linear baseline [eV]."""
EXAMINED = (SIX, FOUR, WITHOUT, *SUBSTITUTES)
CONFIGS = list({config.run_id: (name, config) for name, configs in experiments().items() for config in configs}.values())


def scale_of(config):
    """Name of the rung of a configuration; the paper's reference below the top is no rung."""
    sizes = {(fields["num_train"], fields.get("reference", "composition")): name for name, fields in SCALES.items()}
    return sizes.get((config.num_train, config.reference), "")


def planted(
    error=lambda ls, mul, scale: GOOD, scatter=0.03, common=0.0, run=lambda config, scale: scale in (MAIN, "500 steps"),
    damage=lambda ls, l, block, trained: 0.3 if trained else 0.1, damage_scatter=0.02,
    score=lambda ls, l, trained: 0.3, score_scatter=0.01, share=lambda l, layer: 0.3, random_score=0.3, trained_score=0.3,
    examined=EXAMINED, models=(), rng=0,
):  # fmt: skip
    """Stored tables: errors scatter by a factor `scatter`, of which `common` is shared by runs of one seed."""
    rng = np.random.default_rng(rng)
    shared = rng.normal(size=(len(SCALES) + 1, 5))
    rows = {name: [] for name in ("runs", "uses", "structure", "foundation", "foundation_structure")}
    for name, config in CONFIGS:
        scale = scale_of(config)
        if not run(config, scale):
            continue
        level = list(SCALES).index(scale) if scale else -1
        noise = common**0.5 * shared[level, config.seed] + (1 - common) ** 0.5 * rng.normal()
        mae = error(config.ls, config.mul, scale) * np.exp(scatter * noise)
        errors = {"average_mae_eV": mae, "mae_eV": 1.2 * mae * np.exp(3 * scatter * rng.normal())}
        rows["runs"].append({"experiment": name, "run_id": config.run_id, **config.to_dict(), **errors})
        if scale == MAIN and config.mul == 16 and config.ls in examined:
            about = {"run_id": config.run_id, "ls": list(config.ls), "mul": config.mul, "seed": config.seed}
            rows["uses"] += _uses(about, damage, damage_scatter, rng)
            rows["structure"] += _structure(about, score, score_scatter, rng)
    for model in models:
        _foundation(rows, model, share, trained_score, random_score, rng)
    tables = {name: pd.DataFrame(columns=list(columns)) for name, columns in SCHEMAS.items()}
    tables |= {name: pd.DataFrame(found) for name, found in rows.items() if found}
    sizes = sorted({fields["num_train"] for fields in SCALES.values()})
    return tables | {"baselines": pd.DataFrame({"baseline": "bond lengths", "num_train": sizes, "mae_eV": BASELINE})}


def _uses(about, damage, scatter, rng):
    return [
        {**about, "trained": trained, "layer": block, "irrep": natural(l), "draw": draw, "whole_mae_eV": GOOD, "mae_eV": GOOD,
         "damage": damage(tuple(about["ls"]), l, block, trained) + offset + 0.1 * scatter * rng.normal()}
        for trained in (True, False) for block in range(1, 5) for l in about["ls"]
        for offset in [scatter * rng.normal()] for draw in range(2)
    ]  # fmt: skip


def _structure(about, score, scatter, rng):
    return [
        {**about, "trained": trained, "layer": f"block{block}", "irrep": natural(l), "measure": "neighbours given size",
         "value": (score(tuple(about["ls"]), l, trained) if block == 4 else 0.9) + scatter * rng.normal()}
        for trained in (True, False) for block in (1, 4, 5) for l in about["ls"]
    ]  # fmt: skip


def _foundation(rows, model, share, trained_score, random_score, rng):
    irreps = ("0e", "1e", "2e")
    for layer, irrep in [(layer, irrep) for layer in range(1, 5) for irrep in irreps]:
        about = {"model": model, "layer": layer, "irrep": irrep}
        rows["foundation"] += [
            {**about, "weights": "trained", "seed": 0, "group": group,
             "damage_share": share(int(irrep[0]), layer) + 0.005 * rng.normal()} for group in range(10)
        ]  # fmt: skip
        rows["foundation_structure"] += [
            {**about, "weights": weights, "seed": seed, "measure": "neighbours given size",
             "value": (trained_score if weights == "trained" else random_score) + 0.01 * rng.normal()}
            for weights, seeds in (("trained", 1), ("random", 5)) for seed in range(seeds)
        ]  # fmt: skip


__all__ = ["BASELINE", "CONFIGS", "GOOD", "TOP", "planted", "scale_of"]
