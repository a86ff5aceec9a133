"""Which orders the examined networks use: the glance, each diagnostic beside its control, and counts over seeds."""

from itertools import product
from typing import Any

import pandas as pd

from equinotes.audit import measures
from equinotes.audit.measures import damage, examined, probe_gain
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.first import runs as first
from equinotes.audit.protocols.first.claims import THRESHOLDS
from equinotes.audit.protocols.first.evidence import MANY, MUL, orders_used
from equinotes.audit.report.errors import changes_between, named_runs
from equinotes.audit.statistics import student
from equinotes.support.errors import UserError
from equinotes.support.text import listed, orders_name, set_name

SETS = (MANY, (0, 1, 2, 3, 4), (0, 3, 4, 5, 6), *first.SUBSTITUTES)
"""Sets of orders with 16 channels, as they stand on the page."""
WITHOUT = (
    (MANY, (0, 3, 4, 5, 6)),
    (MANY, (0, 1, 2, 3, 4)),
    ((0, 1, 2, 3, 4), (0, 3, 4)),
    ((0, 1, 2, 3, 4), (0, 1, 2)),
    ((0, 1, 2), (0,)),
)
"""Sets that were trained, and the same without some of their orders."""


def on_page(cells: pd.DataFrame) -> pd.DataFrame:
    """Rows about the sets of the page, in their order."""
    cells = cells[(cells["mul"] == MUL) & cells["ls"].isin(SETS)]
    return cells.sort_values("ls", key=lambda sets: sets.map(SETS.index), kind="stable", ignore_index=True)


def at_block(table: pd.DataFrame, block: int) -> pd.DataFrame:
    """Rows behind one block; ValueError where the table has rows, but none behind this one."""
    blocks = sorted(table["block"].unique())
    if blocks and block not in blocks:
        raise UserError(f"nothing was measured behind block {block}, only behind {listed(blocks)}")
    return table[table["block"] == block]


def glance(tables: Tables) -> pd.DataFrame:
    """Cells of every measure for the sets of the page: `measures.KEYS`, `value`, `mark`, `measure`."""
    return on_page(measures.cells_of(tables, THRESHOLDS))


def used(tables: Tables) -> pd.DataFrame:
    """In how many seeds an order is used, at the block where most are: `set`, `l`, `reference`, `used`, `seeds`, `shown`.

    The rule's own count, at the block that decides; `shown` is the rule's answer. Every set and order has its row for each
    reference under which networks were examined; `seeds` is 0 where nothing was run.
    """
    counted = measures.at_best_block(orders_used(tables), measures.last_block(tables))
    counted = counted[counted["mul"] == MUL]
    known = {(row["ls"], row["l"], row["reference"]): row for row in counted.to_dict("records")}
    references = [one for one in first.REFERENCES if (counted["reference"] == one).any()] or first.REFERENCES[:1]
    rows = []
    for ls, reference in product(SETS, references):
        for l in ls:
            row = known.get((ls, l, reference), {"hits": 0, "seeds": 0, "shown": False})
            rows.append((orders_name(ls), l, reference, row["hits"], row["seeds"], row["shown"]))
    return pd.DataFrame(rows, columns=["set", "l", "reference", "used", "seeds", "shown"])


def used_above_scalars(tables: Tables) -> pd.DataFrame:
    """Which orders above 0 a set uses: `set`, `orders` (how many above 0), and `by_reference`, a list of dictionaries.

    Each names the `reference`, the orders `used`, the `seeds` examined and `planned`.
    """
    table, rows = orders_used(tables), []
    for ls in SETS:
        of_set = table[(table["ls"] == ls) & (table["mul"] == MUL) & (table["l"] > 0)]
        said = [
            {
                "reference": reference, "used": sorted(part[part["shown"].astype(bool)]["l"].unique().tolist()),
                "seeds": int(part["seeds"].min()), "planned": int(part["planned"].max()),
            }
            for reference, part in of_set.groupby("reference")
        ]  # fmt: skip
        rows.append((orders_name(ls), len(ls) - 1, said))
    return pd.DataFrame(rows, columns=["set", "orders", "by_reference"])


