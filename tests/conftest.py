"""What all tests share."""

import importlib.util
import signal
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import HealthCheck, settings

from equinotes.data.qm9 import QM9, load_qm9

# no test may fail because the machine is busy
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what it runs in the background deaf to Ctrl-C, and children inherit that; some tests press it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def qm9() -> QM9:
    """All of QM9, from the cache folder of this user (packed there on first use)."""
    return load_qm9(progress=False)


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """The module that makes up stored tables of the audit."""
    path = Path(__file__).parent / "audit_tables.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def picture_samples() -> ModuleType:
    """The module that makes one picture of each kind that answers to its reader."""
    path = Path(__file__).parent / "picture_samples.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stored(made_up, tmp_path_factory) -> Path:
    """An audit that has run in full under the reduced protocol."""
    return made_up.write_tables(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def float64():
    """Everything made during the test, e3nn's constants included, is float64."""
    torch.set_default_dtype(torch.float64)
    yield torch.float64
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def staged() -> type:
    """The class of a made-up module with the stages of SevenNet."""
    path = Path(__file__).parent / "staged_module.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Staged
