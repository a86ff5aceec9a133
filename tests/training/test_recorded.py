"""What a CUDA graph replays is the step of the batch that it is given; here a stand-in for the graph computes it on the CPU."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from equinotes import RunConfig, build_network

CONFIG = RunConfig(ls=(0, 1, 2), mul=4, num_blocks=3)
ROWS = ([0, 1, 2, 5], [2021, 50_000])


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield torch.float64
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def batches(qm9, float64):
    return [qm9.batch(rows).to(dtype=float64) for rows in ROWS]


@pytest.fixture
def targets(float64):
    return [torch.linspace(-1, 1, len(rows)) for rows in ROWS]


@pytest.fixture
def recorded(monkeypatch, batches, targets):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    from benchmarks.recorded import Recorded

    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name, stand_in in {
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": nullcontext,
        "graph": nullcontext,
        "CUDAGraph": SimpleNamespace,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    recorded = Recorded(*trained(), batches, targets)
    recorded.graph.replay = recorded._step
    return recorded


def trained():
    net = build_network(CONFIG)
    return net, torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.1, fused=True)


def step(net, optimizer, batch, target):
    """A step as everybody does it; the predictions before it."""
    optimizer.zero_grad()
    predicted = net.normalised(batch)
    (predicted - target).square().mean().backward()
    optimizer.step()
    return predicted.detach()


def gradients(net):
    return [parameter.grad for parameter in net.parameters()]


@pytest.mark.parametrize("number", [0, 1])
def test_first_gives_predictions_and_gradients_at_the_initial_weights(recorded, batches, targets, number):
    recorded(batches[0], targets[0])  # had it been used before, it would not matter
    net, optimizer = trained()
    expected = step(net, optimizer, batches[number], targets[number])
    found = recorded.first(batches[number], targets[number])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradients(recorded.net), gradients(net), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(list(recorded.net.parameters()), list(build_network(CONFIG).parameters()), rtol=0, atol=0)


def test_steps_after_it_are_those_of_training(recorded, batches, targets):
    net, optimizer = trained()
    recorded.first(batches[0], targets[0])
    for number in (0, 1, 0):
        step(net, optimizer, batches[number], targets[number])
        recorded(batches[number], targets[number])
    torch.testing.assert_close(list(recorded.net.parameters()), list(net.parameters()), rtol=1e-8, atol=1e-10)