def better_when_shuffled(tables: Tables) -> dict[str, int]:
    """Of all `shuffles` of an order above 0, how many lower the error (`lower`), the interval over molecules below zero."""
    table = on_page(damage(tables, THRESHOLDS)).query("l > 0")
    return {"shuffles": len(table), "lower": int((table["high_eV"] < 0).sum())}


def beside_control(tables: Tables, name: str, value: str, *, block: int, reference: str, **only: str) -> pd.DataFrame:
    """A diagnostic behind one block, trained and untrained, for one reference; `only` picks rows (`measure`, `target`).

    Columns `set`, `l`, `seed`, `trained`, `block`, `value` and, where the table has a null, `null_low` and `null_high`.
    """
    table = on_page(examined(tables, name))
    table = table[table["reference"] == reference]
    for column, wanted in only.items():
        table = table[table[column] == wanted]
    table = at_block(table, block)
    found = table[["set", "l", "seed", "trained", "block"]].assign(value=table[value])
    return found.assign(**{edge: table[edge] for edge in ("null_low", "null_high") if edge in table})


def similarity(tables: Tables) -> pd.DataFrame:
    """CKA between seeds, with columns as of `beside_control`."""
    table = on_page(tables["similarity"])
    return table.assign(set=table["ls"].map(orders_name), l=measures.order_of_irrep(table["irrep"]), value=table["cka"])


def similarity_of_largest(tables: Tables) -> pd.DataFrame:
    """Mean CKA of two seeds of the largest set, by order: `l`, `before` training, `after`."""
    table = similarity(tables)
    means = table[table["set"] == orders_name(MANY)].groupby(["l", "trained"])["value"].mean().unstack("trained")
    means = means.reindex(columns=[False, True]).dropna()
    return means.rename(columns={False: "before", True: "after"}).reset_index()


def ablations_over_seeds(tables: Tables, ls: tuple[int, ...], reference: str) -> pd.DataFrame:
    """Change of the MAE for each edit, block and order of one set, mean and interval over the seeds.

    Columns `layer`, `irrep`, `mode`, `delta_mae_eV`, `low_eV`, `high_eV`.
    """
    table = examined(tables, "ablations")
    table = table[(table["ls"] == ls) & (table["mul"] == MUL) & (table["reference"] == reference)]
    rows = [(*key, *student(part["delta_mae_eV"].to_numpy())[:3]) for key, part in table.groupby(["layer", "irrep", "mode"])]
    return pd.DataFrame(rows, columns=["layer", "irrep", "mode", "delta_mae_eV", "low_eV", "high_eV"])


def spoilt_and_retrained(tables: Tables) -> pd.DataFrame:
    """What trained networks lose with some orders, beside what networks lose that never had them.

    `spoilt`: the largest damage of any of these orders, shuffled at any one block before the last, in the network that has them;
    `retrained`: change of the MAE from the set with them to the set without, paired by seed. Columns `name`, `reference`, `kind`,
    `seeds`, `change`, `low`, `high`.
    """
    cells = on_page(damage(tables, THRESHOLDS))
    cells = cells[cells["block"] < measures.last_block(tables)]
    runs, parts = named_runs(tables, "table", "substitutes", "scalars"), []
    for whole, rest in WITHOUT:
        lost = sorted(set(whole) - set(rest))
        name = f"{orders_name(whole)} without {listed(lost)}"
        pair = (set_name(whole, MUL), set_name(rest, MUL))
        parts.append(changes_between(runs, [pair], label=name).assign(kind="retrained"))
        rows = []
        for reference in first.REFERENCES:
            of_set = cells[(cells["ls"] == whole) & (cells["reference"] == reference) & cells["l"].isin(lost)]
            worst = of_set.groupby("seed")["value"].max().to_numpy()
            rows.append((name, reference, len(worst), *student(worst)[:3], "spoilt"))
        parts.append(pd.DataFrame(rows, columns=["name", "reference", "seeds", "change", "low", "high", "kind"]))
    return pd.concat(parts, ignore_index=True)


