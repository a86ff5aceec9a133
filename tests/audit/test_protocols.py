"""Versions of the protocol stand beside each other: each by its name, with its runs, its claims and its tables."""

import subprocess
import sys

import pytest

from equinotes.audit.protocol import PROTOCOLS, Protocol, named
from equinotes.audit.tables import folder_of, load_all, names_of
from equinotes.cli import main as cli


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


def test_naming_the_first_version_is_light():
    code = "from equinotes.audit.protocol import named; named(); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "pandas", "scipy", "matplotlib"} & set(loaded)
