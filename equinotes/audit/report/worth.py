"""What both orders above 0 are worth, in short and in the picture, and what the rules of the comparison of networks do not see:
runs that diverged or are worse than a linear fit, and shuffles that hurt untrained networks more than trained ones.
"""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from equinotes.analysis.calibration import above_untrained
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.networks.evidence import Evidence, error_table
from equinotes.audit.protocols.networks.rules import parts_table
from equinotes.audit.protocols.networks.runs import ANISOTROPY, ENERGY, FIELDS, NONE, PLACES, SETS, WHOLE, Place, configuration
from equinotes.audit.protocols.second.claims import MARGIN
from equinotes.audit.protocols.second.evidence import INTERVAL, order_of
from equinotes.audit.protocols.second.parts import SHOWN
from equinotes.audit.report.networks import TITLES, baseline_rows, examined, place_name
from equinotes.support.text import set_name

DIVERGED = 10
"""A run has diverged if its error is more than so many times that of the best linear baseline."""
IGNORED = {ENERGY: "N1", ANISOTROPY: "N2"}
"""The claim that orders are ignored, by target."""


def costs(tables: Tables) -> pd.DataFrame:
    """What leaving out both orders above 0 costs, by network and place: `title`, `place` (in words), and the relative change of
    the error `cost` with `_low` and `_high`; NaN where not known, and where a run diverged.
    """
    table = error_table(tables)
    alone = table[table["ls"] == NONE]
    places = [place_name(row) for row in alone.to_dict("records")]
    alone = alone.assign(title=alone["network"].map(TITLES), place=places)[["title", "place", "cost", "cost_low", "cost_high"]]
    gone = {(row["title"], row["place"]) for row in diverged(tables)}
    out = [cell in gone for cell in zip(alone["title"], alone["place"], strict=True)]
    alone.loc[out, ["cost", "cost_low", "cost_high"]] = np.nan
    return alone


def short(tables: Tables) -> list[dict[str, Any]]:
    """Where both orders above 0 are worth something: for each `place` with stored runs, of how many networks (`known`) the error
    is `higher` without them (the interval lies above zero), the `titles` of these networks, and the `least` and `most` change.
    Networks of which a run diverged are left out.
    """
    rows = []
    for place, of in costs(tables).dropna(subset="cost").groupby("place", sort=False):
        higher, titles = of["cost_low"] > 0, of["title"].tolist()
        ends = {"least": float(of["cost"].min()), "most": float(of["cost"].max())}
        rows.append({"place": place, "known": len(of), "higher": int(higher.sum()), "titles": titles, **ends})
    return rows


def run_errors(tables: Tables) -> pd.DataFrame:
    """Test errors of stored runs (averaged weights): `title`, `place` (in words), `target`, `orders`, `error`, `unit`, `limit`.

    The `limit` is the error of the best linear baseline, NaN where none is stored.
    """
    evidence, limits = Evidence(tables), {row["target"]: (row["mae"], row["unit"]) for row in baseline_rows(tables)}
    rows = []
    for place in PLACES:
        limit, unit = limits.get(place.target, (np.nan, ""))
        about = {"title": TITLES[place.network], "place": place_name(place._asdict()), "target": place.target}
        for ls in SETS if place.whole else (WHOLE, NONE):
            of = about | {"orders": set_name(ls), "unit": unit, "limit": limit}
            rows += [of | {"error": error} for error in evidence.errors(place, ls)]
    return pd.DataFrame(rows, columns=["title", "place", "target", "orders", "unit", "limit", "error"])


def diverged(tables: Tables) -> list[dict[str, Any]]:
    """Networks of which a run diverged: `title`, `place`, `orders`, errors of those runs (`gone`) and of the `others`, `unit`."""
    rows = []
    for (title, place, orders), of in run_errors(tables).groupby(["title", "place", "orders"], sort=False):
        gone = of["error"] > DIVERGED * of["limit"]
        if gone.any():
            errors = {"gone": of["error"][gone].tolist(), "others": sorted(of["error"][~gone])}
            rows.append({"title": title, "place": place, "orders": orders, **errors, "unit": of["unit"].iloc[0]})
    return rows


def steadiness(tables: Tables) -> dict[str, Any]:
    """How networks were trained on energies, and how steadily.

    `rates`: the titles of the networks by learning rate; `limit`: error of the best linear baseline [eV], None where none is
    stored; `above`: networks with runs whose error is higher, with `title`, `runs` and `of` how many; `scatter`: title of the
    network whose errors differ most between seeds (standard deviation of logarithms), None where that is not known.
    """
    rates: dict[float, list[str]] = {}
    for name, title in TITLES.items():
        rates.setdefault(configuration(Place(name), WHOLE, 0).lr, []).append(title)
    errors = run_errors(tables).query("target == @ENERGY")
    higher = errors.assign(above=errors["error"] > errors["limit"]).groupby("title", sort=False)["above"].agg(["sum", "size"])
    above = [{"title": title, "runs": int(runs), "of": int(of)} for title, (runs, of) in higher.T.items() if runs]
    steady = errors[~(errors["error"] > DIVERGED * errors["limit"])]
    logs = steady.assign(log=np.log(steady["error"].astype(float))).groupby(["title", "place", "orders"])["log"].std()
    spread = logs.groupby("title").mean().dropna()
    limit = float(errors["limit"].iloc[0]) if len(errors) and errors["limit"].notna().all() else None
    return {"rates": rates, "limit": limit, "above": above, "scatter": spread.idxmax() if len(spread) else None}


def controls(tables: Tables) -> list[dict[str, Any]]:
    """Orders that the trained network reads, but whose shuffle hurts the untrained one, with a readout fitted, more.

    Where the interval of the damage above the control lies below zero and the trained network's own damage reaches the margin,
    behind the layer where the damage is largest: `title`, `l`, `name` of the layer, and `cases`, one for each target: `target`,
    factors of the error `trained` and `untrained` (geometric means over the seeds), and the `claim` of which this is a part that
    is shown (empty where it is not).
    """
    evidence, outcomes = Evidence(tables), parts_table(tables).set_index(["claim", "part"])["outcome"]
    found: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for network, (target, claim) in product(FIELDS, IGNORED.items()):
        place = Place(network, target)
        names = evidence.reached(place).drop_duplicates("layer").set_index("layer")["name"]
        for l, use in evidence.use(place).items():
            factors = _factors(tables, place, use.layer, l)
            if use.damage.interval(INTERVAL)[1] < 0 and factors["trained"] >= 1 + MARGIN:
                shown = outcomes[claim, f"{network}: l = {l} is ignored"] == SHOWN
                case = {"target": target, **factors, "claim": claim if shown else ""}
                found.setdefault((TITLES[network], l, str(names[use.layer])), []).append(case)
    return [{"title": title, "l": l, "name": name, "cases": cases} for (title, l, name), cases in found.items()]


def _factors(tables: Tables, place: Place, layer: int, l: int) -> dict[str, float]:
    """By which factor a shuffle of an order behind a layer multiplies the error, `trained` and `untrained`."""
    table = above_untrained(tables["uses"][tables["uses"]["run_id"].isin(examined(place.network, place.target))])
    of = table[(table["layer"] == layer) & (table["irrep"].map(order_of) == l)]
    return {"trained": float(np.exp(of["damage"].mean())), "untrained": float(np.exp(of["untrained"].mean()))}
