"""What a protocol is: claims, thresholds, the runs that they need, and a verdict for each claim from stored tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from equinotes.config import RunConfig

Tables = Mapping[str, pd.DataFrame]
"""Stored tables by name; one that is not stored is empty."""


class Claim(NamedTuple):
    """One claim of the paper in our words, what would refute it, and the rule of its verdict."""

    name: str
    statement: str
    refuted_by: str
    rule: str


@dataclass(frozen=True)
class Protocol:
    """Claims and how they are judged, fixed before the runs.

    `experiments()` gives configurations by experiment, the most important first; `judge(tables)` gives one row per claim;
    `schemas` holds the columns of each stored table.
    """

    name: str
    thresholds: Mapping[str, float]
    claims: tuple[Claim, ...]
    schemas: Mapping[str, Mapping[str, str]]
    experiments: Callable[[], dict[str, list[RunConfig]]]
    judge: Callable[[Tables], pd.DataFrame]
