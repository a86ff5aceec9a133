"""The page that asks whether an order is used: one table for the glance, one for each diagnostic, and what they say."""

from itertools import product

import pandas as pd

from equinotes.audit import protocol
from equinotes.audit.changes import changes_between, named, set_name
from equinotes.audit.claims import AGREEING, DAMAGE, DOMINANT, SIGNIFICANT
from equinotes.audit.evidence import MEASURE, orders_used
from equinotes.audit.report import (
    Tables,
    block_of_layer,
    change_text,
    listed,
    markdown_table,
    order_of_irrep,
    orders_name,
    percent,
    rows_of,
)
from equinotes.audit.statistics import student
from equinotes.support.errors import UserError

MUL = 16
"""Channels of all networks that are examined."""
SETS = ((0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4), (0, 3, 4, 5, 6), *protocol.SUBSTITUTES)
"""Sets of orders that are examined, as they stand on the page."""
SIZED = MEASURE
"""The measure of structure that the rule of claim C2 names."""
REST = "composition-residual energy"
"""The probe's target: what of the energy the composition does not explain."""
WITHOUT = (
    ((0, 1, 2, 3, 4, 5, 6), (0, 3, 4, 5, 6)),
    ((0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4)),
    ((0, 1, 2, 3, 4), (0, 3, 4)),
    ((0, 1, 2, 3, 4), (0, 1, 2)),
    ((0, 1, 2), (0,)),
)
"""Sets that were trained, and the same without some of their orders."""
KEYS = ["set", "l", "reference", "seed", "block"]


def examined(tables: Tables, name: str) -> pd.DataFrame:
    """A diagnostic's rows for the networks of this page, with `set`, `reference`, `l` and `block` beside them.

    `set` and `l` say what `ls` and `irrep` say, `block` numbers the layer (0: the embedding).
    """
    runs = tables["runs"][["run_id", "reference"]].drop_duplicates("run_id")
    table = tables[name].merge(runs, on="run_id", how="inner")
    table = table[(table["mul"] == MUL) & table["ls"].isin(SETS)]
    table = table.assign(set=table["ls"].map(orders_name), l=order_of_irrep(table["irrep"]), block=block_of_layer(table["layer"]))
    places = {orders_name(ls): place for place, ls in enumerate(SETS)}
    return table.sort_values("set", key=lambda names: names.map(places), kind="stable", ignore_index=True)


def at_block(table: pd.DataFrame, block: int) -> pd.DataFrame:
    """Rows behind one block; ValueError where the table has rows, but none behind this one."""
    blocks = sorted(table["block"].unique())
    if blocks and block not in blocks:
        raise UserError(f"nothing was measured behind block {block}, only behind {listed([str(one) for one in blocks])}")
    return table[table["block"] == block]


def damages(tables: Tables, mode: str = "shuffle") -> pd.DataFrame:
    """How much spoiling an order costs: `value`, a share of the whole network's MAE, and `mark` where that counts as used."""
    table = examined(tables, "ablations").query("mode == @mode")
    value = table["delta_mae_eV"] / (table["mae_eV"] - table["delta_mae_eV"])
    return table.assign(value=value, mark=(value >= DAMAGE) & (table["low_eV"] > 0))


def probe_gains(tables: Tables, target: str = REST) -> pd.DataFrame:
    """R² of the probe on a trained network less that on the same network untrained: `value`; `mark` beyond both spreads."""
    table = examined(tables, "probes").query("target == @target")
    keys = ["run_id", *KEYS]
    sides = [table[table["trained"] == trained][[*keys, "r2", "sd"]] for trained in (True, False)]
    both = sides[0].merge(sides[1], on=keys, suffixes=("_trained", "_untrained"))
    value = both["r2_trained"] - both["r2_untrained"]
    return both.assign(value=value, mark=value > both["sd_trained"] + both["sd_untrained"])


