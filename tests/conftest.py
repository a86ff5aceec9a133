"""What all tests share."""

import signal

import pytest
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
