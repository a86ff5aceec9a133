"""Numbers of the page of other networks: answers and errors of each one, and what follows for architecture, graph and target."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from equinotes.audit.protocol import Tables, named, steps
from equinotes.audit.protocols.networks.claims import CLAIMS, MISSING, RULE, THRESHOLDS
from equinotes.audit.protocols.networks.evidence import Evidence, answers, error_table
from equinotes.audit.protocols.networks.rules import judge, parts_table
from equinotes.audit.protocols.networks.runs import (
    FIELDS,
    NONE,
    PARAMETERS,
    TARGETS,
    TOLERANCE,
    WHOLE,
    Orders,
    Place,
    configuration,
)
from equinotes.audit.protocols.second.claims import UNUSED
from equinotes.audit.tables import folder_of, load_all
from equinotes.config import RunConfig
from equinotes.data.qm9 import SYMBOLS
from equinotes.support.text import set_name

TITLES = dict(zip(FIELDS, ("the paper's network", "NequIP", "SE(3)-Transformer", "SEGNN"), strict=True))
"""Networks by the names of the registry, as text has them."""
THOUSAND = 1000
"""meV in an eV."""
BASELINES = {"energy": "mae_eV", "anisotropy": "mae_bohr3"}
"""Column of a baseline's error by target."""


SAID = {UNUSED: "not above the control"}
"""Answers that the page words otherwise than the rules: a network can read more than a shuffle shows beyond its control."""


class Published(NamedTuple):
    """An error on QM9 that others published: of which network, for which property, and in which paper it is tabulated."""

    network: str
    property: str
    mae: float
    unit: str
    source: str
    comparable: Place | None = None
    """Where this comparison has the same network on the same target; nowhere if the property or the network differs."""


PUBLISHED = (
    Published("SE(3)-Transformer", "polarisability", 0.142, "bohr^3", "satorras2021en"),
    Published("SE(3)-Transformer", "gap", 53, "meV", "satorras2021en"),
    Published("SEGNN", "polarisability", 0.060, "bohr^3", "liao2024equiformerv2"),
    Published("SEGNN", "gap", 42, "meV", "liao2024equiformerv2"),
    Published("SEGNN", "energy $U_0$", 15, "meV", "liao2024equiformerv2", comparable=Place("segnn")),
    Published("Allegro, of NequIP's authors", "energy $U_0$", 4.7, "meV", "musaelian2023learning"),
)
"""Mean absolute errors on test molecules, from the tables of the papers that `source` names in the book's references."""

PUBLISHED_MOLECULES = 100_000
"""Training molecules in the set-up of Satorras et al. (2021), section 5.3."""


def stored(folder: Path | str | None = None) -> dict[str, pd.DataFrame]:
    """All tables of the comparison by name; before its own folder is there, all of them without rows."""
    protocol = named("networks")
    if folder or folder_of(None, protocol).is_dir():
        return load_all(folder or None, protocol)
    with TemporaryDirectory() as nothing:
        return load_all(nothing, protocol)


def scale() -> dict[str, Any]:
    """Size of every run: `num_train`, `steps`, `parameters` and their `tolerance`."""
    config = configuration(Place("paper"), WHOLE, 0)
    size = {"num_train": config.num_train, "steps": steps(config)}
    return size | {"parameters": PARAMETERS, "tolerance": TOLERANCE}


def state(tables: Tables) -> dict[str, int]:
    """How many runs are `stored` and `planned`, and how many networks are `examined`, of how many `subjects`."""
    protocol = named("networks")
    ids, seen = protocol.run_ids(), tables["reach"]
    examined = seen[seen["trained"].astype(bool)]["run_id"].nunique() if len(seen) else 0
    runs = {"stored": len(set(tables["runs"]["run_id"]) & set(ids)), "planned": len(ids)}
    return runs | {"examined": examined, "subjects": len(protocol.subjects())}


@cache
def planned_seeds(network: str, target: str, graph: str, body_order: int, ls: Orders) -> int:
    """How many seeds the protocol has of a network with these orders."""
    ids = set(named("networks").run_ids())
    return sum(configuration(Place(network, target, graph, body_order), ls, seed).run_id in ids for seed in range(5))


