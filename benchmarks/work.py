"""How much work a training step cannot do without: the matrix products of the fast network, each counted once."""

from equinotes import RunConfig
from equinotes.model.coupling import coupling


def step_flops(config: RunConfig, bonds: int) -> float:
    """Floating-point operations of the matrix products of one step: forward, and twice as many for the gradients.

    Counted are, per bond, the weights (once for both directions) and, per direction, lifting features, meeting weights and
    rotating back. What is done again to save memory is not counted, nor are sums over edges and all that is done per atom.
    """
    ls, mul = config.ls, config.mul
    components = sum(2 * l + 1 for l in ls)
    per_bond = 0
    for wanted in [ls] * (config.num_blocks - 2) + [(0,)]:
        way = coupling(ls, mul, ls, wanted)
        for product in way.products:
            columns = mul * (product.lifted.stop - product.lifted.start) // product.rows
            columns_out = mul * (product.out.stop - product.out.start) // product.rows
            per_bond += columns * columns_out * (mul + 2 * product.rows)
        lifted, out = way.products[-1].lifted.stop, way.products[-1].out.stop
        per_bond += 2 * lifted * components * mul + (2 * out * components * mul if way.rotates else 0)
    return 3 * 2 * per_bond * bonds
