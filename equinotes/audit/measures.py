"""Each measured quantity, defined once: figures, tables and verdicts read these.

A measure turns a stored table into cells, one row for each network, order and block, with a `value` and a `mark` where a
threshold is met. `MEASURES` is the registry; rules, the glance and the command line go through it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from equinotes.audit.protocol import Tables
from equinotes.audit.statistics import agree
from equinotes.support.text import orders_name

Orders = tuple[int, ...]
Thresholds = Mapping[str, float]

NETWORK = ["run_id", "ls", "mul", "reference", "seed"]
"""What tells networks apart."""
KEYS = [*NETWORK, "set", "l", "block"]
"""What tells cells apart; `set` names the orders, `l` numbers the irrep, `block` the layer (0: the embedding)."""
STRUCTURE = "neighbours given size"
"""The measure of structure that counts: neighbours agree in complexity, with size taken off."""
BASELINE = "bond lengths"
"""The linear baseline that a network must have left behind."""
REST = "composition-residual energy"
"""The probe's target: what of the energy the composition does not explain."""


# ---- errors -------------------------------------------------------------------------------------------------------------------


def runs_of(tables: Tables, ls: Orders, mul: int, reference: str, experiments: tuple[str, ...]) -> pd.DataFrame:
    """The stored runs of a set of orders in some experiments, once each."""
    runs = tables["runs"]
    there = runs["experiment"].isin(experiments) & (runs["mul"] == mul) & (runs["reference"] == reference)
    there &= runs["ls"].map(lambda found: tuple(found) == ls).astype(bool)
    return runs[there].drop_duplicates("run_id")


def errors(tables: Tables, ls: Orders, mul: int, reference: str, experiments: tuple[str, ...]) -> dict[int, float]:
    """Test MAE [eV] by seed."""
    columns = (tables["runs"][name].tolist() for name in ("experiment", "ls", "mul", "reference", "seed", "mae_eV"))
    wanted = (ls, mul, reference)
    return {
        seed: mae
        for experiment, *network, seed, mae in zip(*columns, strict=True)
        if experiment in experiments and (tuple(network[0]), *network[1:]) == wanted
    }


def centred_errors(tables: Tables, ls: Orders, mul: int, reference: str, experiments: tuple[str, ...]) -> dict[int, float]:
    """Test MAE [eV] by seed after each network's median error was subtracted: what a common offset of all molecules leaves."""
    predicted, runs = tables["predictions"], runs_of(tables, ls, mul, reference, experiments)
    found = {}
    for seed, run_id in zip(runs["seed"].tolist(), runs["run_id"], strict=True):
        error = (predicted[run_id] - predicted["target_eV"]).to_numpy()
        found[seed] = float(np.abs(error - np.median(error)).mean())
    return found


def baseline(tables: Tables, num_train: int, name: str | None = None) -> float:
    """MAE [eV] of a linear baseline fitted to so many molecules, the strongest unless named; NaN where it is not stored."""
    table = tables["baselines"]
    table = table[table["num_train"] == num_train]
    return float(table[table["baseline"] == name]["mae_eV"].min() if name else table["mae_eV"].min())


# ---- single networks ----------------------------------------------------------------------------------------------------------


def order_of_irrep(irreps: pd.Series) -> pd.Series:
    """The orders of irreps such as "2e"."""
    return irreps.astype(str).str.extract(r"^(\d+)", expand=False).astype(int)


def block_of_layer(layers: pd.Series) -> pd.Series:
    """Numbers of blocks from names such as "block3" or from numbers; what is no block becomes 0."""
    return layers.astype(str).str.extract(r"^(?:block)?(\d+)$", expand=False).fillna(0).astype(int)


def examined(tables: Tables, name: str) -> pd.DataFrame:
    """A diagnostic's rows about networks whose runs are stored, with the columns of `KEYS` beside its own."""
    runs = tables["runs"][["run_id", "reference"]].drop_duplicates("run_id")
    table = tables[name].merge(runs, on="run_id", how="inner")
    sets = table["ls"].map(tuple)
    return table.assign(
        ls=sets, set=sets.map(orders_name), l=order_of_irrep(table["irrep"]), block=block_of_layer(table["layer"])
    ).astype({"mul": int, "seed": int})


def flow(tables: Tables, thresholds: Thresholds, *, trained: bool = True) -> pd.DataFrame:
    """Share of the block's gradient x activation, summed over orders to 1; marked where one order dominates."""
    table = examined(tables, "gradients")
    table = table[(table["trained"].astype(bool) == trained) & (table["block"] > 0)]
    return table.assign(value=table["share"], mark=table["share"] > thresholds["dominant"])


