"""What tests of the audit share."""

import importlib.util
from pathlib import Path

import pytest

from equinotes.audit.protocol import named
from equinotes.audit.tables import load_all

PAGE = Path(__file__).parents[2] / "notebooks" / "10_evidence_that_decides.ipynb"


@pytest.fixture(scope="session")
def protocol2():
    """The module that makes up tables of protocol 2."""
    return module_of("protocol2_tables")


@pytest.fixture(scope="session")
def tables():
    """The stored tables of protocol 2."""
    return load_all(None, named("second"))


@pytest.fixture(scope="session")
def page(shown):
    """What the page of protocol 2 shows of the stored tables."""
    return shown(PAGE, text=True).replace("\u00a0", " ")


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
