"""Errors of the first protocol's sets of orders, beside each other, the paper's and the linear baselines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from equinotes.audit.measures import baseline
from equinotes.audit.protocol import Tables, steps
from equinotes.audit.protocols.first import runs as first
from equinotes.audit.protocols.first.evidence import FEW, comparisons
from equinotes.audit.reported import REPORTED, counted_parameters
from equinotes.audit.statistics import LEVEL, relative_change, student
from equinotes.config import PRESETS, RunConfig
from equinotes.support.text import set_name

REDUCED, PAPER = (int(scale["num_train"]) for scale in (first.REDUCED, PRESETS["paper"]))
"""Molecules that the experiments train on."""
READINGS = {"mae_eV": "MAE", "rmse_eV": "RMSE", "mse_eV2": "MSE"}
"""What the paper's "test error (eV)" may be, by column."""


def scales() -> pd.DataFrame:
    """The reduced protocol beside the paper's: a row for each setting that differs, with the values that occur."""
    settings = ["num_train", "num_val", "num_test", "epochs", "batch_size", "lr"]
    sides = {"reduced": [RunConfig.from_dict(first.REDUCED)], "paper": first.full()}
    columns = {
        side: [sorted({getattr(config, name) for config in configs}) for name in settings] + [sorted(set(map(steps, configs)))]
        for side, configs in sides.items()
    }
    return pd.DataFrame({"setting": [*settings, "steps"], **columns})


def days_at_full_scale(tables: Tables) -> tuple[float, float] | None:
    """Days that one network takes at the paper's scale on one core at the stored runs' speed, least and most; None unknown."""
    runs = tables["runs"]
    runs = runs[(runs["experiment"] == "table") & (runs["device"] == "cpu") & (runs["threads"] == 1)]
    epochs_run = runs[["run_id", "ls", "mul"]].merge(tables["metrics"][["run_id", "molecules_per_s"]], on="run_id")
    if epochs_run.empty:
        return None
    speeds = epochs_run.groupby(["ls", "mul"])["molecules_per_s"].median()
    of_set = dict(zip(speeds.index.tolist(), speeds.tolist(), strict=True))
    known = [config for config in first.full() if (config.ls, config.mul) in of_set]
    days = [PAPER * config.epochs / of_set[config.ls, config.mul] / 86400 for config in known]
    return min(days), max(days)


def parameters_agree(tables: Tables) -> dict[str, int]:
    """How many of the `stored` networks of the table have the `same` number of parameters as the paper's description gives."""
    runs = tables["runs"]
    runs = runs[runs["experiment"].isin(["table", "full"])]
    counted = [counted_parameters(ls, mul) for ls, mul in zip(runs["ls"], runs["mul"], strict=True)]
    return {"stored": len(runs), "same": int((runs["parameters"] == counted).sum())}


def named_runs(tables: Tables, *experiments: str, channels: bool = True) -> pd.DataFrame:
    """Runs of some experiments, once each, with a column `name` for the set of orders, and for its channels where asked for."""
    runs = tables["runs"]
    runs = runs[runs["experiment"].isin(experiments)].drop_duplicates("run_id")
    names = [set_name(ls, mul if channels else None) for ls, mul in zip(runs["ls"], runs["mul"], strict=True)]
    return runs.assign(name=pd.Series(names, index=runs.index, dtype=object))


