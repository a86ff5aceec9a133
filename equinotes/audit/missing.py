"""Which planned runs of a version are not stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import groupby
from typing import Any

from equinotes.audit.protocol import Protocol
from equinotes.config import RunConfig
from equinotes.support.text import orders_name, set_name

NETWORK = ("ls", "mul")
"""Fields that name a network in a line; `seed` is listed beside it."""
FIRST = ("num_train", "network", "terms")
"""Fields that tell other settings apart, before all others."""


def missing(stored: Iterable[str], protocol: Protocol) -> dict[str, tuple[int, list[str]]]:
    """How many planned runs are not among these names, and which (see `lines_of`), by experiment; those that lack none are left
    out.
    """
    there, found = set(stored), {}
    for name, planned in protocol.experiments().items():
        if lacking := [config for config in planned if config.run_id not in there]:
            found[name] = len(lacking), list(lines_of(lacking, planned))
    return found


def lines_of(configs: Iterable[RunConfig], planned: Sequence[RunConfig]) -> Iterator[str]:
    """Some of the planned runs in few lines: other settings where the planned runs differ in them, networks and seeds.

    >>> planned = [RunConfig(ls=ls, seed=seed, epochs=n) for ls in ((0,), (0, 1)) for seed in range(3) for n in (1, 2)]
    >>> list(lines_of([config for config in planned if config.seed or config.epochs == 2], planned))
    ['epochs=1: 0 (32), 0, 1 (32) × seeds 1, 2', 'epochs=2: 0 (32), 0, 1 (32) × seeds 0–2']
    """
    others = _telling(planned)
    seeds: dict[tuple[Any, ...], dict[str, list[int]]] = {}
    for config in configs:
        networks = seeds.setdefault(tuple(getattr(config, name) for name in others), {})
        networks.setdefault(set_name(config.ls, config.mul), []).append(config.seed)
    for values, networks in sorted(seeds.items(), key=str):
        settings = ", ".join(_word(name, value) for name, value in zip(others, values, strict=True))
        alike = sorted((sorted(set(of)), name) for name, of in networks.items())
        parts = [
            f"{', '.join(name for _, name in of)} × seed{'s' if len(numbers) > 1 else ''} {orders_name(numbers)}"
            for numbers, of in groupby(alike, key=lambda pair: pair[0])
        ]
        yield f"{settings}: {'; '.join(parts)}" if settings else "; ".join(parts)


def _telling(planned: Sequence[RunConfig]) -> list[str]:
    """Fields beside network and seed that tell planned runs apart, each only where those before it do not."""
    told: list[str] = []
    rest = [field.name for field in fields(RunConfig) if field.name not in (*NETWORK, "seed", *FIRST)]

    def kinds(names: Iterable[str]) -> int:
        return len({tuple(getattr(config, name) for name in (*NETWORK, *names)) for config in planned})

    for name in (*FIRST, *rest):
        if kinds([*told, name]) > kinds(told):
            told.append(name)
    return told


def _word(name: str, value: Any) -> str:
    if name == "num_train":
        return f"{value:,} molecules"
    return f"{name}={(','.join(map(str, value)) or 'none') if isinstance(value, tuple) else value}"
