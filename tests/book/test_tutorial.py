"""What a reader is told to type works as it stands: the tutorial's commands, and the recipe on a network that is not ours."""

import io
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equinotes import RunConfig, build_network, list_runs
from equinotes.cli import main as cli
from equinotes.training.loop import SECONDS_BETWEEN_CHECKPOINTS

BOOK = Path(__file__).parents[2] / "book"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (BOOK / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def test_the_recipe_runs_on_a_network_that_is_not_ours():
    names: dict = {}
    recipe = blocks("your_network.md", "python")
    assert "from equinotes import diagnose" in recipe[0]
    for code in recipe:
        exec(compile(code, "your_network.md", "exec"), names)
    assert not type(names["network"]).__module__.startswith("equinotes")
    untrained, trained = names["untrained"].set_index(["layer", "irrep"]), names["trained"].set_index(["layer", "irrep"])
    above = [key for key in untrained.index if not key[1].startswith("0")]
    assert above and not untrained.loc[above, "reaches"].any(), "the page says so"
    assert trained.loc[above, "reaches"].any() and (trained.loc[above, "change"] > 0).any()
    (printed,) = blocks("your_network.md", "text")
    shown = pd.read_csv(io.StringIO(printed), sep=r"\s+").set_index(["layer", "irrep"])
    assert shown["reaches"].equals(trained["reaches"])
    numbers = ["change_of_spread", "gradient_share", "norm_share"]
    pd.testing.assert_frame_equal(shown[numbers], trained[numbers], atol=0.1, rtol=0.0)
    worse = names["worse"].set_index(["layer", "irrep"])
    unread = trained.index[~trained["reaches"]]
    np.testing.assert_allclose(worse.loc[unread, "spoilt"], worse.loc[unread, "error"], rtol=1e-5)
    assert worse.loc[("mp.layers.0", "0e"), "spoilt"] > worse.loc[("mp.layers.0", "0e"), "error"]


def test_the_tutorials_commands_run_one_after_another(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    commands = [line for block in blocks("own_question.md", "bash") for line in block.replace("\\\n", " ").splitlines()]
    assert len(commands) == 9
    tables, notes = [], []
    for command in commands:
        name, *words = shlex.split(command)
        assert name == "equinotes"
        assert cli.main(words) == 0, command
        printed = capsys.readouterr().out
        if words[0] == "results" and "--export" not in words:
            table, _, note = printed.partition("\n\n")
            tables.append(pd.read_csv(io.StringIO(table), sep=r"\s+"))
            notes.append(note)
    shown = [text.partition("\n\n") for text in blocks("own_question.md", "text")]
    for mine, (text, _, _) in zip(tables, shown, strict=True):
        table = pd.read_csv(io.StringIO(text), sep=r"\s+")
        errors = [name for name in table if name.startswith(("test_", "ls="))]
        assert list(table) == list(mine) and errors
        pd.testing.assert_frame_equal(table[errors], mine[errors], rtol=0.05)
        if "same_sign" in table:
            assert table["same_sign"].equals(mine["same_sign"])
    assert shown[1][2] == notes[1] == notes[2]
    runs = pd.read_csv(tmp_path / "alpha.csv")
    assert len(runs) == 6 and set(runs["target"]) == {"alpha"}
    assert (tmp_path / "executed" / "04_irrep_ablation.html").is_file()
    (looked,) = blocks("own_question.md", "python")
    names: dict = {}
    exec(compile(looked.replace("diagnose(", "table = diagnose("), "own_question.md", "exec"), names)
    assert names["run"].run_id in set(runs["run_id"]), "the page says that this run is complete"
    assert {"change", "change_of_spread"} <= {*names["table"]} and (names["table"]["change"] > 0).any()


def test_the_tutorial_compares_networks_of_equal_size():
    """What the page says of 12 channels in place of 8."""
    sizes = [
        sum(p.numel() for p in build_network(RunConfig.preset("quick", target="alpha", ls=ls, mul=mul)).parameters())
        for ls, mul in (((0,), 12), ((0, 1), 8))
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.02)


def test_the_jobs_for_a_cluster_train_what_they_say(tmp_path):
    """Both scripts as printed, but for a tiny preset, one worker, another port, and `srun` played by a function."""
    scripts = [block for block in blocks("rerun.md", "bash") if block.startswith("#!")]
    assert len(scripts) == 2 and f"every {SECONDS_BETWEEN_CHECKPOINTS:.0f} seconds" in (BOOK / "rerun.md").read_text()
    with socket.socket() as free:
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    changes = {
        "source .venv/bin/activate": 'srun() { shift 2; "$@"; }', "export EQUINOTES_CACHE=$PWD/cache": "",
        "--preset quick": "--preset smoke", "--preset paper": "--preset smoke", "--ls 0,1,2 0-4 --seed 0 1 2": "--ls 0 0,1",
        "8786": port,
    }  # fmt: skip
    assert all(any(before in script for script in scripts) for before in changes)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for script in scripts:
        for before, after in changes.items():
            script = script.replace(before, after)
        command = ["bash", "-e", "-c", script]
        subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path, "SLURM_ARRAY_TASK_ID": "3"}, check=True)
    runs = list_runs(tmp_path / "runs")
    assert sorted(zip(runs["ls"], runs["seed"], strict=True)) == [((0,), 0), ((0, 1), 0), ((0, 1, 2), 3)]
    assert runs["complete"].all()
