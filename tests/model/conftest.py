"""Networks and molecules for the tests of the model."""

import pytest
import torch


@pytest.fixture
def float64():
    """Everything made during the test, e3nn's constants included, is float64."""
    torch.set_default_dtype(torch.float64)
    yield torch.float64
    torch.set_default_dtype(torch.float32)
