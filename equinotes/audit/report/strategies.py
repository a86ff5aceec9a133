"""Numbers of the page of training strategies: what each one changes, its verdict, and what follows for practice."""

from typing import Any

import numpy as np
import pandas as pd

from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.strategies.claims import CLAIMS, HARMS, HELPS, NOT_RUN, NOTHING, NULL, OPEN, RAISES, SHRINKS
from equinotes.audit.protocols.strategies.rules import effects_table, judge
from equinotes.audit.protocols.strategies.runs import ATTENTION, COEFFICIENTS, NETWORKS, nets_of

NETS = {**NETWORKS, **ATTENTION}
"""Every network of the protocol by its name."""


def verdict_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per strategy: `name`, `verdict`, `coefficient` (missing where none was chosen), and of the network that changes
    most: `network`, `error` and `against_control` (relative changes, means), `use` (of the order above 0 whose use changes most:
    `l`, `change`), `seeds`; None where nothing was run.
    """
    rows = []
    for row in judge(tables).to_dict("records"):
        numbers = dict(row["numbers"])
        coefficient = numbers.pop("coefficient", np.nan) if row["claim"] in COEFFICIENTS else np.nan
        numbers.pop("coefficient", None)
        found: dict[str, Any] = {"name": row["claim"], "verdict": row["verdict"], "coefficient": coefficient, "network": None}
        if numbers:
            network, of = max(numbers.items(), key=lambda item: abs(item[1]["error"]))
            changes = {int(key[4:]): value for key, value in of.items() if key.startswith("use_") and key != "use_0"}
            known = {l: value for l, value in changes.items() if not np.isnan(value)}
            l = max(known, key=lambda l: abs(known[l])) if known else None
            use = None if l is None else {"l": l, "change": known[l]}
            errors = {"error": of["error"], "against_control": of["against_control"]}
            found |= {"network": network, **errors, "use": use, "seeds": of["seeds"]}
        rows.append(found)
    return rows


def practice(tables: Tables) -> dict[str, list[str]]:
    """Names of the strategies by what they do: `helps`, `harms`, `moves` (use alone), `nothing`, `null`, `open`, `missing`."""
    of = {row["claim"]: row["verdict"] for row in judge(tables).to_dict("records")}
    kinds = {"helps": (HELPS,), "harms": (HARMS,), "moves": (SHRINKS, RAISES), "nothing": (NOTHING,), "null": (NULL,)}
    kinds |= {"open": (OPEN,), "missing": (NOT_RUN,)}
    return {kind: [name for name, verdict in of.items() if verdict in verdicts] for kind, verdicts in kinds.items()}


def drawn(tables: Tables, network: str) -> tuple[pd.DataFrame, list[str]]:
    """What the figure shows of one network: rows of `effects_table`, and the names of all strategies tried on it."""
    effects = effects_table(tables)
    names = [claim.name for claim in CLAIMS if network in nets_of(claim.name)]
    return effects[effects["network"] == network], names
