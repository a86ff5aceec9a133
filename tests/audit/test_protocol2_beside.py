"""What stands beside protocol 2's rules follows from the stored tables by other code, is right in planted worlds, and is said."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from equinotes.audit.protocol import named
from equinotes.audit.protocols.second.beside import BY_ERRORS, NUMBERS, beside, judged_by_last
from equinotes.audit.protocols.second.rules import judge
from equinotes.audit.protocols.second.runs import FOUR, LOW, SIX, WITHOUT
from equinotes.audit.report import deciding, made
from equinotes.audit.tables import load_all
from equinotes.support.text import change_text, set_name

PAGE = Path(__file__).parents[2] / "notebooks" / "10_evidence_that_decides.ipynb"
SECOND = named("second")


def change(tables, first, second, *, prefix="average_", size=8000, reference="composition"):
    """Welch's change of the error from one network (orders, channels) to another, from the stored predictions."""
    runs, predictions, logs = tables["runs"], tables["predictions"], []
    for ls, mul in (first, second):
        chosen = runs[(runs["mul"] == mul) & (runs["num_train"] == size) & (runs["reference"] == reference)]
        ids = [run_id for run_id, orders in zip(chosen["run_id"], chosen["ls"], strict=True) if tuple(orders) == ls]
        target = predictions["target_eV"].to_numpy()
        logs.append([np.log(np.abs(predictions[f"{prefix}{run_id}"].to_numpy("f8") - target).mean()) for run_id in ids])
    interval = stats.ttest_ind(logs[1], logs[0], equal_var=False).confidence_interval(0.9)
    return change_text(*np.expm1([np.mean(logs[1]) - np.mean(logs[0]), interval.low, interval.high]))


def between(page, claim):
    return page.split(f"(decides-{claim})=")[1].split("(decides-")[0].partition("Beside the rule")[2]


def test_controls_and_the_last_iterate_of_c1_follow_from_the_predictions(tables, page):
    said = between(page, "c1")
    more = ((0, 1, 2, 4), 32)
    assert change(tables, (LOW, 40), more) in said
    assert change(tables, (LOW, 25), (FOUR, 16)) in said
    assert change(tables, (LOW, 32), more, prefix="") in said
    near = [l for l in (4, 6, 8, 10) if change(tables, (LOW, 32), ((0, 1, 2, l), 32)) in said]
    assert near == [6, 8, 10]


def test_c3_with_the_papers_reference_follows_from_the_predictions(tables, page):
    assert change(tables, (FOUR, 16), (WITHOUT, 16), reference="mean") in between(page, "c3")


def test_costs_of_orders_that_are_used_follow_from_the_predictions(tables, page):
    said = between(page, "c5")
    for l in (1, 3, 4):
        assert f"l = {l} ({change(tables, (FOUR, 16), (tuple(k for k in FOUR if k != l), 16))})" in said
    assert change(tables, ((0, 3, 4), 16), ((0, 5, 6), 16)) in said


def test_scores_of_c2_follow_from_the_stored_scores(tables, page):
    scores = tables["structure"]
    there = scores["ls"].map(lambda ls: tuple(ls) == SIX).astype(bool) & (scores["layer"] == "block4")
    for irrep in ("1o", "2e"):
        after, before = (scores[there & (scores["irrep"] == irrep) & (scores["trained"] == state)] for state in (True, False))
        words = f"{after['value'].mean():.2f}, {before['value'].mean():.2f}, {after['null_mean'].mean():.2f} (l = {irrep[0]})"
        assert words in between(page, "c2")


def test_damages_of_c4_are_the_largest_by_hand(tables):
    uses = tables["uses"]
    uses = uses[uses["ls"].map(lambda ls: tuple(ls) == SIX).astype(bool) & uses["trained"].astype(bool)]
    means = np.expm1(uses.groupby(["layer", "irrep"])["damage"].mean()).unstack()
    for row in beside(tables, "C4")["blocks"]:
        cells = means.loc[row["block"]]
        assert row["zero"] == pytest.approx(cells["0e"]) and row["other"] == pytest.approx(cells.drop("0e").max())
        assert cells.drop("0e").idxmax()[:-1] == str(row["l"])


def test_published_models_are_counted_by_hand(tables):
    numbers, shares = beside(tables, "C6"), tables["foundation"].query("weights == 'trained'")
    means = shares.groupby(["model", "layer", "irrep"])["damage_share"].mean().unstack().dropna(subset="1e")
    assert (numbers["first"], numbers["layers"]) == ((means["0e"] >= means.max(axis=1)).sum(), len(means))


