"""What this protocol runs, and how the coefficients of its terms are chosen.

1,000 steps on 4,000 molecules, averaged weights; the rest is as in protocol 2. Coefficients are chosen on the validation errors
of networks with orders 0-2 and of seeds that nothing else is judged by: a lucky run that was chosen would otherwise count for its
strategy. Then each strategy and its control have the chosen one.
"""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from equinotes.audit.protocols.strategies.claims import TIE
from equinotes.config import RunConfig
from equinotes.support.repository import find_root
from equinotes.training.terms import control_of

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "results/strategies"
LOW, FOUR = (0, 1, 2), (0, 1, 2, 3, 4)
SIZE = {"num_train": 4000, "num_val": 500, "num_test": 1000, "epochs": 4, "batch_size": 16, "lr": 3e-3, "average": 0.99}
"""Steps and molecules. The average forgets within 100 steps."""
PLAIN = RunConfig(ls=LOW, mul=16, **SIZE)  # type: ignore[arg-type]
NETWORKS = {
    "0-2": PLAIN,
    "0-2, gated": PLAIN.but(gate=True),
    "0-4": PLAIN.but(ls=FOUR),
    "0-4, gated": PLAIN.but(ls=FOUR, gate=True),
}
ATTENTION = {"SE(3)-Transformer": RunConfig.preset("se3_transformer", ls=LOW, **SIZE).but(lr=2e-3)}
"""The network of the one strategy that needs an attention."""
SEEDS = {LOW: 5, FOUR: 3}
CHOOSING_SEEDS = (5, 6)
"""Seeds of the runs that choose; none of those that are judged."""
COEFFICIENTS = {
    "dipole": (0.03, 0.3, 3.0),
    "anisotropy": (0.03, 0.3, 3.0),
    "adversarial": (0.1, 1.0, 10.0),
    "consistency": (0.1, 1.0, 10.0),
    "feature_l1": (0.3, 3.0, 30.0),
    "feature_l2": (1.0, 10.0, 100.0),
    "weight_l1": (0.1, 1.0, 10.0),
    "weight_l2": (0.1, 1.0, 10.0),
    "weights_apart": (10.0, 100.0, 1000.0),
    "attention_entropy": (1.0, 10.0, 100.0),
    "bottleneck": (1e-4, 1e-3, 1e-2),
}
"""Three coefficients for each term. With the largest, its gradient is 0.04 to 4 times that of the error, and a penalised weight
can move by its own size within the run: measured after 150 steps of plain training, before any run.
"""
PRETRAINING = {"denoise": "none", "denoise, l = 0 anew": "scalars", "denoise, l > 0 anew": "directed"}
"""What starts anew after a quarter of the epochs."""
SKIPS = ("none", "scalars", "directed", "dense")
SCALED = "scaled"
"""The control of skips that leave out orders: all skips, and convolutions multiplied as where there is no skip."""
UNMEASURED = ("skips dense",)
"""Strategies whose use of orders is not measured: dense skips pass by the one block whose features are spoilt."""
NULLS = ("feature_l1", "feature_l2")
"""Strategies that the law of free scales makes null; the plain network is their control. Orders 0-2 are enough to see it."""
SPEED = {LOW: 350, FOUR: 130}
"""Molecules per second of one core, terms included, and seconds of a diagnosis: measured before any run."""
EXAMINED = {LOW: 10, FOUR: 40}


def experiments() -> dict[str, list[RunConfig]]:
    """Configurations by experiment, seed by seed.

    - `choose`: each term with its three coefficients, orders 0-2;
    - `plain`: no strategy;
    - `terms`: each term with the chosen coefficient, and its control; empty until `choose` is stored (in the folder of this
      protocol);
    - `pretraining`: a quarter of the steps, then the rest without a part, with one, and the control;
    - `curriculum`: orders rising, and falling, which is its control;
    - `skips`: the four kinds that are not the paper's, and the control.

    >>> {name: len(configs) for name, configs in experiments().items() if name != "terms"}
    {'choose': 126, 'plain': 21, 'pretraining': 64, 'curriculum': 32, 'skips': 80}
    """
    return {
        "choose": [
            with_term(net, name, c).but(seed=seed)
            for seed in CHOOSING_SEEDS for name in COEFFICIENTS for net in choosing(name) for c in COEFFICIENTS[name]
        ],
        "plain": _seeds([*NETWORKS.values(), *ATTENTION.values()]),
        "terms": terms(stored_choice()),
        "pretraining": _seeds(
            pretrained(net, term, anew)
            for net in NETWORKS.values()
            for term, anew in [*(("denoise", anew) for anew in PRETRAINING.values()), ("denoise_control", "none")]
        ),
        "curriculum": _seeds(net.but(curriculum=way) for net, way in product(NETWORKS.values(), ("rising", "falling"))),
        "skips": _seeds(net.but(skips=kind) for net, kind in product(NETWORKS.values(), (*SKIPS, SCALED))),
    }  # fmt: skip


