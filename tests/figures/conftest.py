"""Figures are drawn in the book's style, and closed."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from equinotes.figures.style import use_style


@pytest.fixture(autouse=True)
def _style():
    with mpl.rc_context():
        use_style()
        yield
        plt.close("all")