def verdict_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per network, target and order, as `answers` has them, with the `title` of the network and the number of `planned`
    seeds, the `answer` in the words of the page; None where nothing is known.

    Columns of a relative change are `damage` and `cost`, each a dictionary of `change`, `low` and `high`.
    """
    rows = []
    for row in _records(answers(tables)):
        changes = {name: _change(row, name) for name in ("damage", "cost")}
        about = {"title": TITLES[row["network"]], "planned": _planned(row, WHOLE), "answer": _said(row)}
        rows.append({**row, **about, **changes})
    return rows


def _said(row: Mapping[str, Any]) -> str:
    return SAID.get(row["answer"], row["answer"])


def drawn(tables: Tables, target: str) -> pd.DataFrame:
    """What the figure shows of one target: rows of `answers`, with the `title` of the network."""
    table = answers(tables)
    return table[table["target"] == target].assign(title=lambda rows: rows["network"].map(TITLES))


def error_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per network, target, graph, body order and set of orders: those of `error_table`, with `title`, `orders`, the
    `place` (target, graph and products, in words), the number of `planned` seeds, and `cost` (None for orders 0-2 and where it is
    not known).
    """
    return [
        {**row, "title": TITLES[row["network"]], "orders": set_name(row["ls"]), "planned": _planned(row, row["ls"]),
         "place": place_name(row), "cost": _change(row, "cost")}
        for row in _records(error_table(tables))
    ]  # fmt: skip


def place_name(row: Mapping[Any, Any]) -> str:
    """Where a network is judged, in words.

    >>> place_name({"target": "energy", "graph": "radius", "body_order": 3})
    'energy, radius graph, with products of body order 3'
    """
    graph = "radius graph" if row["graph"] == "radius" else row["graph"]
    products = f", with products of body order {row['body_order']}" if row["body_order"] > 2 else ""
    return f"{row['target']}, {graph}{products}"


def published_rows(tables: Tables) -> list[dict[str, Any]]:
    """Rows of `PUBLISHED`, with `ours`: the mean error of the same network with orders 0-2 on the same target [unit of the row],
    and how many `times` the published one that is; None where nothing here is comparable, or nothing is stored.
    """
    evidence, rows = Evidence(tables), []
    for each in PUBLISHED:
        errors = evidence.errors(each.comparable, WHOLE) if each.comparable else []
        ours = THOUSAND * float(np.mean(errors)) if errors else None
        rows.append({**each._asdict(), "ours": ours, "times": ours / each.mae if ours else None})
    return rows


def baseline_rows(tables: Tables) -> list[dict[str, Any]]:
    """The best linear baseline of each target: `target`, `baseline`, `num_train`, `mae`, `unit`; none where none is stored."""
    rows = []
    for target, column in BASELINES.items():
        known = tables["baselines"].dropna(subset=column)
        if len(known):
            best = _records(known.nsmallest(1, column))[0]
            about = {"baseline": best["baseline"], "num_train": int(best["num_train"]), "mae": float(best[column])}
            rows.append({"target": target, "unit": RunConfig(target=TARGETS[target]["target"]).unit, **about})
    return rows


