"""Sums over neighbours for many sets of features at once, held against e3nn edge by edge."""

import pytest
import torch
from e3nn import o3

from equinotes.layers.dense import DenseProduct

CASES = [
    ("4x0e+3x1e+2x2e", "1x0e+1x1e+1x2e", "0e+1e+2e"),
    ("2x0e+3x1o+2x2e", "1x0e+1x1o+1x2e+1x3o", "0e+1o+1e+2e+3o"),
    ("5x0e", "1x0e+1x1e", "0e+1e"),
]


def product_of(irreps_in, irreps_sh, wanted):
    irreps_in, irreps_sh = o3.Irreps(irreps_in), o3.Irreps(irreps_sh)
    ends = [
        (i, j, (mul, out))
        for i, (mul, ir) in enumerate(irreps_in)
        for j, (_, sh) in enumerate(irreps_sh)
        for out in ir * sh
        if out in o3.Irreps(wanted)
    ][::-1]  # paths need not stand in the order of their inputs
    paths = [(i, j, k, "uvu", True) for k, (i, j, _) in enumerate(ends)]
    out = o3.Irreps([end for _, _, end in ends])
    return o3.TensorProduct(irreps_in, irreps_sh, out, paths, shared_weights=False, internal_weights=False)


@pytest.mark.parametrize(("irreps_in", "irreps_sh", "wanted"), CASES, ids=str)
def test_every_set_gets_the_sum_over_edges(float64, irreps_in, irreps_sh, wanted):
    torch.manual_seed(0)
    product = product_of(irreps_in, irreps_sh, wanted)
    source, target = torch.tensor([[0, 1, 2, 0, 3], [1, 0, 0, 2, 2]])  # atom 3 gets nothing
    sh, weights = product.irreps_in2.randn(5, -1), torch.randn(5, product.weight_numel)
    x = product.irreps_in1.randn(3, 4, -1)
    found = DenseProduct(product, sh, weights, source, target, 4)(x)
    expected = torch.stack(
        [torch.zeros(4, product.irreps_out.dim).index_add(0, target, product(one[source], sh, weights)) for one in x]
    )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert found[:, :3].abs().max() > 0.1
    assert not found[:, 3].any()
