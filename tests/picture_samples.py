"""One small picture of each kind, by the name of its script, from made-up numbers; tests in a browser draw them."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from equinotes.analysis import harmonics as sh
from equinotes.analysis.polynomials import harmonic_polynomials
from equinotes.book.pictures import PICTURES
from equinotes.figures.harmonics import sphere_grid
from equinotes.figures.interactive.base import Picture
from equinotes.figures.interactive.board import claims_board
from equinotes.figures.interactive.maps import molecule_maps
from equinotes.figures.interactive.site import Shown, site_views
from equinotes.figures.interactive.spoil import spoiling
from equinotes.figures.interactive.turning import turning_molecule

METHANE = np.concatenate([np.zeros((1, 3)), 1.09 * sh.IDEAL_SITES["tetrahedral"]])
WATER = np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


def features() -> dict[int, np.ndarray]:
    """Features of one atom, l -> [channels, 2l+1]."""
    rng = np.random.default_rng(3)
    return {l: rng.normal(size=(4, 2 * l + 1)) for l in (0, 1, 2)}


def turning() -> Picture:
    bonds = [(0, 1), (0, 2), (0, 3), (0, 4)]
    orders = [harmonic_polynomials(l) for l in range(3)]
    return turning_molecule(METHANE, ["C", "H", "H", "H", "H"], bonds, 0, features(), orders, sh.sphere_quadrature(4))


def site() -> Picture:
    shown = [Shown("methane", METHANE, "CHHHH", [(0, k) for k in range(1, 5)]), Shown("water", WATER, "OHH", [(0, 1), (0, 2)])]
    return site_views(shown, [harmonic_polynomials(l) for l in range(7)], sphere_grid(13, 24))


def ablations() -> pd.DataFrame:
    rng, rows = np.random.default_rng(0), []
    for ls in ((0, 1, 2), (0, 3, 4)):
        for mode in ("shuffle", "zero"):
            for seed in (0, 1):
                for layer in (1, 2):
                    for l in ls:
                        delta = rng.uniform(0.01, 0.4)
                        row = {
                            "ls": list(ls),
                            "mul": 16,
                            "seed": seed,
                            "layer": layer,
                            "irrep": f"{l}{'eo'[l % 2]}",
                            "mode": mode,
                        }
                        error = {"mae_eV": 0.25 + delta, "delta_mae_eV": delta, "low_eV": delta - 0.02, "high_eV": delta + 0.03}
                        rows.append(row | error | {"trained": True})
    return pd.DataFrame(rows)


def maps() -> Picture:
    rng, tables = np.random.default_rng(1), []
    for network in ("trained", "untrained"):
        for order in ("l = 0", "l = 1"):
            x, y = rng.normal(size=(2, 40))
            tables.append(pd.DataFrame({"molecule": range(40), "phate1": x, "phate2": y, "network": network, "order": order}))
    names = [f"molecule {k}" for k in range(40)]
    return molecule_maps(pd.concat(tables), names, np.arange(40.0), choices=["network", "order"])


def board() -> Picture:
    rows = [
        {"claim": claim, "scale": scale, "measure": "relative change of the MAE", "label": label, "value": value,
         "low": value - 0.05, "high": value + 0.06, "threshold": -0.05, "meaning": "five percent lower"}
        for claim, scale, label, value in [
            ("C1", "reduced", "0,1,2 to 0..4", 0.02), ("C1", "full", "0,1,2 to 0..4", -0.03),
            ("C3", "reduced", "equal sizes", -0.2),
        ]
    ]  # fmt: skip
    rows.append({**rows[0], "claim": "C3", "label": "a point without interval", "low": np.nan, "high": np.nan})
    statements = {"C1": "More orders do not help.", "C3": "Fewer orders help.", "C6": "Never measured."}
    return claims_board(pd.DataFrame(rows), statements, {("C1", "reduced"): "open", ("C3", "reduced"): "reproduced"})


SAMPLES: dict[str, Callable[[], Picture]] = {
    **PICTURES, "turning": turning, "site": site, "maps": maps, "board": board, "spoil": lambda: spoiling(ablations()),
}  # fmt: skip
