"""What grading runs in a hand-in's process, with this package loaded anew: one answer is checked, and the outcome written."""

import json
from collections.abc import Callable
from pathlib import Path

from equinotes.exercises.checking import Answer, check, seed_cases

UNDEFINED = "undefined"
"""The outcome where the expression that is handed to `check` has no value."""


def judge(name: str, answer: Callable[[], Answer], seed: int, place: str) -> None:
    """Check the function that `answer` returns, and write outcome and details to the file `place` as JSON."""
    seed_cases(seed)
    try:
        function = answer()
    except BaseException as error:
        outcome, about = UNDEFINED, _text(error)
    else:
        try:
            result = check(name, function)
            outcome, about = str(result.outcome), result.about
        except BaseException as error:  # such as SystemExit, which `check` lets pass
            outcome, about = "error", _text(error)
    Path(place).write_text(json.dumps([outcome, about]), encoding="utf-8")


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
