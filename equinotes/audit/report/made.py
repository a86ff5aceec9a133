"""How the runs of protocol 2 were made: devices, commits, comparisons across devices, and what is missing."""

from collections.abc import Iterator

import pandas as pd

from equinotes.audit.missing import missing
from equinotes.audit.protocol import Tables
from equinotes.audit.protocols.second import PROTOCOL
from equinotes.audit.protocols.second.evidence import Evidence, Network
from equinotes.audit.protocols.second.rules import LADDER
from equinotes.audit.protocols.second.runs import ADDED, FOUR, LOW, MAIN, SCALES, SUBSTITUTES, left_out, matched
from equinotes.support.text import listed

Pair = tuple[str, Network, Network, str]
"""What a comparison is for, its two networks, and its scale."""


def machines(tables: Tables) -> pd.DataFrame:
    """Where the stored runs were made: `device`, `device_name`, `experiments`, `runs`, `first` and `last` start."""
    runs, rows = tables["runs"].drop_duplicates("run_id"), []
    for (device, name), part in runs.groupby(["device", "device_name"]) if "device" in runs and len(runs) else ():
        rows.append({"device": device, "device_name": name, "experiments": listed(sorted(set(part["experiment"]))),
                     "runs": len(part), "first": part["started"].min(), "last": part["started"].max()})  # fmt: skip
    return pd.DataFrame(rows, columns=["device", "device_name", "experiments", "runs", "first", "last"])


def commits(tables: Tables) -> list[str]:
    """The commits that the stored runs carry, shortened; "+changes" where files were changed beside it."""
    if "commit" not in tables["runs"]:
        return []
    parts = [commit.partition("+") for commit in dict.fromkeys(tables["runs"]["commit"])]
    return [commit[:10] + plus + rest for commit, plus, rest in parts]


def across_devices(tables: Tables) -> pd.DataFrame:
    """The page's comparisons of errors at one scale, each once: `claim` ("" for costs of training without an order), `first`,
    `second`, `scale`, `devices` of the two, and `mixed`, whether these differ.
    """
    evidence = Evidence(tables)
    rows: dict[tuple[Network, Network, str], tuple] = {}
    columns = ["claim", "first", "second", "scale", "devices", "mixed"]
    if "device_name" not in evidence.runs or evidence.runs.empty:
        return pd.DataFrame(columns=columns)
    names = evidence.runs.groupby(["ls", "mul", "scale"])["device_name"].agg(lambda of: listed(sorted(set(of))))
    devices = names.to_dict()
    for claim, first, second, scale in _comparisons():
        one, other = devices.get((*first, scale)), devices.get((*second, scale))
        if one and other:
            words = one if one == other else f"{one}; {other}"
            rows.setdefault((first, second, scale), (claim, str(first), str(second), scale, words, one != other))
    return pd.DataFrame(rows.values(), columns=columns)


def _comparisons() -> Iterator[Pair]:
    for added in (Network(*added) for added in ADDED):
        yield "C1", Network(LOW, added.mul), added, MAIN
        yield "C1", Network(*matched(LOW, *added)), added, MAIN
    for claim, first, second in LADDER:
        yield from ((claim, first, second, scale) for scale in SCALES)
    for k, ls in enumerate(SUBSTITUTES):
        yield from (("C5", Network(ls, 16), Network(other, 16), MAIN) for other in SUBSTITUTES[k + 1 :])
    for ls in (*left_out(FOUR), *SUBSTITUTES[:2]):
        yield "", Network(FOUR, 16), Network(ls, 16), MAIN


def stored(tables: Tables) -> pd.DataFrame:
    """How many runs of each experiment are stored, and which are not.

    Columns: `experiment`, `stored`, `planned`, `missing`: networks that lack seeds, in words.
    """
    lacking, counts = missing(tables["runs"]["run_id"], PROTOCOL), tables["runs"]["experiment"].value_counts()
    rows = [
        (name, int(counts.get(name, 0)), len(configs), "; ".join(lacking[name][1]) if name in lacking else "")
        for name, configs in PROTOCOL.experiments().items()
    ]
    return pd.DataFrame(rows, columns=["experiment", "stored", "planned", "missing"])