def claim_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per claim: `name`, `statement`, `verdict` ("not run yet" where no part can be judged), `judged`, `shown`,
    `opposite` (counts of parts) and `parts`.
    """
    parts, verdicts = parts_table(tables), {row["claim"]: row for row in _records(judge(tables))}
    rows = []
    for claim in CLAIMS:
        of, verdict = parts[parts["claim"] == claim.name], verdicts[claim.name]
        judged = int((of["why"] == "").sum())
        counts = {name: int(verdict[name]) for name in ("shown", "opposite", "parts")}
        said = verdict["verdict"] if judged else MISSING
        rows.append({"name": claim.name, "statement": claim.statement, "verdict": said, "judged": judged, **counts})
    return rows


def rules() -> dict[str, Any]:
    """The rule that all claims share (`shared`), and what the parts are of the claims called `names` (`parts`)."""
    by_rule: dict[str, list[str]] = {}
    for claim in CLAIMS:
        by_rule.setdefault(claim.rule.removesuffix(RULE).strip(), []).append(claim.name)
    return {"shared": RULE, "parts": [{"names": names, "rule": rule} for rule, names in by_rule.items()]}


def causes(tables: Tables) -> dict[str, Any]:
    """What is architecture, target, graph and products.

    - `architecture`: by target and order, the networks of each answer;
    - `target`: by network, what leaving out both orders costs, on each target (None where not known);
    - `graph`, `products`: parts of N5 and N6, as rows with `title` (of the network), `outcome`, `change` (None where not known);
    - `margin`: the relative change that matters.
    """
    found, costs, parts = answers(tables), error_table(tables), parts_table(tables)
    groups: list[dict[str, Any]] = []
    for (target, l), rows in found.groupby(["target", "l"], sort=False):
        by_answer: dict[str, list[str]] = {}
        for row in _records(rows):
            by_answer.setdefault(_said(row), []).append(TITLES[row["network"]])
        groups.append({"target": target, "l": l, "answers": by_answer})
    alone = costs[(costs["ls"] == NONE) & (costs["graph"] == "bonds") & (costs["body_order"] == 2)]
    by_target = [
        {"title": title, **{row["target"]: _change(row, "cost") for row in _records(alone[alone["network"] == name])}}
        for name, title in TITLES.items()
    ]
    judged = {"graph": _parts(parts, "N5"), "products": _parts(parts, "N6")}
    return {"architecture": groups, "target": by_target, **judged, "margin": THRESHOLDS["margin"]}


def entropy_rows(tables: Tables) -> list[dict[str, Any]]:
    """Mean entropy of attention (1: a plain mean): `target`, `side` (its layer), `mean`, `least`, `most`, `seeds`."""
    rows, table = [], tables["attention"]
    for target in TARGETS:
        some = table[table["run_id"].isin(examined("se3_transformer", target))].drop_duplicates(["run_id", "side"])
        for side, of in some.groupby("side"):
            values = of["entropy"]
            spread = {"mean": values.mean(), "least": values.min(), "most": values.max(), "seeds": len(values)}
            rows.append({"target": target, "side": side, **spread})
    return rows


def share_rows(tables: Tables, target: str = "energy") -> list[dict[str, Any]]:
    """Shares of each order in the flow of gradients and in the mean square of features, trained and untrained.

    Each is a mean over the seeds, and over the layers whose features have all orders (SEGNN's attributes are none): `title`, `l`,
    `flow`, `flow_untrained`, `norm`, `norm_untrained`, `seeds`.
    """
    rows = []
    for name, title in TITLES.items():
        ids, means = examined(name, target), {}
        for kind, table in (("flow", tables["gradients"]), ("norm", tables["norms"])):
            some = table[table["run_id"].isin(ids) & (table["layer"] != "attributes")]
            shares = some.pivot_table(index=["trained", "run_id", "layer"], columns="irrep", values="share").dropna()
            means[kind] = shares.groupby("trained").mean().reindex([True, False])
            seeds = shares.index.unique("run_id").size
        for irrep in map(str, means["flow"]):
            both = {f"{kind}{end}": of[irrep].to_dict()[side] for kind, of in means.items()
                    for side, end in ((True, ""), (False, "_untrained"))}  # fmt: skip
            rows.append({"title": title, "l": int(irrep[:-1]), **both, "seeds": seeds})
    return rows


def examined(network: str, target: str) -> list[str]:
    """Runs of a network that are examined: orders 0-2 on the bonds."""
    return [configuration(Place(network, target), WHOLE, seed).run_id for seed in range(5)]


def bonds(table: pd.DataFrame, *, least: int = 20) -> pd.DataFrame:
    """Rows of `measures.attention` with at least so many edges, their `ends` as in "H to C".

    >>> row = {"side": "attention1", "ends": "1-6", "atoms": 9, "edges": 20, "weight": 0.9, "entropy": 1.0}
    >>> bonds(pd.DataFrame([row, row | {"ends": "one"}]))["ends"].tolist()
    ['H to C']
    """
    some = table[(table["ends"] != "one") & (table["edges"] >= least)]
    names = [" to ".join(SYMBOLS[int(z)] for z in ends.split("-")) for ends in some["ends"]]
    return some.assign(ends=names)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _parts(parts: pd.DataFrame, claim: str) -> list[dict[str, Any]]:
    rows = _records(parts[parts["claim"] == claim])
    return [
        {"title": TITLES[row["part"].partition(":")[0]], "outcome": row["outcome"],
         "change": _change(row, "estimate", "") if not row["why"] else None}
        for row in rows
    ]  # fmt: skip


def _planned(row: Mapping[str, Any], ls: Orders) -> int:
    return planned_seeds(*(row[name] for name in Place._fields), ls)


def _change(row: Mapping[Any, Any], name: str, prefix: str | None = None) -> dict[str, float] | None:
    """A relative change with its interval, in the words of the templates; None where it is missing."""
    if pd.isna(row[name]):
        return None
    start = f"{name}_" if prefix is None else prefix
    return {"change": row[name], "low": row[f"{start}low"], "high": row[f"{start}high"]}
