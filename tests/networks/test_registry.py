"""Networks by name: a new one is a class and a line, and a field that a network does not read is refused."""

import numpy as np
import pytest
import torch
from torch import nn

from equinotes import RunConfig, build_network, embed, list_runs, load_run, sweep, train
from equinotes.cli import main as cli
from equinotes.networks import NETWORKS, Entry
from equinotes.networks.base import Layer, Layered

SMOKE = RunConfig.preset("smoke")


class Dummy(Layered):
    """Counts the atoms, and has vectors of another number of channels than scalars, of either parity."""

    def __init__(self, config, implementation="fast"):
        super().__init__(len(config.auxiliary))
        self.config = config
        self.layers = (Layer("start", "2x0e", editable=False), Layer("middle", "3x0e+1x1e+2x1o"))
        self.linear = nn.Linear(2, 1)

    def edges(self, batch):
        return None

    def embed(self, batch):
        return torch.stack([batch.z / 10, torch.ones_like(batch.z)], dim=1).to(self.linear.weight.dtype)

    def step(self, layer, x, edges, *, everything):
        return torch.cat([x, self.linear(x), x.repeat(1, 5)[:, :9]], dim=1)

    def read(self, x, batch):
        return x.new_zeros(batch.num_molecules, 1).index_add(0, batch.molecule, x[:, 2:3])


@pytest.fixture
def dummy(monkeypatch):
    monkeypatch.setattr("equinotes.networks.base.Dummy", Dummy, raising=False)
    entry = Entry("equinotes.networks.base:Dummy", reads="mul graph", takes={"graph": ("bonds",)})
    monkeypatch.setitem(NETWORKS, "dummy", entry)
    return SMOKE.but(network="dummy", ls=(0, 1, 2), num_blocks=5)


def test_a_new_network_trains_and_is_embedded_by_its_own_irreps(dummy, tmp_path):
    run = train(dummy, runs_dir=tmp_path, progress=False)
    layers = embed(run, np.arange(10))
    assert [(layer.name, layer.irreps, layer.x.shape) for layer in layers] == [
        ("start", "2x0e", (10, 2)),
        ("middle", "3x0e+1x1e+2x1o", (10, 12)),
    ]
    net = run.network()
    reached = {(k, ir): net.reaches(k, ir) for k, ir in [("start", "0e"), ("middle", "0e"), ("middle", "1e"), ("middle", "1o")]}
    assert reached == {("start", "0e"): True, ("middle", "0e"): True, ("middle", "1e"): False, ("middle", "1o"): False}
    with pytest.raises(ValueError, match="unknown layer 'midle'; did you mean 'middle'"):
        net.reaches("midle", "0e")
    with pytest.raises(ValueError, match="layer middle has no 2e, it has 0e, 1e, 1o"):
        net.reaches(1, "2e")


def test_the_command_line_takes_up_a_new_network(dummy, tmp_path, capsys):
    words = ["train", "--preset", "smoke", "--network", "dummy", "--ls", "0,1,2", "--num-blocks", "5"]
    assert cli.main([*words, "--runs-dir", str(tmp_path)]) == 0
    assert load_run(dummy.run_id, tmp_path).config == dummy
    assert cli.main([*words, "--runs-dir", str(tmp_path), "--graph", "radius"]) != 0
    assert "network 'dummy' takes graph from 'bonds', got 'radius'" in capsys.readouterr().err


def test_sweeps_take_up_a_new_network(dummy, tmp_path):
    from distributed import LocalCluster

    configs = [dummy, SMOKE.but(network="nequip")]
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None
    ) as cluster:  # in this process, whose registry has the dummy
        table = sweep(configs, runs_dir=tmp_path, scheduler=cluster.scheduler_address, progress=False)
    assert list(table["status"]) == ["done", "done"]
    assert set(list_runs(tmp_path)["network"]) == {"dummy", "nequip"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "nequipp"}, "unknown network 'nequipp'; did you mean 'nequip'"),
        ({"network": "nequip", "gate": True}, "'nequip' does not read gate, got gate=True; networks that read it: paper"),
        ({"network": "nequip", "atom_dim": 8}, "'nequip' does not read atom_dim"),
        ({"network": "nequip", "last_block": "scalars"}, "'nequip' does not read last_block"),
        ({"parity": "all"}, "'paper' does not read parity, got parity='all'; networks that read it: nequip"),
    ],
)
def test_what_a_network_cannot_use_is_refused_when_the_configuration_is_made(changes, message):
    with pytest.raises(ValueError, match=message):
        RunConfig(**changes)


def test_a_field_at_its_default_is_not_set():
    assert RunConfig(network="nequip", gate=False, atom_dim=64).network == "nequip"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_registry_offers_the_interface(name, qm9):
    config = SMOKE.but(network=name, auxiliary=("dipole",))
    net = build_network(config)
    batch = qm9.batch([3, 2021], graph=config.graph)
    assert net.outputs(batch).shape == (2, 2)
    assert [(layer.name, layer.irreps) for layer in net.features(batch)] == [layer[:2] for layer in net.layers]
    seen = []
    net(batch, edit=lambda k, parts: seen.append((k, list(parts))) or {})
    assert [k for k, _ in seen] == [k for k, layer in enumerate(net.layers) if layer.editable]
    for path in net.block_paths():
        assert net.path_weight(path.block)[:, path.where].numel()
    for implementation in net.implementations:
        assert set(build_network(config, implementation).state_dict()) == set(net.state_dict())
    with pytest.raises(ValueError, match="implementation must be one of"):
        build_network(config, "e3n")
