"""Made-up tables of the comparison of networks, in which every number is chosen."""

import numpy as np
import pandas as pd

from equinotes.audit.protocols.networks.runs import PLACES, SETS, WHOLE, configuration
from equinotes.audit.protocols.networks.tables import SCHEMAS
from equinotes.runs.store import error_columns

LAYERS = {"paper": ("block1", "block2"), "nequip": ("block1",), "se3_transformer": ("block1", "block2"),
          "segnn": ("attributes", "embedding", "block1")}  # fmt: skip
ERROR = 0.1


def planted(
    error=lambda place, ls: ERROR, scatter=0.02, seeds=range(5), damage=lambda place, l, name, trained: 0.0,
    reaches=lambda place, l, name: True, damage_scatter=0.01, examined=range(5), rng=0,
):  # fmt: skip
    """Stored tables: errors scatter by a factor, damage by an offset for each seed; l = 1 and 2 reach where `reaches` says."""
    rng, rows = np.random.default_rng(rng), {name: [] for name in ("runs", "uses", "reach")}
    for place in PLACES:
        sets = SETS if place.whole else (WHOLE, (0,))
        for ls, seed in [(ls, seed) for ls in sets for seed in seeds if place.whole or seed < 3]:
            config = configuration(place, ls, seed)
            mae = error_columns(config.unit)["mae"]
            value = error(place, ls) * np.exp(scatter * rng.normal())
            rows["runs"].append({"run_id": config.run_id, **config.to_dict(), mae: 1.5 * value, f"average_{mae}": value})
            if place.whole and ls == WHOLE and seed in examined:
                _examined(rows, place, config, damage, reaches, damage_scatter, rng)
    tables = {name: pd.DataFrame(columns=list(columns)) for name, columns in SCHEMAS.items()}
    return tables | {name: pd.DataFrame(found) for name, found in rows.items() if found}


def _examined(rows, place, config, damage, reaches, scatter, rng):
    about = {"run_id": config.run_id, "ls": list(config.ls), "mul": config.mul, "seed": config.seed}
    parity = "eee" if place.network == "se3_transformer" else "eoe"
    for trained in (True, False):
        for layer, name in enumerate(LAYERS[place.network]):
            for l in WHOLE:
                cell = about | {"trained": trained, "layer": layer, "name": name, "irrep": f"{l}{parity[l]}"}
                felt = reaches(place, l, name)
                rows["reach"].append(cell | {"reaches": felt})
                offset = scatter * rng.normal()
                rows["uses"] += [
                    cell | {"draw": draw, "whole_mae": 1.0, "mae": 1.0, "damage": damage(place, l, name, trained) + offset}
                    for draw in range(2 if felt else 0)
                ]
