"""Exercises with checkers: `check("slicing", my_function)` runs a learner's function against laws and known values.

Importing this loads no torch; an exercise loads what it needs when it is checked.
"""

from equinotes.exercises.checking import Result, check, exercises, seed_cases
from equinotes.exercises.quiz import show_quiz
from equinotes.exercises.small import Small, load_small

__all__ = ["Result", "Small", "check", "exercises", "load_small", "seed_cases", "show_quiz"]
