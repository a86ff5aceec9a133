"""What the tests of layers share."""

import pytest

from equinotes.layers import coupling


@pytest.fixture(params=[coupling.ByPath, coupling.ByFrame])
def only_way(request, monkeypatch):
    """Networks can compute their convolutions in one way only."""
    for other in {coupling.ByPath, coupling.ByFrame} - {request.param}:
        monkeypatch.setattr(other, "work", lambda self: float("inf"))
    coupling.coupling.cache_clear()
    yield request.param
    coupling.coupling.cache_clear()
