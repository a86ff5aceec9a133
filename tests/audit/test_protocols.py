"""Versions of the protocol stand beside each other: each by its name, with its runs, its claims and its tables."""

import subprocess
import sys

import numpy as np
import pytest

from equinotes.audit.protocol import PROTOCOLS, Protocol, named
from equinotes.audit.tables import folder_of, load_all, names_of
from equinotes.cli import main as cli
from equinotes.support.templates import sentences


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_version_is_whole(name, tmp_path):
    protocol = named(name)
    assert isinstance(protocol, Protocol) and protocol.name == name
    configs = [config for some in protocol.experiments().values() for config in some]
    assert configs and set(protocol.run_ids()) == {config.run_id for config in configs}
    fitted = {config.num_train for config in configs if config.gate is False and not config.auxiliary}
    assert fitted <= {config.num_train for config in protocol.scales}, "linear baselines stand beside every scale"
    tables = load_all(tmp_path, protocol)
    assert set(tables) == set(names_of(protocol)) >= {"runs", "metrics", "predictions", "baselines"}
    judged = protocol.judge(tables)
    assert set(judged["claim"]) <= {claim.name for claim in protocol.claims} and list(judged.columns[:2]) == ["claim", "verdict"]


def test_versions_have_tables_and_runs_of_their_own():
    folders = [folder_of(protocol=named(name)).name for name in PROTOCOLS]
    assert folders == ["audit", "protocol2", "networks", "strategies"]
    ids = [set(named(name).run_ids()) for name in PROTOCOLS]
    assert len(set.union(*ids)) == sum(map(len, ids))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_command_line_takes_every_version(name, tmp_path, capsys):
    for action in ("status", "verdicts"):
        assert cli.main(["audit", action, "--protocol", name, "--results-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert all(experiment in out for experiment in named(name).experiments())
    assert all(f"{claim}  " in out for claim in named(name).judge(load_all(tmp_path, named(name)))["claim"])


def test_what_the_command_line_says_of_a_strategy():
    say = sentences("strategies")
    unseen = {"use": np.nan, "use_against_control": np.nan}
    single = {"0-2": {"error": 0.25, "seeds": 5}, "0-4": {"error": -0.05, "seeds": 3}}
    numbers = single | {"average": {"error": 0.1, "against_control": -0.02} | unseen, "coefficient": 0.3}
    assert say("sureness", numbers=numbers) == "2 networks, 3 to 5 seeds"
    said = say("evidence", claim="dipole", numbers=numbers).replace("\u00a0", " ")
    assert said == (
        "Error against the plain network +10 %, against its control −2 %. "
        "Error of single networks: 0-2 +25 %; 0-4 −5 %. Coefficient 0.3."
    )
    numbers = {"0-2": single["0-2"], "average": {"error": 0.25, "against_control": 0.2, "use": -0.4, "use_against_control": 0.1}}
    said = say("evidence", claim="dipole", numbers=numbers | {"coefficient": 1}).replace("\u00a0", " ")
    assert said.endswith("Use of orders (log ratio) −0.40, against the control +0.10.") and "single" not in said
    assert say("evidence", claim="dipole", numbers={}) == "not run"


def test_what_the_command_line_says_of_other_networks():
    numbers = {"part": "l = 1 is ignored", "estimate": 0.5, "low": 0.4, "high": 0.6, "seeds": "5", "why": ""}
    said = sentences("networks")("evidence", claim="N1", numbers=numbers | {"shown": 0, "opposite": 3, "parts": 4})
    assert said.replace("\u00a0", " ") == (
        'Of 4 parts none are shown, of 3 the opposite. What decides: claimed "l = 1 is ignored", found +50.0 % [+40.0, +60.0].'
    )


def test_naming_the_first_version_is_light():
    code = "from equinotes.audit.protocol import named; named(); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "pandas", "scipy", "matplotlib"} & set(loaded)
