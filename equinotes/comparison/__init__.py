"""Bases compared under one rule: the same neighbours, columns, molecules and regression; a number in every cell."""
