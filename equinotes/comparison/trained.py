"""One row of the table of networks, measured: the tables of `measure.py`, with parameters in place of columns."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from equinotes.bases.groups import random_rotations
from equinotes.comparison import rows as rules
from equinotes.comparison.confusions import PAIRS, both_ways
from equinotes.comparison.measure import BATCH, SHAKEN, nearly_tops, pool
from equinotes.comparison.networks import REFERENCE, network_named, runs_of
from equinotes.data.batches import Batch
from equinotes.data.qm9 import QM9
from equinotes.networks import build_network
from equinotes.networks.base import Network
from equinotes.runs.store import Run
from equinotes.training.loop import train
from equinotes.training.prediction import batch_of


def trained(name: str, qm9: QM9, runs_dir: Path | str, *, progress: bool = True) -> list[Run]:
    """The runs of a row, one for each seed: those that are complete, and the others trained now or continued."""
    return [train(config, device="cpu", runs_dir=runs_dir, progress=progress, qm9=qm9) for config in runs_of(name)]


def measure_trained(name: str, qm9: QM9, runs: list[Run]) -> dict[str, pd.DataFrame]:
    """The tables `errors`, `costs` and `confusions` of one network from its runs; `columns` are parameters.

    Pairs have their bonds as the graph. What is turned and shaken keeps its edges.
    """
    tops = pool(qm9)
    tops = tops[nearly_tops(qm9, tops)][: rules.TURNED]
    errors = []
    for run in runs:
        net = run.network().double()
        seed, parameters = run.config.seed, sum(p.numel() for p in net.parameters())
        some = qm9.rows(run.predictions["qm9_index"].to_numpy()[: rules.TURNED])
        turned, shaken, of_tops = (
            _change(net, qm9, part, seed, how) for part, how in ((some, "turned"), (some, "shaken"), (tops, "shaken"))
        )
        errors.append((name, seed, parameters, run.errors["mae_eV"], turned, shaken, of_tops, len(tops)))
    named = ["basis", "seed", "columns", "mae_eV", "turned_eV", "shaken_eV", "shaken_tops_eV", "tops"]
    return {
        "errors": pd.DataFrame(errors, columns=named),
        "costs": network_costs(name, qm9),
        "confusions": network_confusions(name, runs[0].network()),
    }


def network_costs(name: str, qm9: QM9) -> pd.DataFrame:
    """Milliseconds per molecule of a prediction, in turns with REFERENCE on the same molecules: `basis`, `ms`, `reference_ms`."""
    rows = pool(qm9)[:BATCH]
    nets = [build_network(network_named(each).config) for each in (name, REFERENCE)]
    batches = [batch_of(net.config, qm9, rows) for net in nets]
    found = []
    for _ in range(rules.PAIRED_ROUNDS + 1):
        taken = []
        for net, batch in zip(nets, batches, strict=True):
            start = time.process_time()
            with torch.no_grad():
                net.normalised(batch)
            taken.append(1e3 * (time.process_time() - start) / len(rows))
        found.append((name, *taken))
    return pd.DataFrame(found[1:], columns=["basis", "ms", "reference_ms"])  # the first round warms up


def network_confusions(name: str, net: Network, graph: Callable[[Batch], Batch] = both_ways) -> pd.DataFrame:
    """Relative differences of a network's outputs, in double precision, between the two sets of each pair, on a graph of bonds
    (`both_ways`) or of everything (`all_pairs`).
    """
    net = net.double()
    found = []
    for pair, sets in PAIRS.items():
        with torch.no_grad():
            one, other = (net.normalised(graph(each)).item() for each in sets)
        found.append((name, pair, abs(one - other) / max(abs(one), abs(other))))
    return pd.DataFrame(found, columns=["basis", "pair", "difference"])


def _change(net: Network, qm9: QM9, rows: Int[np.ndarray, " some"], seed: int, how: str) -> float:
    """Mean change of predictions [eV] for molecules that are turned at random, or shaken."""
    if not len(rows):
        return float("nan")
    batch = batch_of(net.config, qm9, rows).to(dtype=torch.float64)
    with torch.no_grad():
        before, after = (net(each) for each in (batch, _changed(batch, seed, how)))
    return float((after - before).abs().mean())


def _changed(batch: Batch, seed: int, how: str) -> Batch:
    if how == "turned":
        turn = torch.from_numpy(random_rotations(batch.num_molecules, seed))
        return replace(batch, pos=torch.einsum("nij,nj->ni", turn[batch.molecule], batch.pos))
    noise: Float[np.ndarray, "atoms 3"] = np.random.default_rng([2, seed]).normal(size=batch.pos.shape)
    return replace(batch, pos=batch.pos + SHAKEN * torch.from_numpy(noise))
