"""What tests of the audit share."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def protocol2():
    """The module that makes up tables of protocol 2."""
    path = Path(__file__).parents[1] / "protocol2_tables.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
