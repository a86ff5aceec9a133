"""The benchmarks compare like with like, and count work that is really needed."""

import math
import os
import sys
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from equinotes import RunConfig, build_network
from equinotes.audit.protocols.first.runs import PAPER_SETS
from equinotes.layers.coupling import ByFrame, ByPath, coupling
from equinotes.layers.messages import Messages
from equinotes.support.files import read_json

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def benchmarks_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainings"], "unknown benchmark 'trainings'; known: training, positions, "),
        (["training", "--orders", "0,7"], "no case has the orders 0,7; known: 0,1,2,3,4; 0,1,2; "),
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


def test_the_cases_are_the_papers_networks():
    from benchmarks.training import CASES

    assert sorted(CASES) == sorted(PAPER_SETS)


def test_systems_that_tell_less_are_measured_all_the_same(tmp_path, monkeypatch):
    from benchmarks import worker
    from benchmarks.__main__ import cores, write

    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "getloadavg", raising=False)
    monkeypatch.setattr(worker, "PROCESS", tmp_path / "none")
    assert cores() == os.cpu_count()
    assert math.isnan(worker.reset_peak("cpu")) and math.isnan(worker.peak_bytes("cpu"))
    write(tmp_path, "phate", [pd.DataFrame({"irrep": ["0e"]})], {"threads": 1, "device": "cpu"}, whole=True)
    assert math.isnan(read_json(tmp_path / "phate.json")[0]["load_average"])


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
    for wrong, said in ((1e-6, r"1\.0e-03"), (math.nan, "nan")):
        with pytest.raises(AssertionError, match=f"peer computes another weight: its relative difference is {said}"):
            largest_error(right | {"weight": np.array([wrong, 1e-3])}, right, "peer")


@pytest.fixture
def race(monkeypatch):
    """Makes the table of a race of contestants that say where they fail and what they compute; steps take them a second."""
    from benchmarks import rounds, training
    from benchmarks.contestants import Skipped

    class Worker:
        def __init__(self, contestant, *settings):
            self.fails, computed = contestant.name
            self.answers = {"gradients": {"energy": np.array([computed])}, "bonds": [1, 3]}

        def call(self, method, *args):
            if method == self.fails:
                raise Skipped("out of memory")
            return self.answers.get(method, 1.0)

        def result(self):
            return self.call("build")

        def close(self):
            pass

    def run(*names, rounds=1):
        contestants = [SimpleNamespace(name=name) for name in names]
        return training.measure((0, 1), 4, contestants, rounds=rounds, threads=1, device="cpu", seconds=60)

    monkeypatch.setattr(rounds, "PAUSE", 0.0)
    monkeypatch.setattr(training, "Worker", Worker)
    return run


@pytest.mark.parametrize("where", ["build", "warm_up", "gradients", "steps"])
def test_a_contestant_that_fails_is_left_out_and_the_others_are_measured(race, where):
    table = race((None, 2.0), (where, 2.0), (None, 2.0))
    assert table["skipped"].fillna("").tolist() == ["", "out of memory", ""]
    assert table["median_ms"].fillna(0).tolist() == [1000, 0, 1000]


def test_without_equinotes_or_with_another_result_there_is_no_race(race):
    from benchmarks.contestants import Skipped

    with pytest.raises(Skipped, match="out of memory"):
        race(("warm_up", 2.0), (None, 2.0))
    with pytest.raises(AssertionError, match="computes another energy"):
        race((None, 2.0), (None, 2.1))


def test_what_only_some_contestants_compute_is_compared_among_them():
    from benchmarks import training
    from benchmarks.contestants import POSITION_CONTESTANTS
    from benchmarks.worker import Trainer

    positions = {}
    config = RunConfig(ls=(0, 1), mul=4, num_blocks=2, batch_size=4)
    for contestant in POSITION_CONTESTANTS:
        trainer = Trainer(contestant, config, torch.get_num_threads(), "cpu")
        trainer.warm_up()
        positions[contestant.name] = trainer.gradients().get("positions")
    assert positions["equinotes"] is None and positions["e3nn"] is None
    expected = {"positions": positions["e3nn, positions"]}
    assert training.largest_error({"positions": positions["equinotes, positions"]}, expected, "equinotes") < 1e-5
    assert np.abs(expected["positions"]).max() > 0


