"""The benchmarks compare like with like, and count work that is really needed."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from equinotes import RunConfig
from equinotes.files import read_json
from equinotes.model.coupling import ByPath, coupling

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def benchmarks_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainings"], "unknown benchmark 'trainings'; known: training, "),
        (["training", "--orders", "0,7"], "no case has the orders 0,7; known: 0,1,2; 0,1,2,3,4; "),
        (["phate", "--orders", "0-8"], "--orders goes with training alone"),
    ],
)
def test_what_is_not_there_to_be_measured_is_refused(words, said, monkeypatch, capsys):
    from benchmarks.__main__ import main

    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_cases_that_were_not_measured_again_keep_their_rows_and_their_record(tmp_path):
    from benchmarks.__main__ import write

    def measured(orders, milliseconds, started, *, whole=False):
        parts = [pd.DataFrame({"orders": orders, "median_ms": milliseconds, "started": started})]
        write(tmp_path, "training", parts, {"threads": 1, "device": "cpu", "started": started}, whole=whole)
        table = pd.read_parquet(tmp_path / "training.parquet").set_index("orders")
        return table["median_ms"].to_dict(), [record["started"] for record in read_json(tmp_path / "training.json")]

    assert measured(["a", "b"], [1.0, 2.0], "first") == ({"a": 1.0, "b": 2.0}, ["first"])
    assert measured(["b", "c"], [3.0, 4.0], "second") == ({"a": 1.0, "b": 3.0, "c": 4.0}, ["first", "second"])
    assert measured(["a"], [5.0], "third") == ({"b": 3.0, "c": 4.0, "a": 5.0}, ["second", "third"])
    assert measured(["c"], [6.0], "fourth", whole=True) == ({"c": 6.0}, ["fourth"])


def test_a_contestant_that_computes_something_else_stops_the_benchmark():
    from benchmarks.training import largest_error

    right = {"energy": np.array([1.0, -2.0]), "weight": np.array([0.0, 1e-3])}
    assert largest_error(right, right, "peer") == 0
    assert largest_error(right | {"energy": np.array([1.0, -2.000002])}, right, "peer") == pytest.approx(1e-6)
    with pytest.raises(AssertionError, match=r"peer computes another weight: its relative difference is 1\.0e-03"):
        largest_error(right | {"weight": np.array([1e-6, 1e-3])}, right, "peer")


def test_contestants_take_turns_and_ratios_are_those_within_rounds():
    from benchmarks import rounds

    seen = []

    def turn(name, seconds):
        return lambda number: seen.append((number, name)) or seconds * (number + 1)

    slow, fast = rounds.take_turns([turn("A", 6.0), turn("B", 2.0)], rounds=3, seconds=60)
    assert seen == [(0, "A"), (0, "B"), (1, "A"), (1, "B"), (2, "A"), (2, "B")]
    assert slow.ratio(fast) == (3.0, 3.0, 3.0)


def test_the_work_of_a_step_by_hand():
    from benchmarks.work import step_flops

    ls, mul = (0, 1), 32
    assert isinstance(coupling(ls, mul, ls, ls), ByPath)
    rows, components = 1 * 2 + 3 * 2, 4  # two paths lead to 0e, two to 1o
    middle = 4 * mul**3 + 2 * rows * mul**2 + 2 * rows * components * mul
    last = 2 * mul**3 + 2 * 2 * mul**2 + 2 * 2 * components * mul  # the paths to 0e alone
    assert step_flops(RunConfig(ls=ls, mul=mul, num_blocks=3), bonds=10) == 10 * 2 * 3 * (middle + last)


def test_a_slow_machine_ends_the_rounds_early(monkeypatch):
    from benchmarks import rounds

    now = [0.0]

    def turn(number):
        now[0] += 10.0
        return 10.0

    monkeypatch.setattr(rounds.time, "monotonic", lambda: now[0])
    (timing,) = rounds.take_turns([turn], rounds=50, seconds=45, least=3)
    assert len(timing.rounds) == 4


def test_all_contestants_share_weights_and_results(qm9):
    from benchmarks.contestants import CONTESTANTS, Skipped

    config, batch = RunConfig(ls=(0, 1), mul=4, num_blocks=2), qm9.batch([0, 5])
    outputs = []
    for contestant in CONTESTANTS:
        try:
            outputs.append(contestant.build(config).normalised(batch))
        except Skipped:
            assert contestant.name == "cuequivariance"  # optional
    assert len(outputs) >= 3
    for output in outputs:
        torch.testing.assert_close(output, outputs[0], rtol=1e-5, atol=1e-5)