def terms(chosen: dict[str, float]) -> list[RunConfig]:
    """Each term with its chosen coefficient, and beside it its control."""
    return _seeds(
        with_term(net, side, c)
        for name, c in chosen.items()
        for net in nets_of(name).values()
        for side in (name, control_of(name)) if side
    )  # fmt: skip


def sides(strategy: str, net: RunConfig, chosen: dict[str, float]) -> tuple[RunConfig, RunConfig] | None:
    """A strategy's configuration and its control's on a network; the plain one where there is no other control, and None where
    a coefficient was not chosen.
    """
    if strategy in PRETRAINING:
        return pretrained(net, "denoise", PRETRAINING[strategy]), pretrained(net, "denoise_control", "none")
    if strategy == "curriculum":
        return net.but(curriculum="rising"), net.but(curriculum="falling")
    if strategy.startswith("skips "):
        kind = strategy.removeprefix("skips ")
        return net.but(skips=kind), net if kind == "dense" else net.but(skips=SCALED)
    if strategy not in chosen:
        return None
    return with_term(net, strategy, chosen[strategy]), with_term(net, control_of(strategy), chosen[strategy])


def subjects() -> list[RunConfig]:
    """Networks that are examined: all but those that only choose, and those with dense skips (see `UNMEASURED`)."""
    listed = [config for name, configs in experiments().items() if name != "choose" for config in configs]
    return [config for config in listed if config.skips != "dense"]


def nets_of(strategy: str) -> dict[str, RunConfig]:
    """The networks that a strategy is tried on, by their names."""
    if strategy == "attention_entropy":
        return ATTENTION
    return {name: net for name, net in NETWORKS.items() if net.ls == LOW or strategy not in NULLS}


def choosing(strategy: str) -> list[RunConfig]:
    """The networks whose validation errors choose a coefficient."""
    return [net for net in nets_of(strategy).values() if net.ls == LOW]


def with_term(net: RunConfig, term: str | None, coefficient: float) -> RunConfig:
    """A network with one term in its loss; the network itself without a term."""
    return net if term is None else net.but(terms=(term,), term_weights=(coefficient,))


def pretrained(net: RunConfig, term: str, anew: str) -> RunConfig:
    """A network that is trained on one term for a quarter of the epochs; the rest are as many as are left."""
    return net.but(terms=(term,), term_weights=(1.0,), pretrain_epochs=net.epochs // 4, reinitialise=anew)


def tried(runs: "pd.DataFrame", metrics: "pd.DataFrame") -> dict[str, dict[float, float]]:
    """Validation error [eV] of each term by coefficient: averaged weights, last epoch, geometric mean over networks and seeds.
    Terms that were not tried in full are left out.
    """
    import numpy as np

    last: dict[str, float] = {}
    if len(runs) and len(metrics):
        last = dict(metrics.sort_values("epoch").groupby("run_id")["val_average_mae_eV"].last())
    known = set(last) & set(runs["run_id"] if len(runs) else ())
    errors = {}
    for name, coefficients in COEFFICIENTS.items():
        ids = {
            c: [with_term(net, name, c).but(seed=seed).run_id for net in choosing(name) for seed in CHOOSING_SEEDS]
            for c in coefficients
        }
        if all(run_id in known for some in ids.values() for run_id in some):
            errors[name] = {c: float(np.exp(np.mean([np.log(last[run_id]) for run_id in some]))) for c, some in ids.items()}
    return errors


def choice(runs: "pd.DataFrame", metrics: "pd.DataFrame") -> dict[str, float]:
    """The coefficient of each term: the largest one whose validation error (see `tried`) is within `TIE` of the lowest."""
    return {
        name: max(c for c, error in errors.items() if error <= (1 + TIE) * min(errors.values()))
        for name, errors in tried(runs, metrics).items()
    }


def stored_choice() -> dict[str, float]:
    """The choice that the stored tables of this protocol lead to; none before they are there."""
    place = Path(find_root()) / FOLDER
    if not all((place / f"{name}.parquet").exists() for name in ("runs", "metrics")):
        return {}
    import pandas as pd

    return choice(pd.read_parquet(place / "runs.parquet"), pd.read_parquet(place / "metrics.parquet"))


def hours(cores: int = 2) -> float:
    """Estimated time of the whole protocol: runs and diagnoses, those included whose coefficient is not chosen yet.

    >>> round(hours())
    7
    """
    seconds = 0.0
    for name, configs in (experiments() | {"terms": terms(dict.fromkeys(COEFFICIENTS, 1.0))}).items():
        for config in configs:
            examined = name != "choose" and config.skips != "dense"
            seconds += config.num_train * config.epochs / SPEED[config.ls] + examined * EXAMINED[config.ls]
    return seconds / cores / 3600


def _seeds(nets: Iterable[RunConfig]) -> list[RunConfig]:
    """Every network with each of its seeds, seed by seed."""
    found = list(nets)
    return [net.but(seed=seed) for seed in range(max(SEEDS.values())) for net in found if seed < SEEDS[net.ls]]
