"""Structural formulas: every molecule is drawn, also where RDKit cannot sanitise it, and the page shows through."""

import re

from equinotes.figures.molecules import draw_molecules
from equinotes.figures.style import ELEMENT_COLOURS


def test_each_molecule_and_its_name_are_drawn_in_the_colours_of_the_elements():
    drawn = draw_molecules(["C[C@H](O)C=O", "C#N", "[NH4+]"], ["lactaldehyde", "cyanide", "ammonium"], columns=2, size=100).data
    assert re.search(r'width="200(px)?" height="200(px)?"', drawn.replace("'", '"'))
    assert all(ELEMENT_COLOURS[symbol].upper() in drawn for symbol in "CNO")
    assert "fill:#FFFFFF" not in drawn, "no white card"


def test_a_molecule_that_cannot_be_sanitised_is_drawn_as_written():
    assert "bond-0" in draw_molecules(["C=[NH3]=C"], ["x"]).data
