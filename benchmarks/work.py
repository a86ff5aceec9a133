"""How much work a training step cannot do without: the matrix products of the fast network, each counted once."""

from equinotes import RunConfig
from equinotes.layers.coupling import coupling


def step_flops(config: RunConfig, bonds: float) -> float:
    """Floating-point operations of the matrix products of one step of a network of at least two blocks: forward, and gradients.

    Per bond, the weights are made (once for both directions); per direction, features are lifted, meet the weights, and are
    rotated back. Weights and features both have gradients, so that products with weights count three times; lifting and rotating
    back count twice, for positions have none. Left out are the first block, sums over edges, all that is done per atom, and what
    is done again to save memory.
    """
    ls, mul = config.ls, config.mul
    components = sum(2 * l + 1 for l in ls)
    weighing = turning = 0
    for wanted in [ls] * (config.num_blocks - 2) + [(0,)]:
        way = coupling(ls, mul, ls, wanted, config.m_max)
        for product in way.products:
            columns = mul * (product.lifted.stop - product.lifted.start) // product.rows
            columns_out = mul * (product.out.stop - product.out.start) // product.rows
            weighing += columns * columns_out * (mul + 2 * product.rows)
        lifted, out = way.products[-1].lifted.stop, way.products[-1].out.stop
        turning += 2 * (lifted + (out if way.rotates else 0)) * components * mul
    return 2 * (3 * weighing + 2 * turning) * bonds
