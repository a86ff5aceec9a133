"""Maps of features that no prediction shows: penalties on the size of features can be met for free."""

import pytest
import torch

from equinotes import RunConfig, build_network
from equinotes.networks.gauge import feature_sizes, with_maps
from equinotes.training.objective import Objective

CONFIG = RunConfig(ls=(0, 1, 2), mul=6, num_blocks=4)


@pytest.fixture
def batch(qm9, float64):
    return qm9.batch([3, 2021, 90_000]).to(dtype=float64)


@pytest.mark.parametrize("skips", ["all", "none", "scalars", "directed"])
def test_without_a_gate_maps_of_every_order_change_no_prediction(batch, skips):
    net = build_network(CONFIG.but(skips=skips)).double()
    rng = torch.Generator().manual_seed(0)
    maps = {
        l: torch.linalg.qr(torch.randn(6, 6, generator=rng, dtype=torch.float64))[0] * s for l, s in ((0, 2), (1, 0.1), (2, 3))
    }
    maps = {l: A @ torch.diag(torch.linspace(0.5, 2, 6)) for l, A in maps.items()}
    changed = with_maps(net, maps)
    torch.testing.assert_close(changed.outputs(batch), net.outputs(batch), rtol=1e-11, atol=1e-11)
    before, after = feature_sizes(net, batch), feature_sizes(changed, batch)
    factors = [after[place] / before[place] for place in before]
    assert min(factors) < 0.1 and max(factors) > 3, "features are not the same at all"


def test_with_a_gate_positive_scales_of_orders_above_zero_survive_and_mixing_does_not(batch):
    net = build_network(CONFIG.but(gate=True)).double()
    scales = {1: 0.01 * torch.eye(6), 2: torch.diag(torch.linspace(0.1, 5, 6))}
    changed = with_maps(net, scales)
    torch.testing.assert_close(changed.outputs(batch), net.outputs(batch), rtol=1e-11, atol=1e-11)
    assert feature_sizes(changed, batch)[3, "1o"] == pytest.approx(1e-4 * feature_sizes(net, batch)[3, "1o"])
    mixing = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    with pytest.raises(ValueError, match="behind a gate"):
        with_maps(net, {1: mixing})
    with pytest.raises(ValueError, match="behind a gate"):
        with_maps(net, {0: 2 * torch.eye(6)})
    plain = build_network(CONFIG).double()  # where mixing is allowed; then its weights beside the gates
    plain.load_state_dict(net.state_dict(), strict=False)
    net_mixed = build_network(CONFIG.but(gate=True)).double()
    net_mixed.load_state_dict(net.state_dict() | with_maps(plain, {1: mixing}).state_dict())
    assert (net_mixed.outputs(batch) - net.outputs(batch)).abs().max() > 1e-6


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("term", ["feature_l1", "feature_l2"])
def test_a_penalty_on_the_size_of_features_is_met_for_free(qm9, float64, term, gate):
    config = CONFIG.but(gate=gate, terms=(term,), term_weights=(1.0,))
    net = build_network(config).double()
    small = with_maps(net, {l: 0.01 * torch.eye(6) for l in (1, 2)})
    batch, wanted = qm9.batch(range(5)).to(dtype=float64), torch.linspace(-1, 1, 5)[:, None]
    losses = [Objective(config, each)(each, batch, wanted, 0) for each in (net, small)]
    assert losses[1].error.item() == pytest.approx(losses[0].error.item(), rel=1e-9)
    assert losses[1].terms[term].item() < 0.02 * losses[0].terms[term].item()
