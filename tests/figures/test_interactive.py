"""Data of the pictures that answer to their readers: laws and values that come from e3nn or from numpy."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
from e3nn import o3

from equinotes.analysis.harmonics import harmonics, sphere_quadrature
from equinotes.analysis.polynomials import harmonic_polynomials
from equinotes.book.pictures import PICTURES
from equinotes.figures.interactive.base import Picture, packed
from equinotes.figures.interactive.maps import FULL, molecule_maps
from equinotes.figures.interactive.spoil import spoiling


def data_of(picture: Picture) -> dict:
    """What a script reads, from the piece of HTML."""
    found = re.search(r'<script type="application/json">(.*)</script>', picture._repr_html_(), re.DOTALL)
    return json.loads(found[1])


@pytest.fixture
def directions() -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(50, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("l", range(7))
def test_polynomials_are_the_harmonics_of_e3nn(l, directions):
    np.testing.assert_allclose(harmonic_polynomials(l)(directions), harmonics(l, directions), atol=1e-12)


def test_rotation_matrices_follow_from_the_emitted_polynomials_and_quadrature(float64):
    """The sum that space.js computes is e3nn's Wigner matrix."""
    data = data_of(PICTURES["harmonics"]())
    R = o3.rand_matrix()
    *xyz, weights = np.array(data["quadrature"]).T
    points = np.stack(xyz, axis=-1)
    for l, table in enumerate(data["orders"]):
        values = [
            np.prod(p[:, None, :] ** np.array(table["exponents"]), axis=-1) @ np.array(table["rows"]).T
            for p in (points @ R.numpy().T, points)
        ]
        D = np.einsum("p,pi,pj->ij", weights, *values)
        expected = o3.Irreps([(1, (l, (-1) ** l))]).D_from_matrix(R).numpy()
        np.testing.assert_allclose(D, expected, atol=1e-7)


def test_quadrature_covers_the_highest_order():
    points, weights = sphere_quadrature(12)
    values = harmonic_polynomials(6)(points)
    np.testing.assert_allclose(values.T @ (weights[:, None] * values), np.eye(13), atol=1e-12)


def test_a_text_cannot_end_the_data_early():
    picture = Picture("maps", {"names": ["</script><b>"]}, b"", "a still with < and >")
    assert data_of(picture)["names"] == ["</script><b>"]
    assert "&lt; and &gt;" in picture._repr_html_()


def test_packed_numbers_come_back():
    values = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(packed(values)), "<f4").reshape(4, 3), values)


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        Picture("board", {"value": float("nan")}, b"", "nothing").opening()


def test_stored_ablations_are_shown_row_by_row(picture_samples):
    table = picture_samples.ablations()
    data = data_of(spoiling(table))
    assert data["networks"] == ["orders 0, 1, 2; 16 channels", "orders 0, 3, 4; 16 channels"]
    for name, column in {"mae": "mae_eV", "low": "low_eV", "high": "high_eV", "block": "layer", "seed": "seed"}.items():
        np.testing.assert_allclose(data[name], table[column], atol=1e-5)
    np.testing.assert_allclose(data["whole"], table["mae_eV"] - table["delta_mae_eV"], atol=1e-5)


def test_untrained_networks_are_not_among_the_spoilt(picture_samples):
    table = picture_samples.ablations().assign(trained=lambda rows: rows["seed"] == 0)
    assert set(data_of(spoiling(table))["seed"]) == {0}


def test_maps_keep_each_molecule_at_its_place_whatever_the_order_of_rows():
    points = pd.DataFrame({"phate1": [0.0, 1, 3], "phate2": [5.0, 5, 5]})
    table = pd.concat([points.assign(molecule=[2, 0, 1], order=order) for order in ("l = 0", "l = 1")])
    data = data_of(molecule_maps(table, ["a", "b", "c"], [1, 2, 3], choices=["order"]))
    places = np.frombuffer(base64.b64decode(data["views"][1]["points"]), "<i2").reshape(3, 2) / FULL
    np.testing.assert_allclose(places, [[-1 / 3, 0], [1, 0], [-1, 0]], atol=1e-4)
    assert data["views"][1]["choice"] == ["l = 1"]


def test_a_molecule_that_a_map_lacks_is_refused():
    table = pd.DataFrame({"molecule": [0, 1], "phate1": [0.0, 1], "phate2": [0.0, 1], "order": ["l = 0"] * 2})
    with pytest.raises(KeyError, match="2"):
        molecule_maps(table, ["a", "b", "c"], [1, 2, 3], choices=["order"])


def test_paths_are_those_that_parity_and_triangle_allow():
    data = data_of(PICTURES["paths"]())
    for l1, l2, l3 in data["triples"]:
        assert abs(l1 - l2) <= l3 <= l1 + l2 and (l1 + l2 + l3) % 2 == 0
    assert len([t for t in data["triples"] if max(t) <= 2]) == 11


def test_the_board_keeps_claims_that_were_never_measured_and_missing_intervals(picture_samples):
    data = data_of(picture_samples.board())
    assert [claim["name"] for claim in data["claims"]] == ["C1", "C3", "C6"]
    assert data["claims"][0]["verdicts"] == {"reduced": "open"}
    assert data["rows"][-1]["low"] is None and data["rows"][-1]["value"] == pytest.approx(0.02)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_have_a_still_and_its_text(name):
    picture = PICTURES[name]()
    assert picture.still.startswith(b"\x89PNG")
    assert len(picture.alt) > 40
    assert len(picture._repr_html_()) < 400_000
