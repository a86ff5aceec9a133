"""Tables over stored runs: what is shown, how two sets of orders are compared, and what is written."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from equinotes import RunConfig
from equinotes.runs.results import as_listed, compare, export, overview

SMOKE = RunConfig.preset("smoke")


def stored(config, **columns):
    """A row of `list_runs`."""
    return {
        "run_id": config.run_id,
        "status": "complete",
        "complete": True,
        "path": f"runs/{config.run_id}",
        **config.to_dict(),
        "ls": config.ls,
        "auxiliary": config.auxiliary,
        "lmax": config.lmax,
        **columns,
    }


@pytest.fixture
def runs():
    """Two sets of orders, four seeds each, a planted difference of -0.25 eV; and runs that must not take part."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(4):
        common = rng.normal(1.0, 0.1)
        for ls, shift in [((0, 1), 0.0), ((0, 1, 2), -0.25)]:
            rows.append(stored(SMOKE.but(ls=ls, seed=seed), test_mae_eV=common + shift + rng.normal(0, 0.01), seconds=1.0))
    rows.append(stored(SMOKE.but(ls=(0, 1, 2), seed=9), test_mae_eV=50.0, seconds=1.0))
    rows.append(stored(SMOKE.but(ls=(0, 1), mul=8, seed=9), test_mae_eV=50.0, seconds=1.0))
    rows.append(stored(SMOKE.but(ls=(0, 1), seed=8), status="unfinished", complete=False))
    return pd.DataFrame(rows)


def test_comparison_is_the_paired_t_interval_of_scipy(runs):
    (row,) = compare(runs, (0, 1), (0, 1, 2)).to_dict("records")
    sides = [runs[(runs["ls"] == ls) & (runs["mul"] == 4) & (runs["seed"] < 4)] for ls in ((0, 1), (0, 1, 2))]
    first, second = (side.sort_values("seed")["test_mae_eV"] for side in sides)
    interval = stats.ttest_rel(second, first).confidence_interval(0.95)
    assert row["error"] == "test_mae_eV" and row["pairs"] == 4
    assert (row["ls=0,1"], row["ls=0,1,2"]) == pytest.approx((first.mean(), second.mean()))
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert row["low"] < -0.25 < row["high"] < 0


def test_comparison_the_other_way_round_has_the_opposite_sign(runs):
    one, other = compare(runs, (0, 1), (0, 1, 2)), compare(runs, (0, 1, 2), (0, 1))
    assert one["difference"][0] == pytest.approx(-other["difference"][0])
    assert (one["low"][0], one["high"][0]) == pytest.approx((-other["high"][0], -other["low"][0]))


def test_pairs_with_the_sign_of_the_mean_are_counted(runs):
    """Differences -3, -3, +1, -1 eV by hand: their mean is negative, and so are three of them."""
    values = dict(zip(range(4), (-3.0, -3.0, 1.0, -1.0), strict=True))
    planted = runs[(runs["mul"] == 4) & (runs["seed"] < 4)].copy()
    planted["test_mae_eV"] = [
        values[seed] if len(ls) == 3 else 0.0 for ls, seed in zip(planted["ls"], planted["seed"], strict=True)
    ]
    assert compare(planted, (0, 1), (0, 1, 2))["same_sign"].tolist() == ["3/4"]


def test_channels_may_differ_where_both_sides_name_them(runs):
    small = pd.DataFrame(stored(SMOKE.but(ls=(0,), mul=12, seed=seed), test_mae_eV=3.0, seconds=1.0) for seed in range(3))
    table = pd.concat([runs, small], ignore_index=True)
    with pytest.raises(ValueError, match="no complete runs with ls=0 and ls=0,1 that agree"):
        compare(table, (0,), (0, 1))
    (row,) = compare(table, (0,), (0, 1), (12, 4)).to_dict("records")
    four = runs[(runs["ls"] == (0, 1)) & (runs["mul"] == 4) & (runs["seed"] < 3)]["test_mae_eV"].mean()
    assert row["pairs"] == 3 and (row["ls=0:12"], row["ls=0,1:4"]) == pytest.approx((3.0, four))
    with pytest.raises(ValueError, match=r"ls=0:8 and ls=0,1:4 .*complete sets of orders: .*0:12"):
        compare(table, (0,), (0, 1), (8, 4))