def glance(tables: Tables) -> pd.DataFrame:
    """One row per order, block, seed and reference for each measure: `measure`, `value`, `mark`.

    `gradient`: share of the block's gradient flow (mark: it dominates); `damage`: of shuffling (mark: counts as used);
    `structure`: with respect to complexity, above its null's mean (mark: significant); `probe`: gain of the probe by training.
    """
    flow = examined(tables, "gradients").query("trained and block > 0")
    structure = examined(tables, "structure").query("trained and block > 0 and measure == @SIZED")
    parts = {
        "gradient": flow.assign(value=flow["share"], mark=flow["share"] > DOMINANT),
        "damage": damages(tables),
        "structure": structure.assign(value=structure["value"] - structure["null_mean"], mark=structure["p"] < SIGNIFICANT),
        "probe": probe_gains(tables).query("block > 0"),
    }
    return pd.concat([part[[*KEYS, "value", "mark"]].assign(measure=name) for name, part in parts.items()], ignore_index=True)


def used(tables: Tables) -> pd.DataFrame:
    """In how many seeds an order is used at some block before the last: `set`, `l`, `reference`, `used`, `seeds`.

    Every set and order has its row for each reference under which networks were examined; `seeds` is 0 where nothing was run.
    """
    cells = damages(tables)
    references = [one for one in protocol.REFERENCES if (cells["reference"] == one).any()] or protocol.REFERENCES[:1]
    cells = cells[cells["block"] < cells["block"].max()] if len(cells) else cells
    counted = cells.groupby(["set", "l", "reference", "seed"])["mark"].any().groupby(level=[0, 1, 2]).agg(["sum", "count"])
    found = {tuple(row[:3]): (int(row[3]), int(row[4])) for row in rows_of(counted.reset_index())}
    rows: list[tuple[object, ...]] = []
    for ls, reference in product(SETS, references):
        for l in ls:
            key = (orders_name(ls), l, reference)
            rows.append((*key, *found.get(key, (0, 0))))
    return pd.DataFrame(rows, columns=["set", "l", "reference", "used", "seeds"])


def used_sentences(tables: Tables) -> list[str]:
    """For each set, which orders above 0 are used behind some block in most of the planned seeds, under each reference."""
    table, lines = orders_used(tables), []
    for ls in SETS:
        of_set = table[(table["ls"].map(tuple) == ls) & (table["mul"] == MUL) & (table["l"] > 0)]
        said = []
        for reference, part in of_set.groupby("reference"):
            found = sorted(part[part["used"]]["l"].unique())
            if part["seeds"].min() < part["planned"].max():
                said.append(f"{reference}: too few seeds ({part['seeds'].min()} of {part['planned'].max()})")
                continue
            words = "all" if len(found) == len(ls) - 1 else listed([f"$l={l}$" for l in found])
            said.append(f"{reference}: **{words}** ({part['seeds'].min()} of {part['planned'].max()} seeds)")
        lines.append(
            f"- Orders {orders_name(ls)}. Above 0, used in at least {AGREEING:.0%} of the seeds: {'; '.join(said) or 'not run'}."
        )
    return lines


def beside_control(tables: Tables, name: str, value: str, *, block: int, reference: str, **only: str) -> pd.DataFrame:
    """A diagnostic behind one block, trained and untrained, for one reference; `only` picks rows (`measure`, `target`).

    Columns `set`, `l`, `seed`, `trained`, `value` and, where the table has a null, `null_low` and `null_high`.
    """
    table = examined(tables, name)
    table = table[table["reference"] == reference]
    for column, wanted in only.items():
        table = table[table[column] == wanted]
    table = at_block(table, block)
    found = table[["set", "l", "seed", "trained", "block"]].assign(value=table[value])
    return found.assign(**{edge: table[edge] for edge in ("null_low", "null_high") if edge in table})


