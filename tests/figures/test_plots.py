"""Each figure shows the numbers of its table, names its axes, and leaves the page visible."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from equinotes.figures import ablation, benchmarks, controls, harmonics, manifold, training
from equinotes.figures.style import ORDER_COLOURS

BASELINES = {"composition": 0.864, "bond lengths": 0.444}


def table(columns, rows):
    return pd.DataFrame(rows, columns=columns.split())


def runs():
    return table(
        "lmax seed ls test_mae_eV", [(l, s, tuple(range(l + 1)), 1.0 / (l + 1) + 0.1 * s) for l in range(3) for s in range(2)]
    )


def metrics():
    return table(
        "lmax seed epoch val_mae_eV", [(l, s, e, (l + 1 + s) / e) for l in range(3) for s in range(2) for e in (1, 2, 3)]
    )


def spoilt():
    rows = [
        (k, ir, mode, 0.1 * k, 0.05 * k, 0.2 * k)
        for k in (1, 2) for ir in ("0e", "1o") for mode in ("zero", "shuffle", "direction") if (ir, mode) != ("0e", "direction")
    ]  # fmt: skip
    return table("layer irrep mode delta_mae_eV low_eV high_eV", rows)


def places():
    rng = np.random.default_rng(0)
    rows = [(n, ir, *rng.normal(size=2), view) for view in "ab" for ir in ("0e", "1o", "joint") for n in range(30)]
    return table("molecule irrep phate1 phate2 view", rows)


def sphere(value=1.0):
    points = harmonics.sphere_grid(7, 9)
    return np.full(points.shape[:2], value), points


def changes():
    return table("name l mean_eV low_eV high_eV", [("without l = 1", 1, 0.1, 0.0, 0.3)])


def shares():
    rows = [("block1", "0e", 0.99996), ("block1", "1o", 4e-5), ("block2", "0e", 1.0), ("block2", "1o", 0.0)]
    return table("layer irrep share", rows)


def weights():
    return table("block l3 weights dead", [(1, 0, 3000, 0), (1, 1, 5000, 4000)])


def overlaps():
    return table("irrep name overlap chance", [("0e", "raw", 1.0, 0.1), ("1o", "raw", 0.2, 0.1)])


def correlations():
    rows = [("distance", irrep, "trained", 0.5, 0.1, 0.2) for irrep in ("0e", "1o")]
    return table("measure irrep name value null_low null_high", rows)


def sites():
    return table("bonds l length", [(b, l, v) for b in (3, 4) for l in range(3) for v in (0.1, 0.2, 0.3)])


def addition():
    return table("l angle_deg sum legendre", [(0, 0, 1, 1), (0, 90, 1, 1)])


def steps():
    columns = "orders mul batch_size lmax contestant median_ms times_equinotes times_equinotes_q1 times_equinotes_q3"
    rows = [
        (f"[0, {l}]", 16, 32, l, name, l * t, t, t - 0.1, t + 0.1)
        for l in (1, 2)
        for name, t in (("equinotes", 1.0), ("e3nn", 9.0))
    ]
    return table(columns, rows)


def sizes():
    rows = [("[0, 1]", 16, size, 1.0, 0.9, 1.1) for size in (16, 32)]
    return table("orders mul batch_size times_reference times_reference_q1 times_reference_q3", rows)


def bond_pattern():
    value, points = sphere()
    return harmonics.plot_bond_pattern(np.eye(3), {0: value, 1: 0 * value}, points, norms={0: 1, 1: 0})


def triangle():
    value, points = sphere()
    return harmonics.plot_harmonics({(0, 0): value, **{(1, m): m * value for m in (-1, 0, 1)}}, points)


FIGURES = {
    "learning curves": lambda: training.plot_learning_curves(metrics(), baselines=BASELINES),
    "error by lmax": lambda: training.plot_error_by_lmax(runs(), baselines=BASELINES),
    "error by orders": lambda: training.plot_error_by_orders(runs()),
    "inference ablation": lambda: ablation.plot_inference_ablation(spoilt()),
    "paired changes": lambda: ablation.plot_paired_changes(changes()),
    "gradient flow": lambda: ablation.plot_gradient_flow(shares()),
    "dead weights": lambda: ablation.plot_dead_weights(weights()),
    "phate": lambda: manifold.plot_phate(places(), np.arange(30.0), rows="view"),
    "overlap": lambda: manifold.plot_overlap(overlaps()),
    "complexity": lambda: manifold.plot_complexity(correlations()),
    "sites": lambda: controls.plot_site_harmonics(sites(), ideal=table("bonds l length", [(4, 0, 1.0), (4, 1, 0.0)])),
    "step ratios": lambda: benchmarks.plot_step_ratios(steps()),
    "cost by lmax": lambda: benchmarks.plot_cost_by_lmax(steps()),
    "cost by size": lambda: benchmarks.plot_cost_by_size(sizes(), "batch_size"),
    "harmonics": triangle,
    "bond pattern": bond_pattern,
    "surfaces": lambda: harmonics.plot_surfaces({"before": sphere()[0], "after": sphere(-1.0)[0]}, sphere()[1]),
    "molecule": lambda: harmonics.plot_molecule(np.eye(3), ["C", "H", "H"], [(0, 1), (0, 2)], number_atoms=True),
    "addition theorem": lambda: harmonics.plot_addition_theorem(addition()),
    "blocks": lambda: harmonics.plot_order_blocks(np.eye(4), [0, 1], label="entry"),
}


def named(axis):
    """An axis has a label, or words instead of numbers at its ticks."""
    words = [text.get_text() for text in axis.get_ticklabels()]
    return bool(axis.get_label_text()) or any(word.strip("−0123456789.") for word in words)


@pytest.mark.parametrize("name", FIGURES)
def test_the_page_shows_through_and_every_flat_panel_has_named_axes(name):
    drawn = FIGURES[name]()
    figure = drawn.figure if isinstance(drawn, Axes) else drawn
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=50)
        pixels = plt.imread(io.BytesIO(file.getvalue()))
    assert pixels[..., 3].min() == 0 < pixels[..., 3].max()
    panels = [ax for ax in figure.axes if ax.axison and ax.name != "3d" and ax.get_subplotspec() is not None]
    assert all(named(ax.xaxis) for ax in panels if ax.get_subplotspec().is_last_row())
    assert all(named(ax.yaxis) for ax in panels if ax.get_subplotspec().is_first_col())


def test_errors_stand_at_their_values_with_their_mean():
    ax = training.plot_error_by_lmax(runs(), baselines=BASELINES)
    dots = [np.sort(points.get_offsets()[:, 1]) for points in ax.collections[::2]]
    np.testing.assert_allclose(dots, [[1.0, 1.1], [0.5, 0.6], [1 / 3, 1 / 3 + 0.1]])
    means = [bar.get_segments()[0][0, 1] for bar in ax.collections[1::2]]
    np.testing.assert_allclose(means, np.mean(dots, axis=1))
    assert [line.get_ydata()[0] for line in ax.lines] == list(BASELINES.values())


def test_thick_learning_curves_are_means_over_seeds_and_take_no_colour_of_an_order():
    ax = training.plot_learning_curves(metrics())
    thick = [line for line in ax.lines if line.get_label().startswith("lmax")]
    assert {to_hex(line.get_color()) for line in thick}.isdisjoint(ORDER_COLOURS)
    assert len({(line.get_marker(), line.get_linestyle()) for line in thick}) == 3
    np.testing.assert_allclose(thick[1].get_ydata(), np.array([2.5, 2.5 / 2, 2.5 / 3]))


def test_exact_zeros_of_the_gradient_are_told_from_small_numbers():
    ax = ablation.plot_gradient_flow(shares())
    assert [text.get_text() for text in ax.texts] == ["1.00", "1.00", "4e-05", "0"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1"]


def test_layers_may_have_other_irreps_and_both_parities():
    rows = [("block2", "1e", 0.5), ("block2", "1o", 0.5), ("block10", "1o", 0.0)]
    ax = ablation.plot_gradient_flow(table("layer irrep share", rows))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1", "1e"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["block2", "block10"]
    assert [text.get_text() for text in ax.texts] == ["0.50", "0", "0.50"], "nothing stands where there is no such irrep"


def test_dead_weights_are_hatched_on_top_of_living_ones():
    ax = ablation.plot_dead_weights(weights())
    bars = [(bar.get_y(), bar.get_height(), bar.get_hatch()) for bar in ax.patches if bar.get_height()]
    assert bars == [(0, 3.0, None), (3.0, 1.0, None), (4.0, 4.0, "////")]


def test_every_irrep_has_a_panel_in_every_row_with_its_molecules_in_their_colours():
    figure = manifold.plot_phate(places(), np.arange(30.0), rows="view")
    panels = [
        ax
        for ax in figure.axes
        if ax.collections and ax.get_subplotspec() is not None and len(ax.collections[0].get_offsets()) == 30
    ]
    assert [ax.get_title() for ax in panels[:3]] == ["l = 0", "l = 1", "joint"]
    for ax in panels:
        np.testing.assert_array_equal(ax.collections[0].get_array(), np.arange(30.0))


def test_a_surface_reaches_as_far_as_its_function_is_large():
    values, points = sphere(2.0)
    ax = harmonics.plot_surface(values, points, scale=4.0)
    np.testing.assert_allclose(ax.xy_dataLim.extents, [-0.5, -0.5, 0.5, 0.5], atol=1e-9)
    np.testing.assert_allclose(ax.zz_dataLim.intervalx, [-0.5, 0.5], atol=1e-9)


def test_grid_points_have_the_pole_y_first_and_wind_once_around_it():
    points = harmonics.sphere_grid(5, 9)
    np.testing.assert_allclose(points[0], [[0, 1, 0]] * 9, atol=1e-12)
    np.testing.assert_allclose(points[:, 0], points[:, -1], atol=1e-12)
    np.testing.assert_allclose(points[2, 0], [0, 0, 1], atol=1e-12)
