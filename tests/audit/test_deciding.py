"""The page of protocol 2: its numbers follow from the stored tables by other code than its own, and it builds from any state."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from equinotes.audit import history
from equinotes.audit.protocol import named
from equinotes.audit.protocols.second.claims import CLAIMS
from equinotes.audit.protocols.second.runs import FOUR, WITHOUT
from equinotes.audit.protocols.second.tables import SCHEMAS
from equinotes.audit.report import deciding, structure
from equinotes.cli.audit import MARKS, headlines
from equinotes.figures.deciding import plot_uses_and_costs
from equinotes.support.templates import between_marks, sentences
from equinotes.support.text import change_text

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "notebooks" / "10_evidence_that_decides.ipynb"
SECOND = named("second")


# ---- numbers, computed again --------------------------------------------------------------------------------------------------


def by_hand(tables, ls, size):
    """Errors of averaged weights, from the stored predictions."""
    runs = tables["runs"].drop_duplicates("run_id")
    chosen = runs[(runs["mul"] == 16) & (runs["num_train"] == size) & (runs["reference"] == "composition")]
    predictions = tables["predictions"]
    return [
        np.abs(predictions[f"average_{run_id}"].to_numpy("f8") - predictions["target_eV"].to_numpy()).mean()
        for run_id, orders in zip(chosen["run_id"], chosen["ls"], strict=True)
        if tuple(orders) == ls
    ]


@pytest.mark.parametrize("size", [2000, 8000])
def test_errors_without_1_and_2_follow_from_the_predictions(tables, page, size):
    four, without = (np.log(by_hand(tables, ls, size)) for ls in (FOUR, WITHOUT))
    interval = stats.ttest_ind(without, four, equal_var=False).confidence_interval(0.9)
    ends = np.expm1([without.mean() - four.mean(), interval.low, interval.high])
    assert change_text(*ends) in page.split("(decides-c3)=")[1].split("(decides-c4)=")[0]
    assert change_text(*ends) in page.split("## In short")[1].split("(decides-chart)=")[0]


def of_runs(tables, name, ls, molecules):
    """Rows of a table of diagnostics about one set of orders, of its runs on so many molecules; none below three seeds."""
    table = tables[name].merge(tables["runs"].drop_duplicates("run_id")[["run_id", "num_train"]], on="run_id")
    table = table[table["ls"].map(lambda found: tuple(found) == ls).astype(bool) & (table["num_train"] == molecules)]
    seeds = table.groupby("trained")["seed"].nunique()
    return table if len(seeds) == 2 and seeds.min() >= 3 else table.iloc[:0]


def test_damages_follow_from_the_stored_draws(tables, page):
    uses = of_runs(tables, "uses", FOUR, 8000)
    found = deciding.chart(tables).uses
    assert (len(found) > 0) == (len(uses) > 0) and set(found["scale"]) <= {"4,000 steps"}
    for row in found.to_dict("records"):
        cell = uses[(uses["layer"] == row["layer"]) & (uses["irrep"].str[:-1].astype(int) == row["l"])]
        means = cell.groupby(["seed", "trained"])["damage"].mean().unstack().dropna()
        damage = min((means[True], means[True] - means[False]), key=lambda values: values.mean())
        low, high = stats.t.interval(0.9, len(damage) - 1, damage.mean(), stats.sem(damage))
        assert (
            change_text(*np.expm1([damage.mean(), low, high])) in page.split("(decides-chart)=")[1].split("(decides-table)=")[0]
        )


def test_gains_of_structure_follow_from_the_stored_scores(tables, page):
    orders = set(map(tuple, tables["structure"]["ls"]))
    for row in structure.gains(tables).to_dict("records"):
        ls = next(ls for ls in orders if str(deciding.Network(ls, 16)) == row["network"])
        table = of_runs(tables, "structure", ls, {"4,000 steps": 8000, "16,000 steps": 32000}[row["scale"]])
        cell = table[(table["layer"] == "block4") & (table["irrep"] == row["irrep"])]
        gain = cell.pivot_table(index="seed", columns="trained", values="value").dropna().pipe(lambda t: t[True] - t[False])
        assert row["gain"] == pytest.approx(gain.mean()) and row["seeds"] == len(gain)
        assert f"{gain.mean():+.3f} [".replace("-", "−") in page


def test_errors_beside_the_baseline_follow_from_the_runs(tables, page):
    key = ["reference", "num_train", "ls", "mul"]
    runs = tables["runs"].drop_duplicates("run_id")
    rows = page.split("(decides-top)=")[1].split("(decides-made)=")[0]
    for (_, size, *_), part in runs[runs["num_train"] < 1e5].groupby(key):
        limit = tables["baselines"].query("baseline == 'bond lengths' and num_train == @size")["mae_eV"].item()
        mean = part["average_mae_eV"].mean()
        said = f"{len(part)} | {mean:.3f} | {part['mae_eV'].mean():.3f} | {limit:.3f} | {'yes' if mean < limit else 'no'} |"
        assert f"{size:,} | " in rows and said in rows


def test_runs_and_rules_have_their_dates(tables, page):
    commit, date = deciding.RULES
    if history.whole_history(ROOT):
        assert history.git("log", "-1", "--format=%cI", commit, root=ROOT).strip() == date
        added = history.git("log", "--diff-filter=A", "--format=%H", "--", "equinotes/audit/protocols/second/rules.py", root=ROOT)
        assert added.strip().startswith(commit)
    first = tables["runs"]["started"].min()
    assert first > date and ", after that" in page
    for device, runs in tables["runs"].drop_duplicates("run_id").groupby("device_name"):
        assert re.search(rf"\| {device} \(\w+\) \| .* \| {len(runs)} \|", page)
    for experiment, configs in SECOND.experiments().items():
        stored = (tables["runs"]["experiment"] == experiment).sum()
        assert f"| {experiment} | {stored} | {len(configs)} |" in page


# ---- any state ----------------------------------------------------------------------------------------------------------------


def completed(planted):
    """Made-up tables with the columns that only the page reads."""
    runs = planted["runs"].assign(device="cpu", device_name="made up", started="2026-11-27T00:00:00+00:00", commit="abc")
    return planted | {"runs": runs, "curves": pd.DataFrame(columns=list(SCHEMAS["curves"]))}


@pytest.mark.parametrize("state", ["whole", "errors alone", "nothing"])
def test_page_builds_from_whatever_is_stored(protocol2, tables, shown, state):
    options = {"errors alone": {"examined": ()}, "nothing": {"run": lambda *_: False, "examined": ()}}.get(state, {})
    planted = protocol2.planted(**options)
    stored = completed(planted) if len(planted["runs"]) else {name: table.iloc[:0] for name, table in tables.items()}
    text = shown(PAGE, tables=stored, text=True).replace("\u00a0", " ")
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert text.count('class="verdict verdict-') == 2 * len(CLAIMS)
    assert state == "whole" or "not run" in text


def test_a_planted_world_turns_up_in_the_six_rows(protocol2):
    """The error of 0, 3-6 is planted at 1.2 times that of 0-4; every order is planted as used."""
    planted = protocol2.planted(error=lambda ls, mul, scale: 0.12 if ls == WITHOUT else 0.1)
    rows = {row["claim"].name: row for row in deciding.six_rows(planted)}
    assert rows["C3"]["decisive"]["outcome"] == "opposite shown"
    assert rows["C3"]["verdict"].startswith("not supported") or rows["C3"]["decisive"]["unit"] == "difference"
    shown = deciding.chart(planted)
    assert shown.uses["l"].tolist() == [1, 2, 3, 4] and shown.uses["answer"].isin(("used", "used but replaceable")).all()
    assert shown.costs["name"].tolist() == ["1", "2", "3", "4", "3 and 4", "1 and 2"]
    assert shown.costs["cost"].abs().max() < 0.06 and len(shown.dots) == 4 * 5


@pytest.mark.parametrize("claim", [claim.name for claim in CLAIMS])
def test_rows_say_what_speaks_against_a_claim_and_what_for_it(tables, claim):
    """Every part whose opposite is shown stands on the one side, every part that is shown on the other, with its number."""
    (row,) = (row for row in deciding.six_rows(tables) if row["claim"].name == claim)
    parts = deciding.parts_of(tables, claim)
    for side, outcome in (("opposing", "opposite shown"), ("siding", "shown")):
        expected = parts[(parts["outcome"] == outcome) & parts["estimate"].notna() & (parts["why"] == "")]
        assert sorted(part["part"] for part in row[side]) == sorted(expected["part"])
        said = sentences("second")("against" if side == "opposing" else "pro", row=row).replace("\u00a0", " ")
        for part in row[side][:2]:
            ratio = part["unit"] == "log ratio"
            text = change_text(part["estimate"], part["low"], part["high"]) if ratio else f"{part['estimate']:+.3f} ["
            assert text.replace("-", "−") in said
        assert ("more part" in said) == (len(row[side]) > 2)
    if row["opposing"]:
        assert row["opposing"][0]["unit"] == "log ratio" or all(part["unit"] == "difference" for part in row["opposing"])


def test_chart_has_a_mark_for_every_seed(protocol2):
    shown = deciding.chart(protocol2.planted())
    figure = plot_uses_and_costs(*shown)
    for ax, expected in zip(figure.axes, (len(shown.dots), len(shown.cost_dots)), strict=True):
        assert sum(len(line.get_xdata()) for line in ax.lines if line.get_markersize() == 4) == expected > 0
    plt.close(figure)


def test_other_pages_copy_the_rows_as_the_tables_have_them(tables):
    said = headlines(tables)
    for name, places in MARKS.items():
        for place in places:
            text = (ROOT / place).read_text(encoding="utf-8")
            assert between_marks(text, said[name], name) == text, f"{place}: run equinotes audit headline"
    rows = deciding.in_words(tables)
    assert [row["name"] for row in rows] == [claim.name for claim in CLAIMS]
    assert all(row["against"] and row["pro"] and row["care"] and row["verdict"] for row in rows)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, 'Claimed: "l = 1 is ignored". Found: error with l = 1 shuffled, beyond untrained: +123.1 % [+110.0, +137.0] '
             '(the opposite is shown). Opposite shown for 2 of 4 parts, also of "l = 2 is ignored".'),
        ({"outcome": "open", "opposite": 1, "opposites": ["l = 2 is ignored"]},
         '(open). Opposite shown for 1 of 4 parts: "l = 2 is ignored".'),
        ({"opposite": 0, "opposites": [], "outcome": "shown"}, "(shown). Opposite shown for none of 4 parts."),
        ({"estimate": float("nan"), "why": "not examined"}, 'Found: not known (not examined).'),
        ({"along": "0–6 against 0–2", "ladder": "lower after 500 steps"},
         "Error of 0–6 against 0–2 by scale: lower after 500 steps."),
    ],
    ids=["opposite", "another", "none", "unknown", "ladder"],
)  # fmt: skip
def test_the_command_says_what_was_claimed_before_what_was_found(changes, says):
    numbers = {"part": "l = 1 is ignored", "estimate": 1.231, "low": 1.1, "high": 1.37, "unit": "log ratio", "why": "",
               "outcome": "opposite shown", "opposite": 2, "opposites": ["l = 1 is ignored", "l = 2 is ignored"], "parts": 4,
               "along": "", "ladder": ""}  # fmt: skip
    assert says in sentences("second")("evidence", claim="C2", numbers=numbers | changes).replace("\u00a0", " ")