def similarity(tables: Tables) -> pd.DataFrame:
    """CKA between seeds, as `beside_control` gives the other diagnostics."""
    table = tables["similarity"]
    table = table[(table["mul"] == MUL) & table["ls"].isin(SETS)]
    table = table.sort_values("ls", key=lambda sets: sets.map(SETS.index), kind="stable", ignore_index=True)
    return table.assign(set=table["ls"].map(orders_name), l=order_of_irrep(table["irrep"]), value=table["cka"])


def similarity_sentence(tables: Tables) -> str:
    """Where seeds of the largest set agree more after training than before, and where less."""
    table = similarity(tables)
    means = table[table["set"] == orders_name(SETS[0])].groupby(["l", "trained"])["value"].mean().unstack()
    if means.shape[1:] != (2,):
        return "Not run."
    words = [
        f"$l={l}$: {before:.2f} to {after:.2f}" for l, before, after in zip(means.index, means[False], means[True], strict=True)
    ]
    less = [f"$l={l}$" for l in means.index if means.loc[l, True] < means.loc[l, False]]
    return (
        f"- From before training to after it, the mean CKA of two seeds goes in the set {orders_name(SETS[0])} from "
        f"{listed(words)}. Seeds agree *less* after training for {listed(less)}."
    )


def better_when_shuffled(tables: Tables) -> str:
    """How often shuffling an order above 0 lowers the error."""
    table = damages(tables).query("l > 0")
    count = int((table["high_eV"] < 0).sum())
    return (
        f"- Of {len(table)} shuffles of one order above 0 behind one block, {count} *lower* the error, the interval over "
        "molecules wholly below zero: after so few steps errors have a common offset, which an edit may happen to undo. In the "
        "figure they are as dark as no change."
    )


def pictures(tables: Tables, reference: str, seed: int) -> pd.DataFrame:
    """Pictures of the largest set of one seed, untrained and trained, as `plot_phate` reads them, with each molecule's `score`.

    Raises ValueError for a seed whose networks were not drawn.
    """
    runs = tables["runs"].drop_duplicates("run_id")
    chosen = runs[(runs["reference"] == reference) & (runs["ls"] == SETS[0]) & (runs["mul"] == MUL)]
    table = tables["pictures"]
    table = table[table["run_id"].isin(chosen["run_id"])]
    seeds = sorted(table["seed"].unique())
    if seeds and seed not in seeds:
        raise UserError(f"no pictures of seed {seed}, only of {listed([str(one) for one in seeds])}")
    table = table[table["seed"] == seed].sort_values("trained", kind="stable")
    names = table["trained"].map({True: "trained", False: "untrained"})
    return table.assign(molecule=pd.factorize(table["qm9_index"])[0], network=names)


def gains_table(tables: Tables, reference: str, *, block: int) -> str:
    """R² of the probes of the largest set and in brackets what training gained, by target and order, means over the seeds."""
    table = examined(tables, "probes")
    table = at_block(table[(table["reference"] == reference) & (table["set"] == orders_name(SETS[0]))], block)
    means = table.pivot_table(index="target", columns=["trained", "l"], values="r2") if len(table) else pd.DataFrame()
    rows = [[target, *(_gain(means, target, l) for l in SETS[0])] for target in map(str, means.index)]
    return markdown_table(["target", *(f"$l={l}$" for l in SETS[0])], rows) if rows else "Not run."


def _gain(means: pd.DataFrame, target: str, l: int) -> str:
    trained, untrained = (float(means[side, l][target]) for side in (True, False))
    return f"{trained:.2f} ({trained - untrained:+.2f})"


