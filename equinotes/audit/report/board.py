"""Numbers of the claims board: each measured interval of protocol 2 beside the change from which it matters."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.second.claims import CLAIMS, MARGIN
from equinotes.audit.protocols.second.parts import RATIO
from equinotes.audit.protocols.second.rules import judge, parts_table
from equinotes.audit.protocols.second.runs import MAIN
from equinotes.audit.report.deciding import ladder_of, least_that_counts

PUBLISHED = "published weights"
"""The scale of a claim about models that others trained."""
GAIN, SHARES = "gain of structure [rank correlation]", "damage share"
ERRORS = {
    "C2": "rise of the error when shuffled, beyond untrained [%]",
    "C4": "error: l = 0 shuffled, against the costliest other [%]",
}
"""What a change of an error is a change of, where it does not compare two sets of orders."""
ERROR = "change of the error [%]"
COLUMNS = ("claim", "scale", "measure", "label", "value", "low", "high", "threshold", "meaning")


def intervals(tables: Tables) -> pd.DataFrame:
    """One row for each part that was measured, and for each lower rung of the ladder; see `claims_board` for the columns."""
    parts = parts_table(tables).dropna(subset="estimate")
    rows = [_of_part(row) for row in parts.to_dict("records")]
    for claim in CLAIMS:
        ladder = ladder_of(tables, claim.name)
        rows += [_of_rung(row) for row in ladder[ladder["scale"] != MAIN].dropna(subset="estimate").to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def board(tables: Tables) -> dict[str, Any]:
    """What `claims_board` takes: `table`, `statements` (claim -> sentence) and `verdicts` ((claim, scale) -> words)."""
    table, verdicts = intervals(tables), judge(tables).set_index("claim")["verdict"]
    scales = table[table["scale"].isin([MAIN, PUBLISHED])].groupby("claim")["scale"].first()
    return {
        "table": table,
        "statements": {claim.name: claim.statement for claim in CLAIMS},
        "verdicts": {(claim.name, scales.get(claim.name, MAIN)): verdicts[claim.name] for claim in CLAIMS},
    }


def _of_part(row: Mapping[Any, Any]) -> dict[str, Any]:
    layer = row["scale"].startswith("layer")
    about = {"claim": row["claim"], "scale": PUBLISHED if layer else row["scale"].partition(", block")[0]}
    label = f"{row['part']} ({row['scale']})" if layer else row["part"]
    if row["unit"] == RATIO:
        return about | {"label": label} | _changes(row) | {"measure": ERRORS.get(row["claim"], ERROR)}
    structure, limit = "structure" in row["part"], least_that_counts(row["part"], row["unit"])
    meaning = "the least that matters" if limit else "no difference to the other orders"
    numbers = {
        "value": row["estimate"],
        "low": row["low"],
        "high": row["high"],
        "threshold": math.copysign(limit, row["estimate"]),
    }
    return about | {"label": label, "measure": GAIN if structure else SHARES, "meaning": meaning} | numbers


def _of_rung(row: Mapping[Any, Any]) -> dict[str, Any]:
    label = f"{row['second']} in place of {row['first']}"
    return {"claim": row["claim"], "scale": row["scale"], "label": label, "measure": ERROR} | _changes(row)


def _changes(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Changes of an error in percent; what matters is a factor of 1 + margin, up or down, on the side of the estimate."""
    limit = MARGIN if row["estimate"] >= 0 else 1 / (1 + MARGIN) - 1
    numbers = {"value": row["estimate"], "low": row["low"], "high": row["high"], "threshold": limit}
    return {"meaning": "the least that matters"} | {name: 100 * number for name, number in numbers.items()}
