"""Draw the picture of the README again: `.venv/bin/python book/cover.py [file]`."""

import sys
from pathlib import Path

from equinotes import load_qm9
from equinotes.analysis.harmonics import bond_vectors, evaluate, site_coefficients
from equinotes.figures.harmonics import plot_surfaces, sphere_grid
from equinotes.figures.style import use_style

LACTALDEHYDE = 69
SITES = {1: "four bonds", 3: "three bonds"}
STEPS = (1, 2, 3, 4, 6, 10)


def draw(out: Path) -> None:
    """Two atoms of lactaldehyde with more and more orders, as in notebook 01."""
    use_style()
    qm9, grid = load_qm9(), sphere_grid()
    molecule = qm9.molecule(qm9.row(LACTALDEHYDE))
    surfaces = {
        f"{name}, l up to {highest}": evaluate(site_coefficients(bond_vectors(molecule.pos, molecule.bonds, atom), highest), grid)
        for atom, name in SITES.items()
        for highest in STEPS
    }
    plot_surfaces(surfaces, grid, columns=len(STEPS), shared_scale=False).savefig(out, transparent=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "_static" / "cover.png")
