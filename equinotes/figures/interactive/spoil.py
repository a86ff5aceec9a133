"""Stored ablations of trained networks, of which the reader chooses one."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from equinotes.figures.interactive.base import Picture, as_png, rounded
from equinotes.figures.style import order_colour, order_label, order_of, rising

KINDS = {"shuffle": "Shuffled among atoms", "zero": "Set to zero", "direction": "Turned at random"}
"""Ways of spoiling, as `analysis.ablation` names them, in words."""

COLUMNS = ("network", "kind", "seed", "block", "l", "whole", "mae", "low", "high")


def spoiling(ablations: pd.DataFrame, *, start: Mapping[str, int] | None = None) -> Picture:
    """Test error of a network, and of the same network with one order behind one block spoilt.

    Parameters
    ----------
    ablations
        Columns `ls`, `mul`, `seed`, `layer` (block), `irrep`, `mode`, `mae_eV` (spoilt), `delta_mae_eV`, and `low_eV` to
        `high_eV`, the interval of the change. Only rows of trained networks are shown, where there is a column `trained`.
    start
        What is shown first: `network`, `l`, `block`, `seed`; by default l = 2 behind block 1 of the network with most to choose.
    """
    table = ablations[ablations["trained"].astype(bool)] if "trained" in ablations else ablations
    names = [f"orders {', '.join(map(str, ls))}; {mul} channels" for ls, mul in zip(table["ls"], table["mul"], strict=True)]
    networks = list(dict.fromkeys(names))
    kinds = [kind for kind in KINDS if kind in set(table["mode"])]
    columns = pd.DataFrame(
        {
            "network": [networks.index(name) for name in names],
            "kind": [kinds.index(mode) for mode in table["mode"]],
            "seed": table["seed"].to_numpy(),
            "block": table["layer"].to_numpy(),
            "l": [order_of(irrep) for irrep in table["irrep"]],
            "whole": (table["mae_eV"] - table["delta_mae_eV"]).to_numpy(),
            "mae": table["mae_eV"].to_numpy(),
            "low": table["low_eV"].to_numpy(),
            "high": table["high_eV"].to_numpy(),
        }
    )
    richest = columns.groupby("network")[["kind", "l"]].nunique().prod(axis=1).to_numpy()
    begin = {
        "network": int(np.argmax(richest)),
        "kind": 0,
        "l": 2,
        "block": 1,
        "seed": int(columns["seed"].min()),
        **(start or {}),
    }
    data = {
        "columns": list(COLUMNS), "networks": networks, "kinds": [[kind, KINDS[kind]] for kind in kinds], "start": begin,
        **{name: rounded(columns[name].to_numpy(), 5) for name in COLUMNS},
    }  # fmt: skip
    return Picture("spoil", data, _still(table[[name == networks[begin["network"]] for name in names]]), _alt(networks, begin))


def _alt(networks: list[str], begin: Mapping[str, int]) -> str:
    return f"Test error when one order is shuffled, by order and block, for the network with {networks[begin['network']]}."


def _still(table: pd.DataFrame) -> bytes:
    """Mean error over seeds by block, a line for each order, when it is shuffled."""
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    means = table[table["mode"] == "shuffle"].groupby(["irrep", "layer"])["mae_eV"].mean().unstack("layer")
    for irrep in rising(means.index):
        ax.plot(means.columns, means.loc[irrep], "o-", color=order_colour(irrep), label=order_label(irrep))
    ax.set(xlabel="block behind which the order is shuffled", ylabel="test MAE [eV]", yscale="log", xticks=means.columns)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return as_png(fig)
