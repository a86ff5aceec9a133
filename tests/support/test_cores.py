"""Convolutions whose tiles are computed side by side give what they give one after the other."""

import pytest
import torch

from equinotes import RunConfig, build_network
from equinotes.layers import messages
from equinotes.support.cores import num_cores, shares, side_by_side


@pytest.fixture
def three_threads(threads):
    threads(3)


@pytest.fixture
def many_tiles(monkeypatch):
    monkeypatch.setattr(messages, "TILE_BYTES", 2**14)


@pytest.fixture(params=[(0, 1, 2), (0, 1, 2, 3, 4)], ids=str)
def net_and_batch(request, qm9, float64):
    config = RunConfig(ls=request.param, mul=4, num_blocks=3)
    return build_network(config), qm9.batch(range(1000, 1020)).to(dtype=float64)


def outputs_and_gradients(net, batch):
    net.zero_grad()
    out = net.normalised(batch)
    out.square().sum().backward()
    return [out.detach(), *(parameter.grad.clone() for parameter in net.parameters())]


@pytest.mark.usefixtures("three_threads", "many_tiles")
def test_results_and_gradients_are_the_same_on_several_cores(net_and_batch):
    expected = outputs_and_gradients(*net_and_batch)
    with side_by_side():
        assert (torch.get_num_threads(), num_cores()) == (1, 3)
        found, again = outputs_and_gradients(*net_and_batch), outputs_and_gradients(*net_and_batch)
    assert (torch.get_num_threads(), num_cores()) == (3, 3)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert all(map(torch.equal, found, again)), "the same shares are added in the same order"


@pytest.mark.usefixtures("three_threads", "many_tiles")
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(net_and_batch, mode):
    net, batch = net_and_batch
    with mode():
        expected = net(batch)
        with side_by_side():
            torch.testing.assert_close(net(batch), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("three_threads")
def test_every_core_gets_a_share_and_errors_come_through():
    everywhere = torch.device("cpu")
    assert shares(list, range(7), everywhere) == [[0, 1, 2, 3, 4, 5, 6]]
    with side_by_side(), side_by_side():
        assert shares(list, range(7), everywhere) == [[0, 3, 6], [1, 4], [2, 5]]
        assert shares(list, range(2), everywhere) == [[0], [1]]
        assert shares(list, range(7), torch.device("meta")) == [[0, 1, 2, 3, 4, 5, 6]]
        assert shares(lambda _: torch.get_num_threads(), range(3), everywhere) == [1, 1, 1]
        with pytest.raises(ZeroDivisionError):
            shares(lambda part: 1 // part[0], range(3), everywhere)
    assert torch.get_num_threads() == 3


def test_training_goes_on_after_inference_mode(net_and_batch, monkeypatch):
    monkeypatch.setattr(messages, "buffer", type(messages.buffer)())  # none was made before
    net, batch = net_and_batch
    with torch.inference_mode():
        expected = net.normalised(batch)
    found, *_ = outputs_and_gradients(net, batch)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