def spoilt_and_retrained(tables: Tables) -> pd.DataFrame:
    """What trained networks lose with some orders, beside what networks lose that never had them.

    `spoilt`: the largest damage of any of these orders, shuffled at any one block before the last, in the network that has them;
    `retrained`: change of the MAE from the set with them to the set without, paired by seed. Columns `name`, `reference`, `kind`,
    `seeds`, `change`, `low`, `high`.
    """
    cells = damages(tables)
    cells = cells[cells["block"] < cells["block"].max()] if len(cells) else cells
    runs = named(tables["runs"], "table", "substitutes", "scalars")
    parts = []
    for whole, rest in WITHOUT:
        lost = sorted(set(whole) - set(rest))
        name = f"{orders_name(whole)} without {listed([str(l) for l in lost])}"
        pair = (set_name(whole, MUL), set_name(rest, MUL))
        parts.append(changes_between(runs, [pair], label=name).assign(kind="retrained"))
        rows = []
        for reference in protocol.REFERENCES:
            of_set = cells[(cells["set"] == orders_name(whole)) & (cells["reference"] == reference) & cells["l"].isin(lost)]
            worst = of_set.groupby("seed")["value"].max().to_numpy()
            rows.append((name, reference, len(worst), *student(worst)[:3], "spoilt"))
        parts.append(pd.DataFrame(rows, columns=["name", "reference", "seeds", "change", "low", "high", "kind"]))
    return pd.concat(parts, ignore_index=True)


def control_sentences(tables: Tables, reference: str) -> list[str]:
    """What the untrained networks say: how much of each finding was there before training."""
    lines = []
    structure = examined(tables, "structure").query("measure == @SIZED and reference == @reference")
    for trained, rows in structure.groupby("trained", sort=False):
        share = (rows["p"] < SIGNIFICANT).mean()
        lines.append(
            f"- {'Trained' if trained else '**Untrained**'} networks: {percent(share, sign=False)} of the latents (orders, seeds "
            f"and layers) are structured with p < {SIGNIFICANT}."
        )
    gains = probe_gains(tables).query("reference == @reference and block > 0")
    if len(gains):
        means = gains.groupby(["set", "l", "block"])["value"].mean().reset_index()
        best = next(rows_of(means.nlargest(1, "value")))
        lines.append(
            f"- Training raises the probe's R² by {gains['value'].mean():+.2f} on average, most for $l={best.l}$ of the set "
            f"{best.set} behind block {best.block}: {best.value:+.2f}."
        )
    return lines


def last_block_sentence(tables: Tables) -> str:
    """What the gradients and the weights of the last block say about orders above 0."""
    flow, weights = examined(tables, "gradients"), tables["weights"]
    if flow.empty or weights.empty:
        return "- The last block: not run."
    above = flow[(flow["block"] == flow["block"].max()) & (flow["l"] > 0)]["share"].max()
    last = weights[weights["trained"] & (weights["block"] == weights["block"].max())]
    of_network = last.groupby(["ls", "run_id"])[["dead", "weights"]].sum()
    shares = of_network["dead"] / of_network["weights"]
    return (
        f"- Behind the last block the largest share of the gradient flow above $l=0$ is {above:g}; "
        f"{percent(shares.min(), sign=False)} to {percent(shares.max(), sign=False)} of that block's weights are never trained."
    )


def ablations_over_seeds(tables: Tables, name: str, reference: str) -> pd.DataFrame:
    """Change of the MAE for each edit, block and order of one set, mean and interval over the seeds.

    Columns `layer`, `irrep`, `mode`, `delta_mae_eV`, `low_eV`, `high_eV`.
    """
    table = examined(tables, "ablations").query("set == @name and reference == @reference")
    rows = [(*key, *student(part["delta_mae_eV"].to_numpy())[:3]) for key, part in table.groupby(["layer", "irrep", "mode"])]
    return pd.DataFrame(rows, columns=["layer", "irrep", "mode", "delta_mae_eV", "low_eV", "high_eV"])


def spoilt_table(table: pd.DataFrame) -> str:
    """`spoilt_and_retrained` as Markdown."""
    rows = []
    for (name, reference), part in table.groupby(["name", "reference"], sort=False):
        both = {row.kind: change_text(row.change, row.low, row.high) for row in rows_of(part)}
        rows.append([name, reference, both["spoilt"], both["retrained"]])
    return markdown_table(["orders", "reference", "spoilt in the trained network", "trained without"], rows, "llrr")