def damage(tables: Tables, thresholds: Thresholds, *, mode: str = "shuffle") -> pd.DataFrame:
    """Change of the MAE when an order is spoilt, as a share of the whole network's MAE.

    Marked where that counts as used: it reaches the threshold, and its interval over molecules lies above zero.
    """
    table = examined(tables, "ablations")
    table = table[(table["mode"] == mode) & table["trained"].astype(bool)]
    value = table["delta_mae_eV"] / (table["mae_eV"] - table["delta_mae_eV"])
    return table.assign(value=value, mark=(value >= thresholds["damage"]) & (table["low_eV"] > 0))


def structure(tables: Tables, thresholds: Thresholds, *, trained: bool | None = True) -> pd.DataFrame:
    """How far neighbours in an order's power spectra agree in complexity, above the null's mean; marked where significant.

    `trained` None keeps networks before and after training.
    """
    table = examined(tables, "structure")
    table = table[(table["measure"] == STRUCTURE) & (table["block"] > 0)].rename(columns={"value": "agreement"})
    if trained is not None:
        table = table[table["trained"].astype(bool) == trained]
    return table.assign(value=table["agreement"] - table["null_mean"], mark=table["p"] < thresholds["significant"])


def probe_gain(tables: Tables, thresholds: Thresholds, *, target: str = REST) -> pd.DataFrame:
    """R² of the probe on a trained network less that on the same network untrained; marked beyond both spreads over folds."""
    table = examined(tables, "probes")
    table = table[(table["target"] == target) & (table["block"] > 0)]
    sides = [table[table["trained"].astype(bool) == trained][[*KEYS, "r2", "sd"]] for trained in (True, False)]
    both = sides[0].merge(sides[1], on=KEYS, suffixes=("_trained", "_untrained"))
    value = both["r2_trained"] - both["r2_untrained"]
    return both.assign(value=value, mark=value > both["sd_trained"] + both["sd_untrained"])


class Measure(NamedTuple):
    """A measure of orders: the stored table that it reads, and what makes cells of it."""

    table: str
    cells: Callable[[Tables, Thresholds], pd.DataFrame]


MEASURES: dict[str, Measure] = {
    "gradient": Measure("gradients", flow),
    "damage": Measure("ablations", damage),
    "structure": Measure("structure", structure),
    "probe": Measure("probes", probe_gain),
}
"""Measures of trained networks by name; a new one is a function and a line here."""


def cells_of(tables: Tables, thresholds: Thresholds) -> pd.DataFrame:
    """Cells of every measure below each other: `KEYS`, `value`, `mark`, `measure`."""
    parts = [
        measure.cells(tables, thresholds)[[*KEYS, "value", "mark"]].assign(measure=name) for name, measure in MEASURES.items()
    ]
    return pd.concat(parts, ignore_index=True)


def summary(tables: Tables, thresholds: Thresholds) -> pd.DataFrame:
    """Every measure for each set and order, over seeds and blocks: `measure`, `set`, `mul`, `l`, `cells`, `mean`, `marked`."""
    groups = cells_of(tables, thresholds).groupby(["measure", "set", "mul", "l"], sort=False)
    return groups.agg(cells=("value", "size"), mean=("value", "mean"), marked=("mark", "sum")).reset_index()


# ---- over seeds ---------------------------------------------------------------------------------------------------------------


def over_seeds(cells: pd.DataFrame, planned: Callable[[Orders, int, str], int], share: float) -> pd.DataFrame:
    """What the seeds of a set of orders agree on, for each order and block.

    `planned` gives the seeds that the protocol has for a set, its channels and its reference. Columns: `ls`, `mul`, `reference`,
    `l`, `block`, `seeds`, `planned`, `value` (mean), `hits` (marked seeds), `shown` (all planned seeds, `share` of them marked).
    """
    rows = []
    keys = ["reference", "ls", "mul", "l", "block"]
    for key, group in cells.groupby(keys, sort=True) if len(cells) else ():
        about: dict[str, Any] = dict(zip(keys, key, strict=True))
        count = planned(about["ls"], about["mul"], about["reference"])
        found = {"seeds": len(group), "planned": count, "value": group["value"].mean(), "hits": int(group["mark"].sum())}
        rows.append(about | found | {"shown": agree(group["mark"], count, share)})
    return pd.DataFrame(rows, columns=[*keys, "seeds", "planned", "value", "hits", "shown"])


def last_block(tables: Tables) -> int:
    """Number of the last block, whose orders above 0 have no path to the energy."""
    blocks = tables["runs"]["num_blocks"]
    return int(blocks.max()) if len(blocks) else 5


def at_best_block(counted: pd.DataFrame, last: int) -> pd.DataFrame:
    """Rows of `over_seeds` at the one block before the last where most seeds are marked, the largest value among equals."""
    inner = counted[counted["block"] < last].sort_values(["hits", "value"], kind="stable")
    return inner.groupby(["reference", "ls", "mul", "l"], sort=False).tail(1).sort_index()
