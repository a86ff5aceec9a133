"""Sweeps: every run has its own fate, nothing is trained twice, and no process is left behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module

import psutil
import pytest

from equinotes import RunConfig, load_run, sweep, train
from equinotes.sweeps.cluster import local_workers, visible_gpus
from equinotes.sweeps.sweep import retrain_without

SMOKE = RunConfig.preset("smoke")
ENDLESS = SMOKE.but(epochs=1_000_000, seed=99)


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


ALONE = SMOKE.but(num_train=1, reference="mean")
"""A run that cannot begin: one molecule has no spread."""


def under_way(config, runs_dir):
    return (runs_dir / config.run_id / "checkpoint.safetensors").exists()


def test_each_run_has_its_own_fate(tmp_path, qm9, capsys):
    """One worker process: it is killed in the first run, and its successor goes on with the others."""
    complete = train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    configs = [SMOKE, ENDLESS, SMOKE.but(seed=1), SMOKE.but(seed=1), ALONE, SMOKE.but(lr=1e30)]

    def kill_the_worker():
        wait_until(lambda: under_way(ENDLESS, tmp_path))
        for child in psutil.Process().children():
            with suppress(psutil.Error):  # other tests' children may have ended
                if "equinotes.sweeps.cluster" in " ".join(child.cmdline()):
                    child.kill()

    killer = threading.Thread(target=kill_the_worker)
    killer.start()
    table = sweep(configs, runs_dir=tmp_path, workers=1)
    killer.join()

    assert table["run_id"].tolist() == list(dict.fromkeys(config.run_id for config in configs))
    assert table["status"].tolist() == ["done", "failed", "done", "failed", "failed"]
    errors = table["error"].tolist()
    assert errors[0] == errors[2] == ""
    assert "worker process died" in errors[1]
    assert "does not vary over the 1 training molecules" in errors[3] and "loss is" in errors[4]
    assert not any("\n" in error for error in errors)
    assert load_run(complete.path).provenance == complete.provenance
    trained = load_run(SMOKE.but(seed=1).run_id, tmp_path)
    assert trained.complete and trained.path.samefile(table["path"][2])
    assert under_way(ENDLESS, tmp_path)
    said = capsys.readouterr().err
    assert "sweep: 100%" in said and f"{ENDLESS.run_id} failed: its worker process died" in said


def test_ctrl_c_stops_at_once_keeps_the_checkpoints_and_leaves_no_process(tmp_path):
    command = ["sweep", "--preset", "smoke", "--epochs", "1000000", "--seed", "99", "--runs-dir", str(tmp_path)]
    code = f"import sys; from equinotes.cli.main import main; sys.exit(main({command!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: under_way(ENDLESS, tmp_path))
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 130
    assert said[-1] == "stopped; nothing is lost: the same command continues"
    wait_until(lambda: not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers))
    assert load_run(ENDLESS.run_id, tmp_path).status == "unfinished" and under_way(ENDLESS, tmp_path)


def test_complete_runs_start_no_process(tmp_path, qm9, monkeypatch):
    train(SMOKE, device="cpu", runs_dir=tmp_path, progress=False, qm9=qm9)
    monkeypatch.setattr(import_module("equinotes.sweeps.sweep"), "_train_all", None)
    assert sweep([SMOKE, SMOKE], runs_dir=tmp_path, scheduler="tcp://nobody:1")["status"].tolist() == ["done"]
    assert sweep([], runs_dir=tmp_path).empty


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster that is already there; its worker is a thread, which starts at once."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


def test_a_cluster_is_used_by_its_address(tmp_path, cluster):
    configs = [SMOKE, SMOKE.but(lr=1e30)]
    table = sweep(configs, runs_dir=tmp_path, scheduler=cluster.scheduler_address, progress=False)
    assert table["status"].tolist() == ["done", "failed"]
    assert load_run(SMOKE.run_id, tmp_path).complete


def test_a_sweep_says_that_it_waits_for_workers_and_trains_when_one_comes(tmp_path, qm9, capsys):
    from distributed import LocalCluster

    quiet = {"protocol": "tcp", "host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False, **quiet) as empty:
        said = []

        def come_late():
            time.sleep(2)
            said.append(capsys.readouterr().err)
            empty.scale(1)

        late = threading.Thread(target=come_late)
        late.start()
        table = sweep([SMOKE], runs_dir=tmp_path, scheduler=empty.scheduler_address)
        late.join()
    assert "no worker is connected yet" in said[0]
    assert table["status"].tolist() == ["done"] and "no worker" not in capsys.readouterr().err.splitlines()[-1]


def test_a_sweep_that_ends_stops_its_runs_on_the_cluster(tmp_path, cluster, monkeypatch):
    module = import_module("equinotes.sweeps.sweep")

    def interrupt_once_under_way(self, shown):
        if under_way(ENDLESS, tmp_path):
            raise KeyboardInterrupt

    monkeypatch.setattr(module._Sweep, "_collect", interrupt_once_under_way)
    with pytest.raises(KeyboardInterrupt):
        sweep([ENDLESS], runs_dir=tmp_path, scheduler=cluster.scheduler_address, progress=False)
    (worker,) = cluster.workers.values()
    wait_until(lambda: not worker.state.executing and not worker.state.tasks)


def test_a_scheduler_that_does_not_answer_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("equinotes.sweeps.cluster.SECONDS_TO_CONNECT", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ValueError, match=f"no Dask scheduler answers at '{address}'") as caught:
            sweep([SMOKE], runs_dir=tmp_path, scheduler=address)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "node1", "tcp://node1", "tcp://node1:port", "http://127.0.0.1:80"])
def test_what_is_no_address_is_refused(tmp_path, address):
    with pytest.raises(ValueError, match="Dask scheduler"):
        sweep([SMOKE], runs_dir=tmp_path, scheduler=address)


def test_other_bad_arguments_are_refused_before_anything_starts(tmp_path):
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        sweep([SMOKE], runs_dir=tmp_path, workers=0)
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        sweep([SMOKE], runs_dir=tmp_path, device="gpu")


def test_a_folder_that_cannot_be_made_fails_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        sweep([SMOKE, SMOKE.but(seed=1)], runs_dir=tmp_path / "file" / "runs")


def test_worker_processes_that_cannot_live_end_the_sweep(tmp_path):
    from equinotes.sweeps.cluster import LocalWorkers

    pool = LocalWorkers("no address at all", count=1, threads=1, scratch=str(tmp_path))

    def keep_up():
        while True:
            pool.keep_up(wanted=1, failed=0)
            for process, _ in pool.processes.values():
                process.wait()

    with pytest.raises(RuntimeError, match=r"worker processes die as soon as they start: \w*Error"):
        keep_up()
    assert pool.processes == {}


@pytest.fixture
def gpus(monkeypatch):
    """Pretend that torch sees this many GPUs, and that the environment names some."""

    def pretend(count, visible=None):
        monkeypatch.setattr("torch.cuda.device_count", lambda: count)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return pretend


@pytest.mark.parametrize(
    ("count", "visible", "device", "names"),
    [
        (0, None, "auto", []),
        (2, None, "auto", ["0", "1"]),
        (3, None, "cuda", ["0", "1", "2"]),
        (2, "5, GPU-a1b2", "auto", ["5", "GPU-a1b2"]),
        (0, "", "auto", []),
        (2, None, "cuda:1", []),
        (2, None, "cpu", []),
    ],
)
def test_gpus_are_named_as_the_environment_names_them(gpus, count, visible, device, names):
    gpus(count, visible)
    assert visible_gpus(device) == names


@pytest.mark.parametrize(
    ("count", "runs", "workers", "device", "seen"),
    [
        (2, 5, None, "auto", ["0", "1"]),
        (4, 3, None, "cuda", ["0", "1", "2"]),
        (2, 5, 3, "auto", ["0", "1", "0"]),
        (2, 5, None, "cuda:1", ["0,1"]),
        (0, 5, 2, "auto", ["", ""]),
        (2, 5, 2, "cpu", ["0,1", "0,1"]),
    ],
)
def test_each_worker_has_a_gpu_of_its_own_also_after_a_death(gpus, monkeypatch, count, runs, workers, device, seen):
    """Processes that sleep stand for the workers."""
    gpus(count, ",".join(map(str, range(count))))
    started, popen = [], subprocess.Popen

    def start(command, *, env, **more):
        started.append(env["CUDA_VISIBLE_DEVICES"])
        return popen([sys.executable, "-c", "import time; time.sleep(600)"], **more)

    monkeypatch.setattr(subprocess, "Popen", start)
    with local_workers(runs, workers, device) as (_, pool):
        pool.keep_up(runs, failed=0)
        assert started == seen
        for process, _ in [*pool.processes.values()]:
            process.kill()
            process.wait()
            pool.keep_up(runs, failed=3)
        assert started[len(seen) :] == seen
        pool.keep_up(1, failed=3)
        assert len(started) == 2 * len(seen)
    assert pool.processes == {}


@pytest.mark.parametrize(("ls", "l", "left"), [((0, 1, 2), 1, (0, 2)), ((0, 1, 2), 2, (0, 1)), ((0, 4), 4, (0,))])
def test_retraining_without_an_order_changes_nothing_else(ls, l, left):
    config = SMOKE.but(ls=ls, seed=3)
    assert retrain_without(config, l) == config.but(ls=left)


@pytest.mark.parametrize("l", [0, 3])
def test_only_an_order_that_is_there_and_not_the_scalars_can_be_left_out(l):
    with pytest.raises(ValueError, match=rf"orders above 0 in ls=\(0, 1\), got {l}"):
        retrain_without(SMOKE, l)
