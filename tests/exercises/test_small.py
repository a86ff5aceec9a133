"""The molecules and networks that come with the package are what they are said to be."""

import numpy as np
import pytest

from equinotes.config import RunConfig
from equinotes.data.splits import draw_split
from equinotes.exercises import load_small
from equinotes.exercises.make_small import COUNT, cut_out
from equinotes.exercises.small import DATA, MOLECULES


def test_files_are_small():
    assert MOLECULES.stat().st_size < 2**20
    assert sum(path.stat().st_size for path in DATA.glob("*.safetensors")) < 500_000
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 2**20


def test_molecules_are_those_of_qm9(qm9):
    small = load_small().qm9
    rows = qm9.rows(small.index)
    for name, array in cut_out(qm9, rows).items():
        with np.load(MOLECULES, allow_pickle=False) as stored:
            np.testing.assert_array_equal(stored[name], array, err_msg=name)
    for row in (0, 57, COUNT - 1):
        here, there = small.molecule(row), qm9.molecule(rows[row])
        assert (here.number, here.smiles, here.targets) == (there.number, there.smiles, there.targets)
        np.testing.assert_array_equal(here.pos, there.pos)
        np.testing.assert_array_equal(here.bonds, there.bonds)


def test_no_network_was_trained_on_them(qm9):
    small = load_small()
    for net in small.networks.values():
        config = net.config
        sizes = {name: getattr(config, name) for name in ("num_train", "num_val", "num_test", "split_seed")}
        split = draw_split(qm9, **sizes)
        assert config == RunConfig.preset("quick", ls=config.ls, mul=8)
        assert set(qm9.rows(small.qm9.index)) <= set(split.test)


@pytest.mark.parametrize("name", ["0-1-2", "0-1-2-3"])
def test_networks_are_trained(name):
    small = load_small()
    net = small.networks[name]
    predicted = net(small.qm9.batch(range(COUNT))).detach().numpy()
    error = np.abs(predicted - small.qm9.targets["U0_atom"]).mean()
    assert 0.2 < error < 0.4  # the composition alone leaves 0.8 eV
    assert "-".join(map(str, net.config.ls)) == name


def test_composition_counts_atoms():
    small = load_small()
    counts, energy = small.composition()
    molecule = small.qm9.molecule(3)
    assert dict(zip("HCNOF", counts[3].tolist(), strict=True)) == {s: molecule.symbols.count(s) for s in "HCNOF"}
    assert energy[3] == molecule.targets["U0_atom"]