def test_verdicts_by_the_last_iterate_are_those_of_tables_that_hold_it(protocol2):
    planted = protocol2.planted(error=lambda ls, mul, scale: 0.12 if ls == WITHOUT else 0.1)
    verdicts = dict(judge(planted, BY_ERRORS)[["claim", "verdict"]].itertuples(index=False))
    same = planted["runs"].assign(mae_eV=planted["runs"]["average_mae_eV"])
    assert judged_by_last(planted | {"runs": same}) == verdicts
    apart = same.assign(mae_eV=np.where(same["ls"].map(lambda ls: tuple(ls) in (FOUR, SIX)), 0.5, 1.0) * same["mae_eV"])
    assert judged_by_last(planted | {"runs": apart})["C1"] == "not supported at this scale" != verdicts["C1"]


def test_the_page_says_where_the_last_iterate_would_judge_otherwise(tables, page):
    rows = {row["claim"].name: row for row in deciding.six_rows(tables)}
    for name in BY_ERRORS:
        other = rows[name]["by_last"] != rows[name]["verdict"]
        assert (f"the verdict would be *{rows[name]['by_last']}*" in between(page, name.lower())) == other


@pytest.mark.parametrize("options", [{"run": lambda *_: False, "examined": ()}, {"examined": ()}])
def test_nothing_stands_beside_what_is_not_stored(protocol2, options):
    planted = protocol2.planted(**options)
    if planted["runs"].empty:
        planted["runs"] = load_all(None, SECOND)["runs"].iloc[:0]
    found = {claim: beside(planted, claim) for claim in NUMBERS}
    assert {claim for claim, numbers in found.items() if numbers} <= ({"C1", "C3"} if len(planted["runs"]) else set())


# ---- how the runs were made ---------------------------------------------------------------------------------------------------


def test_comparisons_across_devices_are_found(protocol2):
    runs = protocol2.planted()["runs"].assign(device_name="one")
    assert not made.across_devices({"runs": runs})["mixed"].any()
    moved = runs["ls"].map(lambda ls: tuple(ls) == LOW) & (runs["mul"] == 40)
    table = made.across_devices({"runs": runs.assign(device_name=np.where(moved, "other", "one"))})
    assert table[table["mixed"]]["first"].tolist() == ["0–2 (40)"]
    assert not table.duplicated(["first", "second", "scale"]).any()


def test_the_page_names_every_comparison_across_devices(tables, page):
    table = made.across_devices(tables)
    mixed = table[table["mixed"]]
    assert f"{len(mixed)} of the page's {len(table)} comparisons" in page
    devices = tables["runs"].groupby([tables["runs"]["ls"].map(tuple), "mul", "num_train", "reference"])["device_name"].unique()
    assert list(devices[LOW, 40, 8000, "composition"]) != list(devices[(0, 1, 2, 4), 32, 8000, "composition"])
    assert "| C1 | 0–2 (40), 0–2, 4 (32) |" in page


def counted(words):
    """Runs that are named as "0–2 (16), 0–4 (16) × seeds 0–2, 4; 0–6 (16) × seed 1"."""
    total = 0
    for networks, seeds in re.findall(r"([^;:×]+) × seeds? ([\d–, ]+)", words):
        ranges = re.findall(r"(\d+)(?:–(\d+))?", seeds)
        total += networks.count("(") * sum(int(last or first) - int(first) + 1 for first, last in ranges)
    return total


def test_what_is_missing_is_named_with_its_seeds(tables, page):
    rows = made.stored(tables).set_index("experiment")
    for name, configs in SECOND.experiments().items():
        lacking = [config for config in configs if config.run_id not in set(tables["runs"]["run_id"])]
        assert counted(rows.loc[name, "missing"]) == len(lacking)
        assert all(set_name(config.ls, config.mul) in rows.loc[name, "missing"] for config in lacking)
    assert rows.loc["full", "missing"] in page.split("(decides-top)=")[1].split("(decides-made)=")[0]


def test_sizes_beside_the_chart_are_those_of_the_runs(tables):
    sizes, runs = deciding.sizes(tables), tables["runs"]
    counts = {(tuple(ls), mul): n for ls, mul, n in zip(runs["ls"], runs["mul"], runs["parameters"], strict=True)}
    assert sizes["whole"] == counts[FOUR, 16]
    assert [row["parameters"] for row in sizes["few"]] == [counts[LOW, 16], counts[LOW, 25]]
    said = [change_text(row["change"], row["low"], row["high"]) for row in sizes["few"]]
    assert said == [change(tables, (FOUR, 16), (LOW, mul)) for mul in (16, 25)]


def test_the_papers_settings_have_the_papers_number_of_steps():
    scales = deciding.scales()
    assert (scales["scale"]["molecules"], scales["scale"]["steps"]) == (8000, 4000)
    assert (scales["papers"]["molecules"], scales["papers"]["steps"]) == (104665, 98130)
