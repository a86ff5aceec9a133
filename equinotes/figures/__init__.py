"""Tables and arrays in, axes out; nothing here loads, computes a result or saves.

Functions with one set of axes take `ax` and return it; functions with many panels return the figure. Both draw on pyplot
figures, so that a notebook shows them by itself: end the call with a semicolon.
"""

from equinotes.figures.style import use_style as use_style
