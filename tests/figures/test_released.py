"""Pictures of the released cut say what each panel really holds; all are there, named and visible on the page."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from equinotes.audit.released import what_panels_hold
from equinotes.figures import released as draw
from equinotes.figures.style import order_colour


def test_pieces_have_the_colour_of_what_they_hold():
    ax = draw.plot_cuts(what_panels_hold("2x0e+2x1o+2x2e").assign(network="0,1,2 at 2"))
    filled = [to_hex(patch.get_facecolor()) for patch in ax.patches if patch.get_fill()]
    assert filled == [order_colour(l) for l in (0, 1, 2, 0, 1, 1)]
    ends = [round(patch.get_x() + patch.get_width(), 6) for patch in ax.patches if patch.get_fill()]
    assert ends == pytest.approx([2 / 18, 8 / 18, 1, 2 / 18, 4 / 18, 6 / 18], abs=1e-5)
    assert "share of its length" in ax.get_xlabel()


def test_panels_are_framed_by_what_they_hold_and_say_so():
    rng = np.random.default_rng(0)
    place = pd.DataFrame({"row": "cut", "molecule": range(5), "phate1": rng.normal(size=5), "phate2": 0.0})
    pictures = pd.concat(place.assign(named=named, holds=holds) for named, holds in [(0, 0), (1, 1), (2, 1)])
    figure = draw.plot_panels(pictures, np.arange(5.0), label="nSPS")
    panels = figure.axes[:3]
    assert [ax.get_title() for ax in panels] == ["named 0\nholds 0", "named 1\nholds 1", "named 2\nholds 1"]
    assert [to_hex(ax.spines["top"].get_edgecolor()) for ax in panels] == [order_colour(l) for l in (0, 1, 1)]
    assert figure.axes[3].get_ylabel() == "nSPS"


def test_errors_stand_beside_the_baselines_of_the_same_reading():
    reported = pd.DataFrame({"orders": ["0,1", "0,1", "0,2"], "epochs": ["30", "100", "30"], "error": [1.0, 0.2, 0.5]})
    baselines = pd.DataFrame({"baseline": ["composition"], "mae_eV": [0.9], "rmse_eV": [1.1], "mse_eV2": [1.2]})
    axes = draw.plot_readings(reported, baselines).axes
    assert [ax.lines[0].get_ydata()[0] for ax in axes] == [0.9, 1.1, 1.2]
    assert sum(len(dots.get_offsets()) for dots in axes[0].collections) == len(reported)
    assert {text.get_text() for text in axes[0].get_legend().get_texts()} == {"30", "100"}


def test_atoms_scores_and_sums_are_all_drawn():
    atoms = pd.DataFrame({"frame": "as stored", "atom": ["first", "second"], "x": 0.0, "y": [1.4, 0.0], "z": 0.0})
    assert [len(ax.collections) for ax in draw.plot_first_atoms(atoms).axes] == [2, 2]
    scores = pd.DataFrame({"atoms": [5, 5, 9], "nSPS": [1.5, 2.25, 30.0]})
    (ax,) = draw.plot_scores(scores, {"size": ("atoms", "nSPS")}).axes
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("atoms", "nSPS", "size")
    across, up = ax.collections[0].get_offsets().T
    assert np.abs(across - scores["atoms"]).max() <= 0.3 and len(set(across)) == 3
    np.testing.assert_array_equal(up, scores["nSPS"])
    sums = pd.DataFrame({"network": ["a", "a", "b", "b"], "l": [0, 1, 0, 1], "share": [1.0, 0.2, 1.0, 0.0]})
    assert [text.get_text() for text in draw.plot_ratios(sums).get_legend().get_texts()] == ["a", "b"]
