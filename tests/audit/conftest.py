"""What tests of the audit share."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def protocol2():
    """The module that makes up tables of protocol 2."""
    return module_of("protocol2_tables")


@pytest.fixture(scope="session")
def planted():
    """Makes up tables of the comparison of networks."""
    return module_of("networks_tables").planted


def module_of(name):
    """A module of the folder of tests."""
    path = Path(__file__).parents[1] / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
