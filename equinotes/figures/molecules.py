"""Molecules as a chemist draws them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.colors import to_rgb

from equinotes.figures.style import ELEMENT_COLOURS, GREY

if TYPE_CHECKING:
    from IPython.display import SVG

NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


def draw_molecules(smiles: Sequence[str], names: Sequence[str], *, columns: int = 3, size: int = 220) -> "SVG":
    """Structural formulas in a grid, each with its name below; transparent, in the colours of the elements.

    Parameters
    ----------
    smiles
        One SMILES for each molecule. QM9 lists a few that RDKit cannot sanitise; these are drawn as they are written.
    names
        Text below each molecule.
    size
        Width of a panel [pixels].
    """
    from IPython.display import SVG
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    columns = min(columns, len(smiles))
    rows = -(-len(smiles) // columns)
    canvas = rdMolDraw2D.MolDraw2DSVG(columns * size, rows * size, size, size)
    options: Any = canvas.drawOptions()
    options.clearBackground = False
    options.legendFontSize = 20
    options.bondLineWidth = 3
    options.minFontSize = 18
    options.setLegendColour(to_rgb(GREY))
    options.setAtomPalette({NUMBERS[symbol]: to_rgb(colour) for symbol, colour in ELEMENT_COLOURS.items()})
    molecules = [Chem.MolFromSmiles(text) or Chem.MolFromSmiles(text, sanitize=False) for text in smiles]
    canvas.DrawMolecules(molecules, legends=list(names))
    canvas.FinishDrawing()
    return SVG(canvas.GetDrawingText())
