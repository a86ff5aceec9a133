"""Real spherical harmonics: the angular basis of every network here."""

from collections.abc import Sequence

from e3nn import o3
from jaxtyping import Float
from torch import Tensor


def harmonics(
    vectors: Float[Tensor, "edges 3"], ls: Sequence[int], normalization: str = "integral"
) -> Float[Tensor, "edges components"]:
    """Real spherical harmonics of the unit vectors, concatenated.

    Their squares integrate to one over the sphere ("integral"), or those of order l sum to 2l + 1 ("component").

    >>> import torch
    >>> harmonics(torch.tensor([[0.0, 0.0, 2.0]]), (0, 1)).numpy().round(4)
    array([[0.2821, 0.    , 0.    , 0.4886]], dtype=float32)
    """
    return o3.spherical_harmonics(list(ls), vectors, normalize=True, normalization=normalization)
