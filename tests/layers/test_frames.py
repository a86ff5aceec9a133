"""Bond frames against e3nn's harmonics."""

import pytest
import torch
from e3nn import o3

from equinotes.bases.harmonics import harmonics
from equinotes.layers.frames import POLE, frames, smooth_frames, turned

POLES_AND_OTHERS = [[0, 1, 0], [0, -2, 0], [1e-9, 3, 0], [0, -1, 1e-12], [1, 0, 0], [0.3, -0.8, 2.0]]


@pytest.mark.parametrize("frames", [frames, smooth_frames])
@pytest.mark.parametrize("l", [0, 1, 2, 5, 11])
def test_frames_take_the_harmonics_at_the_pole_to_those_of_the_bond(l, frames):
    vectors = torch.tensor(POLES_AND_OTHERS, dtype=torch.float64)
    (rotations,) = frames(vectors, (l,))
    pole = harmonics(torch.tensor([POLE], dtype=torch.float64), (l,))[0]
    torch.testing.assert_close(rotations @ pole, harmonics(vectors, (l,)), rtol=1e-10, atol=1e-10)
    identity = torch.eye(2 * l + 1, dtype=torch.float64).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.transpose(1, 2), identity, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("ls", [(0,), (0, 1, 2), (3, 11)], ids=str)
def test_features_change_under_small_rotations_as_with_e3nns_generators(float64, ls):
    x = torch.randn(2, sum(2 * l + 1 for l in ls), 3)
    for axis in range(3):
        generator = torch.block_diag(*(o3.so3_generators(l)[axis] for l in ls))
        torch.testing.assert_close(turned(x, ls)[:, axis], generator @ x, rtol=1e-10, atol=1e-10)
