"""The page that puts the paper's table beside ours: its tables and sentences, computed from the stored runs."""

import numpy as np
import pandas as pd
from scipy import stats

from equinotes.audit import protocol
from equinotes.audit.changes import REDUCED, baselines_of, changes_between, named, set_name, strongest
from equinotes.audit.claims import LEVEL
from equinotes.audit.evidence import FEW
from equinotes.audit.report import NOT_RUN, Tables, change_text, listed, markdown_table, percent, rows_of, spread_text
from equinotes.audit.reported import REPORTED
from equinotes.audit.scale import PAPER, counted_parameters
from equinotes.audit.statistics import student

READINGS = {"mae_eV": "MAE", "rmse_eV": "RMSE", "mse_eV2": "MSE"}
"""What the paper's "test error (eV)" may be, by column."""


def reduced_table(tables: Tables, reference: str) -> str:
    """The nine sets under the reduced protocol beside what the paper reports, as Markdown."""
    runs, rows = named(tables["runs"], "table"), []
    for ls, mul in protocol.PAPER_SETS:
        found = runs[(runs["name"] == set_name(ls, mul)) & (runs["reference"] == reference)]
        reported = [f"{row.error:g}" for row in REPORTED if row.ls == ls]
        rows.append([*_head(ls, mul), "; ".join(reported), f"{len(found)}/{protocol.seeds_of(ls)}", *_errors(found)])
    columns = ["orders (channels)", "parameters", "reported [eV]", "seeds", "MAE [eV]", "RMSE [eV]", "MSE [eV²]"]
    return markdown_table(columns, rows)


def full_table(tables: Tables) -> str:
    """The paper's rows under the paper's settings, as Markdown; most say that they were not run."""
    runs, rows = named(tables["runs"], "full"), []
    for row in REPORTED:
        epochs = row.epochs or 100
        found = runs[(runs["name"] == set_name(row.ls, row.mul)) & (runs["epochs"] == epochs)]
        rows.append([*_head(row.ls, row.mul), epochs, f"{row.error:g}", len(found), *_errors(found)])
    columns = ["orders (channels)", "parameters", "epochs", "reported [eV]", "seeds", "MAE [eV]", "RMSE [eV]", "MSE [eV²]"]
    return markdown_table(columns, rows)


def _head(ls: tuple[int, ...], mul: int) -> list[str]:
    return [set_name(ls, mul), f"{counted_parameters(ls, mul):,}"]


def _errors(found: pd.DataFrame) -> list[str]:
    texts = []
    for column in READINGS:
        values = found[column].to_numpy()
        mean, _, high, _ = student(values)
        texts.append(spread_text(values, high - mean))
    return texts


def readings(tables: Tables) -> pd.DataFrame:
    """Reported over ours, for each reading and scale: `scale`, `reading`, `sets`, `low`, `median`, `high` and `ranks`.

    `ranks` is Spearman's correlation of reported and own errors over the sets. At the reduced scale the sizes cannot agree: they
    count at the paper's scale only.
    """
    rows = []
    for scale, pairs in _compared(tables).items():
        for column, reading in READINGS.items():
            ratio = (pairs["reported"] / pairs[column]).to_numpy()
            ranks = stats.spearmanr(pairs["reported"], pairs[column]).statistic if pairs[column].nunique() > 2 else np.nan
            spread = (ratio.min(), np.median(ratio), ratio.max()) if len(ratio) else (np.nan,) * 3
            rows.append((scale, reading, len(pairs), *spread, ranks))
    return pd.DataFrame(rows, columns=["scale", "reading", "sets", "low", "median", "high", "ranks"])


def _compared(tables: Tables) -> dict[str, pd.DataFrame]:
    """Reported errors beside our means over seeds, for each scale; of a set reported twice, the reduced scale takes the first."""
    scales = {}
    for scale, experiment, reference in (
        *((f"reduced, {reference}", "table", reference) for reference in protocol.REFERENCES),
        ("paper's", "full", "mean"),
    ):
        runs, rows = named(tables["runs"], experiment), []
        for row in REPORTED:
            found = runs[(runs["name"] == set_name(row.ls, row.mul)) & (runs["reference"] == reference)]
            if experiment == "full":
                found = found[found["epochs"] == (row.epochs or 100)]
            if len(found) and (experiment == "full" or row.epochs != 100):
                rows.append({"reported": row.error, **found[list(READINGS)].mean()})
        scales[scale] = pd.DataFrame(rows, columns=["reported", *READINGS])
    return scales


def readings_table(tables: Tables) -> str:
    """`readings` as Markdown."""
    rows = [
        [
            row.scale,
            row.reading,
            row.sets,
            *([f"{row.low:.2g} to {row.high:.2g}", f"{row.ranks:+.2f}"] if row.sets else [NOT_RUN] * 2),
        ]
        for row in rows_of(readings(tables))
    ]
    return markdown_table(["scale", "reading", "sets", "reported / ours", "correlation of ranks"], rows, "llrrr")


