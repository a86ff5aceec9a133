"""What training adds to the structure of latents, for the pages of protocol 2."""

from itertools import product
from typing import Any

import pandas as pd

from equinotes.analysis.inference import mean
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.second.claims import MIN_SEEDS
from equinotes.audit.protocols.second.evidence import INTERVAL, Evidence, Network, order_of
from equinotes.audit.protocols.second.runs import FOUR, MAIN, SCALES, SIX, SUBSTITUTES, WITHOUT


def structured(tables: Tables) -> dict[str, Any]:
    """Of the network with orders `many`, at the rung `MAIN`: `gained`, orders above 0 whose latents gain structure by training
    (interval above 0), and `level`, the others.
    """
    rows = [
        row
        for row in gains(tables).to_dict("records")
        if row["network"] == str(Network(SIX, 16)) and row["scale"] == MAIN and order_of(row["irrep"])
    ]
    return {"many": SIX, "gained": [order_of(row["irrep"]) for row in rows if row["low"] > 0],
            "level": [order_of(row["irrep"]) for row in rows if row["low"] <= 0]}  # fmt: skip


def gains(tables: Tables) -> pd.DataFrame:
    """Change of the structure score by training behind the last block that counts, at every rung with enough seeds: `network`,
    `irrep`, `gain`, `low`, `high`, `seeds`, `scale`.
    """
    evidence, rows = Evidence(tables), []
    for ls, scale in product(dict.fromkeys((SIX, FOUR, WITHOUT, *SUBSTITUTES)), SCALES):
        found = evidence.gains(Network(ls, 16), scale)
        for irrep in found if len(found) >= MIN_SEEDS else ():
            estimate = mean(found[irrep].to_numpy())
            low, high = estimate.interval(INTERVAL)
            rows.append({"network": str(Network(ls, 16)), "irrep": irrep, "gain": estimate.value, "low": low, "high": high,
                         "seeds": len(found), "scale": scale})  # fmt: skip
    return pd.DataFrame(rows, columns=["network", "irrep", "gain", "low", "high", "seeds", "scale"])
