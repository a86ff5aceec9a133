"""Numbers of the ledger: the main result, and how far the runs are."""

from typing import Any

import pandas as pd

from equinotes.audit import measures
from equinotes.audit.protocol import Protocol, Tables, named, steps
from equinotes.audit.protocols.first import PROTOCOL
from equinotes.audit.protocols.first import runs as first
from equinotes.audit.protocols.first.evidence import MANY, MUL, orders_used
from equinotes.config import RunConfig


def headline(tables: Tables) -> dict[str, Any]:
    """Numbers of the main result: `judged` (verdict by claim), `molecules`, `steps`, `full_steps` (least and most), `many`
    (orders) and `worst`: for each of them the largest mean damage behind one block before the last, with the `seeds`; None
    unexamined."""
    judged = PROTOCOL.judge(tables)
    own, papers = RunConfig.from_dict(first.REDUCED), [steps(config) for config in first.full()]
    used = orders_used(tables)
    used = used[(used["ls"] == MANY) & (used["mul"] == MUL) & (used["reference"] == "composition")]
    used = used[used["seeds"] == used["planned"]]
    damage = used[used["block"] < measures.last_block(tables)].groupby("l")["value"].max()
    worst = {"orders": [{"l": l, "damage": value} for l, value in damage.items()], "seeds": used["planned"].max()}
    return {
        "judged": dict(zip(judged["claim"], judged["verdict"], strict=True)),
        "molecules": own.num_train, "steps": steps(own), "full_steps": (min(papers), max(papers)),
        "many": MANY, "worst": worst if len(damage) else None,
    }  # fmt: skip


def stored_runs(tables: Tables, protocol: Protocol | None = None) -> pd.DataFrame:
    """How many runs of each experiment are stored: `experiment`, `stored`, `planned`."""
    stored = tables["runs"]["experiment"].value_counts()
    rows = [(name, int(stored.get(name, 0)), len(configs)) for name, configs in (protocol or named()).experiments().items()]
    return pd.DataFrame(rows, columns=["experiment", "stored", "planned"])


def sources(names: tuple[str, ...], experiments: tuple[str, ...] = (), protocol: Protocol | None = None) -> dict[str, list[str]]:
    """Where numbers come from: the stored `files`, and the `commands` that make them again.

    `experiments` are those whose runs are shown, where not all of a file is.

    >>> sources(("runs",), ("table",))["commands"]
    ['equinotes audit run table', 'equinotes audit store']
    >>> sources(("norms",))
    {'files': ['results/audit/norms.parquet'], 'commands': ['equinotes audit diagnose']}
    """
    from equinotes.audit.tables import command_of

    protocol = protocol or named()
    run = f"equinotes audit run {' '.join(experiments)}{protocol.words}"
    commands = [command_of(name, protocol) for name in names]
    commands = [run if experiments and " run " in command else command for command in commands]
    commands.sort(key=lambda command: " run " not in command)
    if any(" run " in command for command in commands):
        commands.append(f"equinotes audit store{protocol.words}")
    files = [(protocol.place / f"{name}.parquet").as_posix() for name in names]
    return {"files": files, "commands": list(dict.fromkeys(commands))}