def reading_sentences(tables: Tables) -> list[str]:
    """Which reading of the paper's column fits, as far as that can be told."""
    full = readings(tables).query('scale == "paper\'s"')
    if full["sets"].max() == 0:
        said = "No row has been run at the paper's scale, so the sizes of the errors cannot tell the readings apart: **open**."
    else:
        best = full.iloc[int(np.abs(np.log(full["median"].to_numpy())).argmin())]
        said = (
            f"At the paper's scale **{best.reading}** comes nearest: over {best.sets} of the sets, the reported values are "
            f"{best.low:.2g} to {best.high:.2g} times ours."
        )
    lines = [said, *_ranks(tables)]
    known = baselines_of(tables, PAPER)
    if len(known):
        name = str(known["mae_eV"].idxmin())
        values = {column: float(known[column][name]) for column in READINGS}
        for epochs in (30, 100):
            found = [row.error for row in REPORTED if row.epochs == epochs]
            above = [
                f"{sum(error > values[column] for error in found)} read as {reading}" for column, reading in READINGS.items()
            ]
            lines.append(
                f"Of the {len(found)} rows reported after {epochs} epochs, so many lie above the linear baseline with {name}, "
                f"fitted to {PAPER:,} molecules: {listed(above)}."
            )
        errors = [f"{reading} {values[column]:.3f}" for column, reading in READINGS.items()]
        lines.append(f"That baseline has {listed(errors)} (eV, and eV² for the last).")
    return lines


def _ranks(tables: Tables) -> list[str]:
    """How alike the readings order our own sets, and what rank correlations over so few sets can say."""
    own = {scale: pairs for scale, pairs in _compared(tables).items() if len(pairs) > 3}
    if not own:
        return []
    same = [f"{stats.spearmanr(pairs['mae_eV'], pairs['rmse_eV']).statistic:+.2f} ({scale})" for scale, pairs in own.items()]
    least = min(map(len, own.values()))
    t = stats.t.ppf((1 + LEVEL) / 2, least - 2)
    return [
        f"Our sets ordered by MAE and by RMSE have a rank correlation of {listed(same)}. Over {least} sets chance alone reaches "
        f"{t / np.sqrt(least - 2 + t**2):.2f} in one case of {1 / (1 - LEVEL):.0f}: below that, a correlation with the reported "
        "order says nothing."
    ]


def control_of_scalars(tables: Tables) -> list[str]:
    """What orders 1 and 2 change beside networks of l = 0 alone, for each number of channels and reference."""
    pairs = [(set_name(ls, mul), set_name(FEW, mul)) for ls, mul in protocol.SCALARS]
    table = changes_between(named(tables["runs"], "table", "substitutes", "scalars"), pairs, label="from {first} to {second}")
    said = (f"the error changes by {change_text(row.change, row.low, row.high)} ({row.seeds} seeds)" for row in rows_of(table))
    return [
        f"- Reference *{row.reference}*, {row.name}: {words if row.seeds else NOT_RUN}."
        for row, words in zip(rows_of(table), said, strict=True)
    ]


def curves(tables: Tables) -> pd.DataFrame:
    """Learning curves of the paper's sets under the reduced protocol, with `name`, `reference` and `seed` beside them."""
    runs = named(tables["runs"], "table")
    places = {set_name(ls, mul): place for place, (ls, mul) in enumerate(protocol.PAPER_SETS)}
    runs = runs.sort_values("name", key=lambda names: names.map(places), kind="stable")
    return runs[["run_id", "name", "reference", "seed"]].merge(tables["metrics"], on="run_id", how="inner")


def still_falling(metrics: pd.DataFrame) -> list[str]:
    """How far the validation error still changed in the last epoch."""
    lines = []
    for reference, part in metrics.groupby("reference", sort=False):
        epochs = sorted(part["epoch"].unique())[-2:]
        if len(epochs) == 2:
            last = part.pivot_table(index="run_id", columns="epoch", values="val_mae_eV")[epochs].dropna()
            fall = 1 - last[epochs[1]] / last[epochs[0]]
            lines.append(
                f"In the last epoch the validation MAE changed by {percent(-fall.median())} (median of {len(fall)} runs, "
                f"reference {reference}); it rose in {int((fall < 0).sum())} of them."
            )
    return lines


def beaten(tables: Tables) -> list[str]:
    """How many of the sets leave the strongest linear baseline behind, for each reference."""
    baseline, lines = strongest(tables, REDUCED), []
    runs = named(tables["runs"], "table")
    for reference in protocol.REFERENCES:
        means = runs[runs["reference"] == reference].groupby("name")["mae_eV"].mean()
        if len(means):
            lines.append(
                f"- Reference *{reference}*: {int((means < baseline).sum())} of {len(means)} sets beat the strongest linear "
                f"baseline ({baseline:.3f} eV); mean errors from {means.min():.3f} to {means.max():.3f} eV."
            )
        else:
            lines.append(f"- Reference *{reference}*: {NOT_RUN}.")
    return lines


def statements(tables: Tables, verdicts: pd.DataFrame, *, evidence: bool = True) -> list[str]:
    """What reproduces at which scale, claim by claim, for the claims that errors decide; with the numbers or without."""
    known = verdicts.set_index("claim")
    said = [(name, *known.loc[name, ["verdict", "evidence"]]) for name in ("C1", "C3")]
    lines = [f"- At the reduced scale, {name}: **{verdict}**. {numbers * evidence}".rstrip() for name, verdict, numbers in said]
    full = int((tables["runs"]["experiment"] == "full").sum())
    then = f"{full} runs are stored; see the table above" if full else "not run, nothing can be said"
    return [*lines, f"- At the paper's scale: {then}."]
