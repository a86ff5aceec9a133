"""What all tests share."""

import pytest

from equinotes.data.qm9 import QM9, load_qm9


@pytest.fixture(scope="session")
def qm9() -> QM9:
    """All of QM9, from the cache folder of this user (packed there on first use)."""
    return load_qm9(progress=False)
