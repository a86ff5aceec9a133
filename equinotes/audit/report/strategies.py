"""Numbers of the page of training strategies: what each one changes, its verdict, and what follows for practice."""

from typing import Any

import numpy as np
import pandas as pd

from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.strategies import claims
from equinotes.audit.protocols.strategies.rules import effects_table, judge
from equinotes.audit.protocols.strategies.runs import ATTENTION, COEFFICIENTS, NETWORKS, SEEDS, choice, nets_of, tried

NETS = {**NETWORKS, **ATTENTION}
"""Every network of the protocol by its name."""


def verdict_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per strategy: `name`, `verdict`, `coefficient` (missing where none was chosen), `network` (the one whose error
    changes most; None where not all were run), `most` (its change) and `seeds`, and on average over the networks `error` and
    `against_control` (relative changes) and `use` (of the orders above 0 that decide; None where it was not measured).
    """
    rows = []
    for row in judge(tables).to_dict("records"):
        numbers = dict(row["numbers"])
        coefficient = numbers.pop("coefficient", np.nan) if row["claim"] in COEFFICIENTS else np.nan
        numbers.pop("coefficient", None)
        found: dict[str, Any] = {"name": row["claim"], "verdict": row["verdict"], "coefficient": coefficient, "network": None}
        if average := numbers.pop("average", None):
            network, of = max(numbers.items(), key=lambda item: abs(item[1]["error"]))
            found |= {"network": network, "most": of["error"], "seeds": of["seeds"]}
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


def practice(tables: Tables) -> dict[str, list[str]]:
    """Names of the strategies by what they do: `helps`, `harms`, `moves` (use alone), `nothing`, `control` (as much as their
    control), `null`, `open`, `missing`; `early`: those of them that lack seeds.
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
    return found | {"early": [row["claim"] for row in judged if _lacks_seeds(row["claim"], row["numbers"])]}


def _lacks_seeds(strategy: str, numbers: dict[str, Any]) -> bool:
    """Whether fewer seeds than planned were judged."""
    return bool(numbers) and any(numbers[name]["seeds"] < SEEDS[net.ls] for name, net in nets_of(strategy).items())


def drawn(tables: Tables, network: str) -> tuple[pd.DataFrame, list[str]]:
    """What the figure shows of one network: rows of `effects_table`, and the names of all strategies tried on it."""
    effects = effects_table(tables)
    names = [claim.name for claim in claims.CLAIMS if network in nets_of(claim.name)]
    return effects[effects["network"] == network], names
