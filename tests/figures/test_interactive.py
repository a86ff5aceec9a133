"""Data of the pictures that answer to their readers: laws and values that come from e3nn or from numpy."""

import base64
import json
import re

import numpy as np
import pytest
import torch
from e3nn import o3

from equinotes.analysis.harmonics import harmonics, sphere_quadrature
from equinotes.analysis.polynomials import harmonic_polynomials
from equinotes.book.pictures import PICTURES
from equinotes.figures.interactive.base import Picture, packed


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


def test_rotation_matrices_follow_from_the_emitted_polynomials_and_quadrature():
    """The sum that space.js computes is e3nn's Wigner matrix."""
    data = data_of(PICTURES["harmonics"]())
    R = o3.rand_matrix(dtype=torch.float64)
    *xyz, weights = np.array(data["quadrature"]).T
    points = np.stack(xyz, axis=-1)
    for l, table in enumerate(data["orders"]):
        values = [
            np.prod(p[:, None, :] ** np.array(table["exponents"]), axis=-1) @ np.array(table["rows"]).T
            for p in (points @ R.numpy().T, points)
        ]
        D = np.einsum("p,pi,pj->ij", weights, *values)
        expected = o3.Irreps([(1, (l, (-1) ** l))]).D_from_matrix(R.float()).numpy()
        np.testing.assert_allclose(D, expected, atol=2e-5)  # e3nn rounds to single precision


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


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_have_a_still_and_its_text(name):
    picture = PICTURES[name]()
    assert picture.still.startswith(b"\x89PNG")
    assert len(picture.alt) > 40
    assert len(picture._repr_html_()) < 400_000