def spoilt_beside_retrained(table: pd.DataFrame) -> list[dict[str, Any]]:
    """`spoilt_and_retrained` with one row for each name and reference, whose `spoilt` and `retrained` hold change and
    interval."""
    rows = []
    for (name, reference), part in table.groupby(["name", "reference"], sort=False):
        rows.append({"name": name, "reference": reference, **{row["kind"]: row for row in part.to_dict("records")}})
    return rows


def sizes(tables: Tables) -> dict[str, Any]:
    """How the examination went: `draws` of each edit, and whether isomers share a fold of the probes (`by_formula`)."""
    folds = set(tables["probes"]["folds"])
    return {
        "draws": int(tables["ablations"]["draws"].max() if len(tables["ablations"]) else 0),
        "by_formula": folds == {"formula"},
    }


def pictures(tables: Tables, reference: str, seed: int) -> pd.DataFrame:
    """Pictures of the largest set of one seed, untrained and trained, as `plot_phate` reads them, with each molecule's `score`.

    Raises ValueError for a seed whose networks were not drawn.
    """
    runs = measures.runs_of(tables, MANY, MUL, reference, ("table", "substitutes"))
    table = tables["pictures"]
    table = table[table["run_id"].isin(runs["run_id"])]
    seeds = sorted(table["seed"].unique())
    if seeds and seed not in seeds:
        raise UserError(f"no pictures of seed {seed}, only of {listed(seeds)}")
    table = table[table["seed"] == seed].sort_values("trained", kind="stable")
    names = table["trained"].map({True: "trained", False: "untrained"})
    return table.assign(molecule=pd.factorize(table["qm9_index"])[0], network=names)


def gains(tables: Tables, reference: str, *, block: int) -> pd.DataFrame:
    """R² of the probes of the largest set, means over the seeds: `target`, `l`, `trained`, `gain` (what training gained)."""
    table = examined(tables, "probes")
    table = at_block(table[(table["reference"] == reference) & (table["ls"] == MANY) & (table["mul"] == MUL)], block)
    means = table.groupby(["target", "l", "trained"])["r2"].mean().unstack("trained").reindex(columns=[True, False])
    return pd.DataFrame({"trained": means[True], "gain": means[True] - means[False]}).reset_index()


def structured_share(tables: Tables, reference: str) -> pd.DataFrame:
    """Share of the latents (orders, seeds, layers) that are structured: `trained`, `share`."""
    cells = measures.structure(tables, THRESHOLDS, trained=None)
    cells = on_page(cells[cells["reference"] == reference])
    return cells.groupby("trained", sort=False)["mark"].mean().rename("share").reset_index()


def probe_gains(tables: Tables, reference: str) -> dict[str, Any] | None:
    """Mean gain of the probe by training, and where it is largest (`set`, `l`, `block`, `largest`); None where nothing was
    run."""
    cells = on_page(probe_gain(tables, THRESHOLDS))
    cells = cells[cells["reference"] == reference]
    if cells.empty:
        return None
    means = cells.groupby(["set", "l", "block"])["value"].mean().reset_index()
    (best,) = means.nlargest(1, "value").to_dict("records")
    return {"mean": cells["value"].mean(), "largest": best["value"], **{key: best[key] for key in ("set", "l", "block")}}


def last_block(tables: Tables) -> dict[str, float] | None:
    """The last block: largest `flow` above l = 0, and the shares of its weights that are never trained, `least` and `most`."""
    flow, weights = on_page(examined(tables, "gradients")), tables["weights"]
    if flow.empty or weights.empty:
        return None
    above = flow[(flow["block"] == flow["block"].max()) & (flow["l"] > 0)]["share"].max()
    last = weights[weights["trained"].astype(bool) & (weights["block"] == weights["block"].max())]
    of_network = last.groupby("run_id")[["dead", "weights"]].sum()
    shares = of_network["dead"] / of_network["weights"]
    return {"flow": above, "least": shares.min(), "most": shares.max()}
