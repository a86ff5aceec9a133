"""What a version of the protocol is, and the registry of versions.

A version says which runs are made, which thresholds and rules judge them, and where its tables lie. Claims and thresholds are
data; rules are functions from stored tables to a verdict and the numbers that decide. A new version is a package beside the
others that exposes `PROTOCOL`, and a line in `PROTOCOLS`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from equinotes.config import RunConfig
from equinotes.support.errors import UserError, unknown

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]
"""Stored tables by name; a table that was not made is empty, with the columns that it would have."""

REPRODUCED, NOT_REPRODUCED, OPEN, NOT_RUN = "reproduced", "not reproduced", "open at this scale", "not run"
"""Verdicts that every version knows; a claim without a rule is not run."""


class Claim(NamedTuple):
    """One claim of the paper in our words, and the rule of its verdict in words."""

    name: str
    statement: str
    refuted_by: str
    rule: str


class Judgement(NamedTuple):
    """What a rule says of a claim, and the numbers that decide."""

    verdict: str
    numbers: dict[str, Any]


Rule = Callable[[Tables], Judgement]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One version: its runs, thresholds, claims, verdicts and tables.

    Versions stand beside each other: each has its own tables, and a claim may have a verdict under each.
    """

    name: str
    """How the command line names it."""
    experiments: Callable[[], dict[str, list[RunConfig]]]
    """Configurations by experiment, those that tell most first."""
    judge: Callable[[Tables], "pd.DataFrame"]
    """Stored tables to one row per claim: `claim`, `verdict`, and the numbers that decide (see `judged`)."""
    claims: tuple[Claim, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Thresholds by name; the measures read some of them."""
    folder: Path | None = None
    """Folder of its stored tables, relative to the repository; `results/<name>` when not given."""
    schemas: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Columns of its stored tables and their kinds; those of `equinotes.audit.tables` when not given."""
    planned: tuple[str, ...] = ()
    """Experiments that are trained when none is named; all when not given."""
    apart: tuple[str, ...] = ()
    """Experiments with test molecules of their own: their predictions are stored as `predictions_<experiment>`."""
    scales: tuple[RunConfig, ...] = ()
    """Splits to whose training molecules the linear baselines are fitted."""
    subjects: Callable[[], list[RunConfig]] = list
    """Networks that are examined in full."""
    examine: "Callable[..., tuple[dict[str, pd.DataFrame], dict[str, Any]]] | None" = None
    """How a network is examined, with the signature of `equinotes.audit.examination.examine`, which it is when not given."""
    others: Callable[[], list[RunConfig]] = list
    """Further networks, examined by their gradients, norms and ranks alone."""

    def run_ids(self) -> dict[str, list[str]]:
        """Every run of this version, and the experiments that it stands in."""
        found: dict[str, list[str]] = {}
        for experiment, configs in self.experiments().items():
            for config in configs:
                found.setdefault(config.run_id, []).append(experiment)
        return found

    def selected(self, experiments: tuple[str, ...] = ()) -> list[RunConfig]:
        """Configurations of some experiments (the planned ones unless given); ValueError names the nearest where one is
        unknown."""
        known = self.experiments()
        for name in experiments:
            if name not in known:
                raise UserError(unknown("experiment", name, list(known)))
        return [config for name in experiments or self.planned or known for config in known[name]]

    @property
    def place(self) -> Path:
        """Folder of its stored tables, relative to the repository."""
        return self.folder or Path("results", self.name)

    @property
    def words(self) -> str:
        """What the command line needs to mean this version.

        >>> named().words
        ''
        """
        return "" if self.name == DEFAULT else f" --protocol {self.name}"


def judged(claims: Iterable[Claim], rules: Mapping[str, Rule], tables: Tables) -> "pd.DataFrame":
    """Claims by their rules: `claim`, `verdict`, and `numbers`, the decisive numbers by name (empty without a rule)."""
    import pandas as pd

    rows = []
    for claim in claims:
        verdict, numbers = rules[claim.name](tables) if claim.name in rules else Judgement(NOT_RUN, {})
        rows.append((claim.name, verdict, numbers))
    return pd.DataFrame(rows, columns=["claim", "verdict", "numbers"])


DEFAULT = "first"
PROTOCOLS: dict[str, str] = {
    "first": "equinotes.audit.protocols.first",
    "second": "equinotes.audit.protocols.second",
    "networks": "equinotes.audit.protocols.networks",
    "strategies": "equinotes.audit.protocols.strategies",
}
"""Versions by name, and the module of each."""


def named(name: str = DEFAULT) -> Protocol:
    """A version of the protocol; ValueError names the nearest where it is unknown."""
    if name not in PROTOCOLS:
        raise UserError(unknown("protocol", name, list(PROTOCOLS)))
    found: Protocol = import_module(PROTOCOLS[name]).PROTOCOL
    return found


def steps(config: RunConfig) -> int:
    """Training steps of a run.

    >>> steps(RunConfig(num_train=100, batch_size=32, epochs=3))
    12
    """
    return config.epochs * -(-config.num_train // config.batch_size)