def test_fewer_than_three_rounds_have_no_quartiles(race):
    quartiles = ["quartile1_ms", "quartile3_ms", "times_equinotes_q1", "times_equinotes_q3"]
    assert race((None, 2.0), rounds=2)[quartiles].isna().all(axis=None)
    assert race((None, 2.0), rounds=3)[quartiles].notna().all(axis=None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("too\nlong"), "ValueError: too"),
        (EOFError(), "EOFError: "),
        (AssertionError("no kernel"), "AssertionError: no kernel"),
    ],
    ids=repr,
)
def test_whatever_goes_wrong_in_a_worker_is_told(error, said, monkeypatch, capsys):
    from benchmarks import worker
    from benchmarks.contestants import Skipped

    class Trainer:
        seconds_to_build = 2.0

        def __init__(self, *settings):
            pass

        def warm_up(self):
            raise error

    monkeypatch.setattr(worker, "Trainer", Trainer)
    here, there = Pipe()
    here.send(("warm_up", ()))
    worker._serve(there, *4 * (None,))
    assert here.recv() == 2.0
    reason = here.recv()
    assert isinstance(reason, Skipped) and str(reason) == said
    assert "Traceback" in capsys.readouterr().err


def test_a_process_that_is_gone_is_told():
    from benchmarks.contestants import Skipped
    from benchmarks.worker import Worker

    gone = object.__new__(Worker)
    gone._here, there = Pipe()
    gone._process = SimpleNamespace(join=lambda timeout: None, exitcode=-9)
    there.close()
    with pytest.raises(Skipped, match="its process ended with exit code -9"):
        gone.result()


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

    ls, mul, bonds = (0, 1), 32, 10
    assert isinstance(coupling(ls, mul, ls, ls), ByPath)
    # two paths lead to 0e and two to 1o: 1 * 2 + 3 * 2 lifted rows for each direction, of 4 components each
    middle_weights, middle_features, middle_lift = 4 * mul**3, 2 * (1 * 2 + 3 * 2) * mul**2, 2 * (1 * 2 + 3 * 2) * 4 * mul
    last_weights, last_features, last_lift = 2 * mul**3, 2 * (1 * 2) * mul**2, 2 * (1 * 2) * 4 * mul  # to 0e alone
    thrice = middle_weights + middle_features + last_weights + last_features  # forward, and a gradient of either factor
    twice = middle_lift + last_lift  # forward, and the gradient of the features
    expected = 2 * (3 * thrice + 2 * twice) * bonds
    assert step_flops(RunConfig(ls=ls, mul=mul, num_blocks=3), bonds) == expected


class Products(TorchDispatchMode):
    """Counts the floating-point operations of all products of matrices."""

    flops = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name().removeprefix("aten::").split(".")[0]
        assert name in ("mm", "bmm", "addmm_") or "mm" not in name
        if "mm" in name:
            a, b = args[-2:]
            self.flops += 2 * a.numel() * b.shape[-1]
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("ls", "way"), [((0, 1), ByPath), ((0, 1, 2, 3, 4), ByFrame)])
def test_the_work_of_a_step_is_what_its_convolutions_multiply_without_what_they_make_again(qm9, ls, way):
    from benchmarks.work import step_flops

    config, batch = RunConfig(ls=ls, mul=32, num_blocks=3), qm9.batch([5, 2021])
    net, bonds, total = build_network(config), batch.edge_index.shape[1] // 2, 0
    edges = net.edges(batch)
    for block, wanted in zip(net.blocks[1:], (ls, (0,)), strict=True):
        how = coupling(ls, config.mul, ls, wanted)
        assert isinstance(how, way)
        banks = [bank.detach().requires_grad_() for bank in how.banks(block.radial.layer1.weight.view(block.weight_shape))]
        x = torch.randn(len(batch.z), edges.sh.shape[1], config.mul, requires_grad=True)
        hidden = torch.randn(bonds, config.mul, requires_grad=True)
        with Products() as products:
            Messages.apply(x, hidden, edges.vectors, edges, how, *banks).sum().backward()
        weights = 2 * bonds * sum(bank.numel() for bank in banks)
        lifting = 2 * 2 * bonds * how.products[-1].lifted.stop * edges.sh.shape[1] * config.mul
        total += products.flops - weights - lifting
    assert step_flops(config, bonds) == total


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


def test_two_checkouts_take_turns_in_alternating_order_and_the_least_counts():
    from benchmarks.beside import alternating

    order, times = [], {"own": iter([3.0, 1.0, 2.0]), "other": iter([5.0, 6.0, 4.0])}

    def turn(name):
        order.append(name)
        return next(times[name])

    assert alternating(lambda: turn("own"), lambda: turn("other"), rounds=3) == (1.0, 4.0)
    assert order == ["own", "other", "other", "own", "own", "other"]
