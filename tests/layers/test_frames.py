"""Bond frames against e3nn's harmonics."""

import pytest
import torch

from equinotes.layers.basis import harmonics
from equinotes.layers.frames import POLE, frames

POLES_AND_OTHERS = [[0, 1, 0], [0, -2, 0], [1e-9, 3, 0], [0, -1, 1e-12], [1, 0, 0], [0.3, -0.8, 2.0]]


@pytest.mark.parametrize("l", [0, 1, 2, 5, 11])
def test_frames_take_the_harmonics_at_the_pole_to_those_of_the_bond(l):
    vectors = torch.tensor(POLES_AND_OTHERS, dtype=torch.float64)
    (rotations,) = frames(vectors, (l,))
    pole = harmonics(torch.tensor([POLE], dtype=torch.float64), (l,))[0]
    torch.testing.assert_close(rotations @ pole, harmonics(vectors, (l,)), rtol=1e-10, atol=1e-10)
    identity = torch.eye(2 * l + 1, dtype=torch.float64).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.transpose(1, 2), identity, rtol=1e-10, atol=1e-10)
