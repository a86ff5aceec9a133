"""Templates state the numbers that they are given, and refuse what they do not know."""

import pandas as pd
import pytest
from jinja2 import UndefinedError

from equinotes.support.templates import between_marks, sentences


def test_a_table_is_given_row_by_row():
    rows = pd.DataFrame({"experiment": ["a", "b"], "stored": [1, 0], "planned": [2, 3]})
    said = sentences("results")("stored_runs", rows=rows).splitlines()
    assert said[2:] == ["| a | 1 | 2 |", "| b | 0 | 3 |"]


def test_what_a_template_does_not_know_is_named():
    with pytest.raises(FileNotFoundError, match=r"no template .*nothing\.md"):
        sentences("nothing")
    say = sentences("results")
    with pytest.raises(ValueError, match=r"unknown passage of results\.md 'sources'; did you mean 'source'"):
        say("sources")
    with pytest.raises(TypeError, match="files_"):
        say("source", files_=[])
    with pytest.raises(UndefinedError, match="commands"):
        say("source", files=[])


def test_pages_without_marks_are_refused():
    with pytest.raises(ValueError, match="no <!-- result -->"):
        between_marks("text", "new")