def test_one_pair_has_no_interval(runs):
    (row,) = compare(runs[runs["seed"] == 0], (0, 1), (0, 1, 2)).to_dict("records")
    assert row["pairs"] == 1 and np.isnan(row["low"]) and np.isnan(row["high"])


@pytest.mark.parametrize("second", [(0, 3), (0, 1)])
def test_sets_without_a_pair_are_refused_and_those_there_are_named(runs, second):
    lonely = runs[runs["seed"] == 9]
    with pytest.raises(ValueError, match=r"no complete runs with ls=0,1,2 and .*complete sets of orders: 0,1, 0,1,2"):
        compare(lonely, (0, 1, 2), second)


def test_overview_shows_what_differs(runs):
    table = overview(runs)
    assert list(table.columns) == ["ls", "mul", "epochs", "num_train", "seed", "test_mae_eV", "seconds", "status"]
    assert len(table) == len(runs) and table["ls"].tolist() == sorted(table["ls"])
    assert "lr" in overview(pd.DataFrame([stored(SMOKE), stored(SMOKE.but(lr=0.1))]))
    assert overview(pd.DataFrame()).empty


def test_overview_keeps_whole_numbers_beside_a_damaged_run(runs):
    damaged = {"run_id": "x", "status": "damaged", "complete": False, "path": "runs/x"}
    table = overview(pd.concat([runs, pd.DataFrame([damaged])], ignore_index=True))
    assert table["seed"].dtype == "Int64" and (table["status"] == "damaged").sum() == 1


def test_written_tables_come_back(runs, tmp_path):
    export(runs, tmp_path / "new" / "runs.parquet")
    again = pd.read_parquet(tmp_path / "new" / "runs.parquet")
    assert [tuple(ls) for ls in again["ls"]] == runs["ls"].tolist()
    pd.testing.assert_frame_equal(again.drop(columns="ls"), runs.drop(columns="ls"), check_dtype=False)
    export(runs, tmp_path / "runs.csv")
    assert pd.read_csv(tmp_path / "runs.csv")["ls"].tolist() == [",".join(map(str, ls)) for ls in runs["ls"]]
    with pytest.raises(ValueError, match=r"written as \.csv or \.parquet, got 'runs\.xls'"):
        export(runs, tmp_path / "runs.xls")


def test_pairs_of_other_settings_are_told_apart(runs):
    wide = pd.DataFrame(
        stored(SMOKE.but(ls=ls, mul=8, seed=seed), test_mae_eV=2.0 + 0.1 * seed + shift, seconds=1.0)
        for seed in range(2)
        for ls, shift in [((0, 1), 0.0), ((0, 1, 2), 0.5)]
    )
    table = compare(pd.concat([runs, wide], ignore_index=True), (0, 1), (0, 1, 2))
    assert table["mul"].tolist() == [4, 8] and table["pairs"].tolist() == [4, 2]
    assert table["difference"].tolist() == pytest.approx([-0.25, 0.5], abs=0.02)


def test_the_stored_runs_of_the_audit_are_listed_once_each_and_compared(runs):
    table = runs.dropna(subset="test_mae_eV").rename(columns={"test_mae_eV": "mae_eV"}).drop(columns=["status", "complete"])
    twice = pd.concat([table.assign(experiment="table"), table.assign(experiment="substitutes")], ignore_index=True)
    listed = as_listed(twice)
    assert len(listed) == len(table) and set(listed["experiment"]) == {"table, substitutes"}
    assert "experiment" in overview(listed) and len(overview(listed)) == len(table)
    assert compare(listed, (0, 1), (0, 1, 2))["pairs"][0] == 4
