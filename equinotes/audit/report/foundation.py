"""Numbers of the page about foundation models (claim C6). All come from the stored tables; the package `sevenn` is not needed."""

from typing import Any

import pandas as pd

from equinotes.analysis.inference import mean
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.second import PROTOCOL
from equinotes.audit.protocols.second.evidence import INTERVAL, SCORE
from equinotes.audit.protocols.second.parts import OPPOSITE, SHOWN
from equinotes.audit.protocols.second.parts import UNDECIDED as OPEN
from equinotes.audit.protocols.second.rules import parts_table
from equinotes.irreps import natural

CLAIM = "C6"
ENDING = " has no structure"
"""How the name of a part about structure ends."""
KINDS = {"learned": OPPOSITE, "unlearned": SHOWN, "undecided": OPEN}
"""What the outcome of such a part says of training."""
STATEMENT = next(claim for claim in PROTOCOL.claims if claim.name == CLAIM)


def verdict(tables: Tables) -> dict[str, Any]:
    """The row of the claim as the protocol judges it."""
    judged = PROTOCOL.judge(tables)
    return {str(name): value for name, value in judged[judged["claim"] == CLAIM].iloc[0].items()}


def parts(tables: Tables) -> pd.DataFrame:
    """The parts of the claim: `part`, `outcome`, `estimate`, `low`, `high`, `seeds`, `scale`, `p_for`, `p_against`, `why`."""
    table = parts_table(tables)
    return table[table["claim"] == CLAIM].reset_index(drop=True)


def damage(tables: Tables) -> pd.DataFrame:
    """Damage share per layer and order, mean and interval over the groups of molecules.

    Columns `model`, `weights`, `layer`, `l`, `value`, `low`, `high`, `groups`.
    """
    rows = []
    for (model, layer, irrep), group in tables["foundation"].groupby(["model", "layer", "irrep"], sort=False):
        share = mean(group["damage_share"].to_numpy())
        rows.append((model, "trained", layer, order_of(str(irrep)), share.value, *share.interval(INTERVAL), len(group)))
    return pd.DataFrame(rows, columns=["model", "weights", "layer", "l", "value", "low", "high", "groups"])


def damage_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per model and layer, with the `shares` of its orders: `l`, `value`, `low`, `high`."""
    table = damage(tables)
    return [
        {"model": model, "layer": layer, "shares": group[["l", "value", "low", "high"]].to_dict("records")}
        for (model, layer), group in table.groupby(["model", "layer"], sort=False)
    ]


def short(tables: Tables) -> dict[str, Any]:
    """The page's answer; empty where nothing is stored.

    `least`: the smallest damage share; `exceptions`: layers with several orders where another one than l = 0 has the largest
    (`model`, `layer`, `l`); of the tests of structure, those where training made some (`learned`), those where it made none
    (`unlearned`) and those that are `undecided`, each as "$l=1$ of model"; how many `draws` of random weights they have, and
    `half` the width of the narrowest interval.
    """
    shares, tests = damage(tables), parts(tables)
    tests = tests[tests["part"].str.endswith(ENDING)]
    if not len(shares):
        return {}
    several = shares[shares.groupby(["model", "layer"])["l"].transform("size") > 1]
    largest = several.loc[several.groupby(["model", "layer"], sort=False)["value"].idxmax()]
    random = tables["foundation_models"].query("weights == 'random'")
    return {
        "least": float(shares["value"].min()),
        "exceptions": largest[largest["l"] > 0][["model", "layer", "l"]].to_dict("records"),
        **{kind: [_whose(part) for part in tests["part"][tests["outcome"] == outcome]] for kind, outcome in KINDS.items()},
        "draws": int(random.groupby("model").size().min()),
        "half": float((tests["high"] - tests["low"]).min() / 2),
    }


def _whose(part: str) -> str:
    """The order that a part about structure is of, and its model.

    >>> _whose("SevenNet-0: l = 1 has no structure")
    '$l=1$ of SevenNet-0'
    """
    model, order = part.removesuffix(ENDING).split(": ")
    return f"${order.replace(' ', '')}$ of {model}"


def structure(tables: Tables) -> pd.DataFrame:
    """Structure scores: `model`, `weights`, `seed`, `layer`, `l`, `value`."""
    table = tables["foundation_structure"]
    return _with_orders(table[table["measure"] == SCORE])


def norms(tables: Tables) -> pd.DataFrame:
    """Share of each order in the mean squares of a layer with several: `model`, `weights`, `seed`, `layer`, `l`, `value`."""
    table = tables["foundation_norms"].rename(columns={"share": "value"})
    several = table.groupby(["model", "weights", "seed", "layer"])["irrep"].transform("size") > 1
    return _with_orders(table[several])


def pictures(tables: Tables, model: str) -> pd.DataFrame:
    """PHATE pictures of one model as `plot_phate` reads them, random weights first, with each molecule's `score`."""
    table = tables["foundation_pictures"]
    table = table[table["model"] == model].sort_values("weights", kind="stable")
    irreps = [irrep if irrep == "joint" else natural(order_of(irrep)) for irrep in table["irrep"]]  # no parity is known
    names = table["weights"] + " weights"
    return table.assign(irrep=irreps, molecule=pd.factorize(table["qm9_index"])[0], network=names)


def models(tables: Tables) -> pd.DataFrame:
    """The trained models: `model`, `parameters`, `molecules`, `draws`, `spread_eV`, `agreement`, `mirror_eV`."""
    table = tables["foundation_models"]
    return table[table["weights"] == "trained"].reset_index(drop=True)


def order_of(irrep: str) -> int:
    """The order of an irrep such as "2e"."""
    return int(irrep[:-1])


def _with_orders(table: pd.DataFrame) -> pd.DataFrame:
    columns = ["model", "weights", "seed", "layer", "l", "value"]
    return table.assign(l=[order_of(irrep) for irrep in table["irrep"]])[columns].reset_index(drop=True)
