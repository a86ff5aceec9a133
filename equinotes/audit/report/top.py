"""The top of protocol 2's ladder: networks under the paper's own settings, finished or not, beside the paper's numbers."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from equinotes.audit.protocol import Tables, steps
from equinotes.audit.protocols.second.evidence import Evidence, Network
from equinotes.audit.protocols.second.runs import FOUR, MAIN, PAPERS, WITHOUT
from equinotes.audit.report.errors import READINGS
from equinotes.audit.reported import printed_error

WEIGHTS = {"last iterate": "", "averaged": "average_"}
"""Whose errors they are: of the weights of the last step, which the paper reports, or of averaged ones."""
CURVE = ["network", "seed", "epoch", "reading", "value", "reported"]
LATE = 5
"""After how many epochs a run is looked at early, and over how many the last fall of its error is measured."""


def finished(tables: Tables) -> list[dict[str, Any]]:
    """Networks with complete runs, each once.

    `network`, `seeds`, `epochs`, `steps`; `errors`: by weights and reading, mean over seeds on test molecules [eV, eV^2 for MSE];
    `reported`: the paper's number for as many epochs (None without one); `ratios`: reported over the last iterate's, by reading;
    `nearest`: the reading whose ratio is nearest to one; `since`: the epoch from which on all readings of the last iterate lie
    below the paper's number on validation molecules (None where they do not); `linear`: MAE of the best linear baseline on as
    many molecules (None without one); `judged`: MAE of the same network under the settings that are judged, averaged weights,
    mean over seeds (None where it was not run); `late`: relative change of the MAE of averaged weights on validation molecules
    over the last `late_epochs` epochs, mean over seeds.
    """
    evidence, rows = Evidence(tables), []
    for _, runs in _complete(tables).groupby(["ls", "mul"], sort=False):
        ls, mul = runs["ls"].iloc[0], runs["mul"].iloc[0]
        judged = evidence.errors(Network(ls, mul), MAIN).values()
        errors = {
            weights: {reading: runs[prefix + column].mean() for column, reading in READINGS.items()}
            for weights, prefix in WEIGHTS.items()
        }
        reported = _reported(ls, mul)
        last = errors["last iterate"]
        ratios = {reading: reported / value for reading, value in last.items()} if reported else {}
        rows.append({
            "network": str(Network(ls, mul)), "seeds": len(runs), "epochs": PAPERS.epochs,
            "steps": steps(PAPERS), "errors": errors, "reported": reported, "ratios": ratios,
            "nearest": min(ratios, key=lambda reading: abs(np.log(ratios[reading])), default=None),
            "since": _since(tables, runs["run_id"].tolist(), reported),
            "linear": evidence.baselines.get(PAPERS.num_train), "judged": float(np.mean(list(judged))) if judged else None,
            "late": _late(tables, runs["run_id"].tolist()), "late_epochs": LATE,
        })  # fmt: skip
    return rows


def running(tables: Tables) -> list[dict[str, Any]]:
    """Runs that have not ended: how far each is, its errors, and what the paper reports for the row.

    `errors` holds errors on validation molecules by weights and reading; `falling`: whether those of averaged weights have fallen
    in the last epoch.
    """
    rows = []
    for run_id, curve in tables["curves"].groupby("run_id", sort=False):
        curve = curve.sort_values("epoch")
        last = curve.iloc[-1]
        errors = {weights: _validated(last, prefix) for weights, prefix in WEIGHTS.items()}
        falls = bool(curve["val_average_mae_eV"].diff().iloc[-1] < 0)
        rows.append({
            "run_id": run_id, "network": str(Network(last["ls"], last["mul"])), "epoch": int(last["epoch"]),
            "epochs": int(last["epochs"]), "errors": errors, "reported": _reported(last["ls"], last["mul"]), "falling": falls,
        })  # fmt: skip
    return rows


def curves(tables: Tables) -> pd.DataFrame:
    """Errors of the last iterate on validation molecules after every epoch, of finished and of running networks.

    Columns: `network`, `seed`, `epoch`, `reading`, `value` and `reported`, the paper's number for the row (NaN without one).
    """
    rows = []
    for ls, mul, seed, curve in _curves(tables):
        for epoch in curve.to_dict("records"):
            for reading, value in _validated(epoch, "").items():
                rows.append((str(Network(ls, mul)), seed, int(epoch["epoch"]), reading, value, _reported(ls, mul) or np.nan))
    return pd.DataFrame(rows, columns=CURVE)


def by_epoch(tables: Tables) -> pd.DataFrame:
    """Networks with orders 0-4 and 0, 3-6 after every epoch under the paper's settings, means over seeds.

    Columns: `epoch`, `steps`, `first` and `second` (MAE of averaged weights on validation molecules [eV]), `change` from one to
    the other, and `fitted`, the same change of the error on training molecules while they are learnt. No rows unless both
    are complete.
    """
    runs, columns = _complete(tables), {"first": FOUR, "second": WITHOUT}
    found = {}
    for name, ls in columns.items():
        ids = runs.loc[[tuple(row) == (ls, 16) for row in zip(runs["ls"], runs["mul"], strict=True)], "run_id"]
        found[name] = tables["metrics"][tables["metrics"]["run_id"].isin(ids)].groupby("epoch")
    valid, train = (
        pd.DataFrame({name: epochs[column].mean() for name, epochs in found.items()}).dropna()
        for column in ("val_average_mae_eV", "train_mae_eV")
    )
    change = valid["second"] / valid["first"] - 1
    per_epoch = steps(PAPERS) // PAPERS.epochs
    table = valid.assign(change=change, fitted=train["second"] / train["first"] - 1, steps=valid.index.astype(int) * per_epoch)
    return table.reset_index(names="epoch")


def turning(tables: Tables) -> dict[str, Any]:
    """What `by_epoch` comes to: its rows `early` (after `LATE` epochs) and `end`, and `turned`, the first epoch from which on the
    change has the sign that it has at the end (None where it always had). {} unless both networks are complete.
    """
    table = by_epoch(tables)
    if table.empty:
        return {}
    end = table.iloc[-1].to_dict()
    other = table[np.sign(table["change"]) != np.sign(end["change"])]
    turned = table[table["epoch"] > other["epoch"].max()].iloc[0].to_dict() if len(other) else None
    return {"early": table[table["epoch"] == LATE].iloc[0].to_dict(), "turned": turned, "end": end}


def _complete(tables: Tables) -> pd.DataFrame:
    runs = tables["runs"]
    return runs[runs["experiment"] == "full"].assign(ls=lambda found: found["ls"].map(tuple))


def _curves(tables: Tables) -> Iterator[tuple[tuple[int, ...], int, int, pd.DataFrame]]:
    for run in _complete(tables).to_dict("records"):
        yield run["ls"], run["mul"], run["seed"], tables["metrics"][tables["metrics"]["run_id"] == run["run_id"]]
    for _, curve in tables["curves"].groupby("run_id", sort=False):
        first = curve.iloc[0]
        yield first["ls"], first["mul"], first["seed"], curve


def _validated(row: Any, prefix: str) -> dict[str, float]:
    """Errors on validation molecules after an epoch, by reading."""
    mae, rmse = row[f"val_{prefix}mae_eV"], row[f"val_{prefix}rmse_eV"]
    return {"MAE": mae, "RMSE": rmse, "MSE": rmse**2}


def _reported(ls: tuple[int, ...], mul: int) -> float | None:
    return printed_error(ls, mul, PAPERS.epochs)


def _late(tables: Tables, run_ids: list[str]) -> float:
    curves = tables["metrics"][tables["metrics"]["run_id"].isin(run_ids)].pivot(
        index="epoch", columns="run_id", values="val_average_mae_eV"
    )
    ends, before = (curves.loc[epoch].to_numpy() for epoch in (PAPERS.epochs, PAPERS.epochs - LATE))
    return float(np.mean(ends / before - 1))


def _since(tables: Tables, run_ids: list[str], reported: float | None) -> int | None:
    """The first epoch after which no reading of any of these runs is above the paper's number again."""
    metrics = tables["metrics"][tables["metrics"]["run_id"].isin(run_ids)]
    if reported is None or metrics.empty:
        return None
    largest = np.maximum(metrics["val_rmse_eV"], metrics["val_rmse_eV"] ** 2)
    above = metrics["epoch"][np.maximum(largest, metrics["val_mae_eV"]) >= reported]
    since = int(above.max()) + 1 if len(above) else 1
    return since if since <= PAPERS.epochs else None
