"""The null of the whole pipeline: networks on real molecules in which an order is unused, or needed, by construction.

A network with random weights stands for one that was trained to perfection: the targets are its own predictions, with noise. An
order whose outgoing weights are zero reaches nothing and must come out as not used; one that the predictions are made of must
come out as used. Untrained twins have other random weights and a fitted readout.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from equinotes.analysis.calibration import recalibrated
from equinotes.analysis.controls import molecule_tables
from equinotes.audit.protocols.second.claims import ALPHA
from equinotes.audit.protocols.second.evidence import Evidence, Network
from equinotes.audit.protocols.second.measures import untrained_with_readout, uses
from equinotes.audit.protocols.second.runs import MAIN, SCALES
from equinotes.config import RunConfig
from equinotes.training.prediction import batch_of
from equinotes.training.targets import prepare

LS, MUL = (0, 1, 2), 4
SEEDS, DRAWS = range(5), 4
FITTED, TESTED, READOUT = np.arange(1000, 1100), np.arange(3000, 3100), np.arange(5000, 5300)
NOISE = 0.01
"""Noise of the targets, as a share of the spread of what the network adds to energies of the elements."""


def silenced(net, l):
    """The network with every weight zero that leads out of an order."""
    with torch.no_grad():
        for path in net.block_paths():
            if path.block > 1 and path.l1 == l:
                net.path_weight(path.block)[:, path.where] = 0
    return net


@pytest.fixture(scope="module")
def planted(qm9):
    """Tables of uses of networks in which l = 1 is silent and l = 2 is not, by seed."""
    torch.set_num_threads(1)
    rows, tables, runs = np.concatenate([FITTED, TESTED]), [], []
    for seed in SEEDS:
        config = RunConfig.from_dict({**SCALES[MAIN], "ls": LS, "mul": MUL, "num_blocks": 3, "seed": seed})
        net = silenced(prepare(config, qm9)[0], 1).eval()
        with torch.no_grad():
            batch = batch_of(config, qm9, rows)
            everything, readout = net(batch).numpy(), net(batch_of(config, qm9, READOUT)).numpy()
            spread = net.scale * float(net.normalised(batch).std())
        noise = NOISE * spread * np.random.default_rng(seed).normal(size=len(rows))
        other = untrained_with_readout(config.but(seed=seed + 100), READOUT, readout)
        for trained, one in ((True, net), (False, other)):
            table = uses(one, FITTED, TESTED, everything + noise, draws=DRAWS)
            about = {"run_id": config.run_id, "mul": MUL, "seed": seed, "trained": trained}
            tables.append(table.assign(**about, ls=[LS] * len(table)))
        runs.append({"run_id": config.run_id, **config.to_dict(), "average_mae_eV": 0.1, "mae_eV": 0.1})
    return {"uses": pd.concat(tables, ignore_index=True), "runs": pd.DataFrame(runs)}


def test_an_order_without_outgoing_weights_costs_exactly_nothing(planted):
    table = planted["uses"].query("trained and irrep == '1o'")
    assert (table["damage"].abs() < 1e-6).all() and len(table) == len(SEEDS) * 2 * DRAWS


def test_calibrated_measure_tells_the_silent_order_from_the_one_in_use(planted):
    use = Evidence(planted).use(Network(LS, MUL))
    assert set(use) == {1, 2} and use[1].seeds == len(SEEDS)
    assert use[1].p_unused <= ALPHA < use[1].p_used
    assert use[2].p_used <= ALPHA < use[2].p_unused


def test_untrained_trunks_lose_something_too(planted):
    """Without them every order that carries geometry would count as used."""
    untrained = planted["uses"].query("not trained and irrep != '0e'").groupby(["layer", "irrep"])["damage"].mean()
    assert (untrained > 0).any()


def test_fitted_readouts_know_more_than_composition_and_bonds(qm9):
    config = RunConfig.from_dict({**SCALES[MAIN], "ls": LS, "mul": 16, "num_blocks": 3, "num_train": 2000})
    energies = qm9.targets["U0_atom"][np.concatenate([FITTED, TESTED])]
    design = np.concatenate(list(molecule_tables(qm9, np.concatenate([FITTED, TESTED])).values())[:2], axis=1)
    fitted = np.arange(len(energies)) < len(FITTED)
    without = np.abs(recalibrated(np.zeros(len(energies)), energies, design, fitted) - energies[~fitted]).mean()
    table = uses(untrained_with_readout(config), FITTED, TESTED, draws=1)
    assert table["whole_mae_eV"].nunique() == 1 and table["whole_mae_eV"][0] < 0.9 * without
