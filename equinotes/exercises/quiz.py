"""Self-check quizzes: one file of questions per chapter, shown as a page that needs no script and no network."""

import html
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equinotes.support.errors import UserError, unknown

QUIZZES = Path(__file__).parent / "quizzes"


@dataclass(frozen=True)
class Choice:
    """One answer of a question, and what is said to whoever chooses it."""

    text: str
    says: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question with exactly one right answer."""

    ask: str
    choices: tuple[Choice, ...]


def quizzes() -> list[str]:
    """Names of the chapters that have a quiz."""
    return sorted(path.stem for path in QUIZZES.glob("*.toml"))


def load_quiz(name: str) -> list[Question]:
    """The questions of a chapter; UserError for an unknown one."""
    if name not in quizzes():
        raise UserError(unknown("quiz", name, quizzes()))
    data = tomllib.loads((QUIZZES / f"{name}.toml").read_text(encoding="utf-8"))
    return [Question(each["ask"], tuple(Choice(**choice) for choice in each["choice"])) for each in data["question"]]


def quiz_html(name: str) -> str:
    """The quiz as HTML: radio buttons whose feedback a style sheet shows; formulas stand between dollar signs in the data."""
    blocks = []
    for number, question in enumerate(load_quiz(name), start=1):
        rows = [_row(name, number, place, choice) for place, choice in enumerate(question.choices, start=1)]
        legend = f"<legend>{number}. {_text(question.ask)}</legend>"
        blocks.append("\n".join(["<fieldset>", legend, *rows, "</fieldset>"]))
    return "\n".join([f"<style>{STYLE}</style>", '<form class="quiz" autocomplete="off">', *blocks, "</form>"])


def show_quiz(name: str) -> Any:
    """The quiz of a chapter, as the value of a notebook's cell."""
    from IPython.display import HTML

    return HTML(quiz_html(name))


def _row(name: str, number: int, place: int, choice: Choice) -> str:
    key = f"quiz-{name}-{number}-{place}"
    verdict, word = ("right", "Right.") if choice.right else ("wrong", "Not quite.")
    return (
        f'<div class="choice"><input type="radio" name="quiz-{name}-{number}" id="{key}" aria-label="{_plain(choice.text)}" '
        f'aria-describedby="{key}-says">'
        f'<label for="{key}">{_text(choice.text)}</label>'
        f'<p class="says {verdict}" id="{key}-says" role="status"><strong>{word}</strong> {_text(choice.says)}</p></div>'
    )


def _plain(text: str) -> str:
    """The same for a reader that speaks: formulas as they are written, without their marks."""
    return html.escape(re.sub(r"[`$\\{}]", "", text))


def _text(text: str) -> str:
    """Plain text with `code` and $formulas$ as HTML that MathJax sets."""
    escaped = html.escape(text, quote=False)
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return re.sub(r"\$([^$]+)\$", r'<span class="math notranslate nohighlight">\\(\1\\)</span>', escaped)


STYLE = """
.quiz fieldset { border: 1px solid #8888; border-radius: .4rem; margin: 0 0 1rem; padding: .6rem 1rem; min-width: 0; }
.quiz legend { float: left; font-size: 1rem; font-weight: 600; padding: 0; width: 100%; margin: 0 0 .3rem; }
.quiz legend + .choice { clear: both; }
.quiz .choice { display: grid; grid-template-columns: 1.6rem 1fr; align-items: start; margin: .15rem 0; }
.quiz input { width: 1.1rem; height: 1.1rem; margin: .55rem 0 0; }
.quiz label { padding: .35rem 0; min-height: 1.6rem; cursor: pointer; }
.quiz .says { display: none; grid-column: 2; margin: 0 0 .4rem; padding: .2rem .7rem; border-left: .3rem solid; }
.quiz .says.right { border-color: #1c8a55; }
.quiz .says.wrong { border-color: #d0532c; }
.quiz input:checked ~ .says { display: block; }
"""
"""Colours of text are the page's own, so that both themes can be read."""