def intervals(runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Mean error of each named set and reference, with its interval: `name`, `reference`, `seeds`, `mean`, `low`, `high` [eV]."""
    rows = []
    for reference in first.REFERENCES:
        for name in names:
            found = runs[(runs["name"] == name) & (runs["reference"] == reference)]["mae_eV"].to_numpy()
            rows.append((name, reference, len(found), *student(found)[:3]))
    return pd.DataFrame(rows, columns=["name", "reference", "seeds", "mean", "low", "high"])


def errors_by_set(tables: Tables, reference: str) -> pd.DataFrame:
    """The nine sets beside what the paper reports: `name`, `parameters`, `reported` (a list), `seeds`, `planned`, and for each
    reading its mean and half its interval, `mae_eV`, `mae_eV_half`, ..."""
    runs, rows = named_runs(tables, "table"), []
    for ls, mul in first.PAPER_SETS:
        found = runs[(runs["name"] == set_name(ls, mul)) & (runs["reference"] == reference)]
        about = {"reported": [row.error for row in REPORTED if row.ls == ls], "planned": first.seeds_of(ls)}
        rows.append({**_network(ls, mul), **about, **_errors(found)})
    return pd.DataFrame(rows)


def errors_at_full_scale(tables: Tables) -> pd.DataFrame:
    """The paper's rows under the paper's settings, with columns as of `errors_by_set` and `epochs`."""
    runs, rows = named_runs(tables, "full"), []
    for row in REPORTED:
        epochs = row.epochs or 100
        found = runs[(runs["name"] == set_name(row.ls, row.mul)) & (runs["epochs"] == epochs)]
        rows.append({**_network(row.ls, row.mul), "epochs": epochs, "reported": row.error, **_errors(found)})
    return pd.DataFrame(rows)


def _network(ls: tuple[int, ...], mul: int) -> dict[str, Any]:
    return {"name": set_name(ls, mul), "parameters": counted_parameters(ls, mul)}


def _errors(found: pd.DataFrame) -> dict[str, float]:
    known: dict[str, float] = {"seeds": len(found)}
    for column in READINGS:
        mean, _, high, _ = student(found[column].to_numpy())
        known |= {column: mean, f"{column}_half": high - mean}
    return known


def readings(tables: Tables) -> pd.DataFrame:
    """Reported over ours, for each scale and reading: `scale`, `reading`, `sets`, `low`, `median`, `high` and `ranks`.

    `ranks` is Spearman's correlation of reported and own errors over the sets. At the reduced scale the sizes cannot agree: they
    count at the paper's scale only.
    """
    rows = []
    for scale, pairs in _beside_reported(tables).items():
        for column, reading in READINGS.items():
            ratio = (pairs["reported"] / pairs[column]).to_numpy()
            ranks = stats.spearmanr(pairs["reported"], pairs[column]).statistic if pairs[column].nunique() > 2 else np.nan
            spread = (ratio.min(), np.median(ratio), ratio.max()) if len(ratio) else (np.nan,) * 3
            rows.append((scale, reading, len(pairs), *spread, ranks))
    return pd.DataFrame(rows, columns=["scale", "reading", "sets", "low", "median", "high", "ranks"])


def nearest_reading(tables: Tables) -> dict[str, Any] | None:
    """The row of `readings` at the paper's scale whose median ratio is nearest to one; None where nothing was run there."""
    full = readings(tables).query('scale == "paper\'s"').dropna(subset="median")
    return full.loc[np.log(full["median"]).abs().idxmin()].to_dict() if len(full) else None


def rank_agreement(tables: Tables) -> dict[str, Any]:
    """How alike MAE and RMSE order our own sets (`own`, by scale), and what chance alone reaches over so few (`sets`,
    `chance`)."""
    own = {scale: pairs for scale, pairs in _beside_reported(tables).items() if len(pairs) > 3}
    if not own:
        return {"own": {}}
    least = min(map(len, own.values()))
    t = stats.t.ppf((1 + LEVEL) / 2, least - 2)
    same = {scale: stats.spearmanr(pairs["mae_eV"], pairs["rmse_eV"]).statistic for scale, pairs in own.items()}
    return {"own": same, "sets": least, "chance": float(t / np.sqrt(least - 2 + t**2)), "one_in": round(1 / (1 - LEVEL))}


def rows_above_baseline(tables: Tables) -> dict[str, Any] | None:
    """How many reported rows lie above the best linear baseline at the paper's scale, by epochs and reading; None without one."""
    table = tables["baselines"]
    table = table[table["num_train"] == PAPER].set_index("baseline")
    if table.empty:
        return None
    name = str(table["mae_eV"].idxmin())
    values = {reading: float(table[column][name]) for column, reading in READINGS.items()}
    rows = []
    for epochs in (30, 100):
        errors = [row.error for row in REPORTED if row.epochs == epochs]
        above = {reading: sum(error > value for error in errors) for reading, value in values.items()}
        rows.append({"epochs": epochs, "rows": len(errors), "above": above})
    return {"name": name, "molecules": PAPER, "errors": values, "by_epochs": rows}


def _beside_reported(tables: Tables) -> dict[str, pd.DataFrame]:
    """Reported errors beside our means over seeds, for each scale; of a set reported twice, the reduced scale takes the first."""
    scales = {}
    for scale, experiment, reference in (
        *((f"reduced, {reference}", "table", reference) for reference in first.REFERENCES),
        ("paper's", "full", "mean"),
    ):
        runs, rows = named_runs(tables, experiment), []
        for row in REPORTED:
            found = runs[(runs["name"] == set_name(row.ls, row.mul)) & (runs["reference"] == reference)]
            if experiment == "full":
                found = found[found["epochs"] == (row.epochs or 100)]
            if len(found) and (experiment == "full" or row.epochs != 100):
                rows.append({"reported": row.error, **found[list(READINGS)].mean()})
        scales[scale] = pd.DataFrame(rows, columns=["reported", *READINGS])
    return scales


def curves(tables: Tables) -> pd.DataFrame:
    """Learning curves of the paper's sets under the reduced protocol, with `name`, `reference` and `seed` beside them."""
    runs = named_runs(tables, "table")
    places = {set_name(ls, mul): place for place, (ls, mul) in enumerate(first.PAPER_SETS)}
    runs = runs.sort_values("name", key=lambda names: names.map(places), kind="stable")
    return runs[["run_id", "name", "reference", "seed"]].merge(tables["metrics"], on="run_id", how="inner")


def last_epoch(metrics: pd.DataFrame) -> pd.DataFrame:
    """Change of the validation error in the last epoch: `reference`, `runs`, `median` (a fraction), `rose` (in how many)."""
    rows = []
    for reference, part in metrics.groupby("reference", sort=False):
        epochs = sorted(part["epoch"].unique())[-2:]
        if len(epochs) == 2:
            last = part.pivot_table(index="run_id", columns="epoch", values="val_mae_eV")[epochs].dropna()
            fall = 1 - last[epochs[1]] / last[epochs[0]]
            rows.append((reference, len(fall), -fall.median(), int((fall < 0).sum())))
    return pd.DataFrame(rows, columns=["reference", "runs", "median", "rose"])


def beaten(tables: Tables) -> pd.DataFrame:
    """How many sets beat the best linear baseline: `reference`, `sets`, `beat`, `baseline_eV`, least and most mean, `low`,
    `high`."""
    limit, rows = baseline(tables, REDUCED), []
    runs = named_runs(tables, "table")
    for reference in first.REFERENCES:
        means = runs[runs["reference"] == reference].groupby("name")["mae_eV"].mean()
        rows.append((reference, len(means), int((means < limit).sum()), limit, means.min(), means.max()))
    return pd.DataFrame(rows, columns=["reference", "sets", "beat", "baseline_eV", "low", "high"])


def compared(tables: Tables, *claims: str) -> pd.DataFrame:
    """The comparisons that the rules of some claims name, as the verdicts judge them, with a `name`."""
    table = comparisons(tables)
    table = table[table["claim"].isin(claims)]
    sides = zip(table["first"], table["second"], table["mul"], strict=True)
    return table.assign(name=[f"{set_name(one, mul)} → {set_name(other, mul)}" for one, other, mul in sides])


def changes_between(
    runs: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, label: str = "{first} → {second}", limit: float = np.inf,
    references: Sequence[str] = first.REFERENCES,
) -> pd.DataFrame:  # fmt: skip
    """Relative change of the MAE from one named set to another, paired by seed, for each reference.

    Returns `name`, `reference`, `seeds`, `change`, `low`, `high` (fractions; NaN where nothing was run) and `counts`: whether
    both mean errors lie below the `limit` [eV].
    """
    rows = []
    for reference in references:
        errors = runs[runs["reference"] == reference].pivot_table(index="seed", columns="name", values="mae_eV")
        for one, other in pairs:
            both = errors.reindex(columns=[one, other]).dropna()
            counts = len(both) > 0 and bool((both.mean() < limit).all())
            change = relative_change(dict(both[one]), dict(both[other]))
            rows.append((label.format(first=one, second=other), reference, len(both), *change[:3], counts))
    return pd.DataFrame(rows, columns=["name", "reference", "seeds", "change", "low", "high", "counts"])


def beside_scalars(tables: Tables) -> pd.DataFrame:
    """What orders 1 and 2 change beside networks of l = 0 alone, as `changes_between`."""
    pairs = [(set_name(ls, mul), set_name(FEW, mul)) for ls, mul in first.SCALARS]
    return changes_between(named_runs(tables, "table", "substitutes", "scalars"), pairs, label="from {first} to {second}")
