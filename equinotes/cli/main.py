"""The `equinotes` command: runs a subcommand and prints errors in one line. Imports are delayed, so that help is fast."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Sequence
from inspect import getdoc
from typing import Any

from equinotes.support.errors import UserError, unknown

USAGE_ERROR, INTERRUPTED = 2, 130

COMMANDS = {
    "data": "pack QM9 on first use, and show what is in it",
    "train": "train one network, or continue where its run was cut off",
    "sweep": "train every combination of the values given, here or on a Dask cluster",
    "run": "run a notebook with your own parameters",
    "book": "execute the notebooks that changed and build the site",
    "results": "list the stored runs, compare two sets of orders, write tables",
    "audit": "rerun the audit of the paper's claims: runs, diagnostics, tables, verdicts",
    "bases": "compare bases on QM9: errors, costs, what turns and what is confused",
    "grade": "check the exercises that a class has handed in, and print a table",
}
"""The subcommands; each is the class of that name in `equinotes.cli.commands`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit code is 0, 1 (some runs failed), 2 (an error in one line) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if not words or words[0] in ("-h", "--help"):
            print(_overview())
            return 0
        if words[0] == "--version":
            from importlib.metadata import version

            print(f"equinotes {version('equinotes')}")
            return 0
        if words[0] not in COMMANDS:
            raise UserError(unknown("command", words[0], COMMANDS))
        code = _run(words[0], words[1:])
        sys.stdout.flush()  # here, where a closed pipe is handled
        return code
    except KeyboardInterrupt:
        print("\nstopped; nothing is lost: the same command continues", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes the rest at exit
        return 0
    except (UserError, OSError) as error:  # any other error is a bug and shows its traceback
        print(f"equinotes: {_text(error)}", file=sys.stderr)
        return USAGE_ERROR


def _text(error: UserError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:  # without the number
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def _overview() -> str:
    return "\n".join(
        [
            "usage: equinotes COMMAND [OPTIONS]      (equinotes COMMAND --help says more)",
            "",
            "What equivariant neural networks really learn from molecules.",
            "",
            *(f"  {name:8} {does}" for name, does in COMMANDS.items()),
            "",
            "To start: equinotes train --preset smoke",
            "          equinotes run 01 -p lmax=3",
            "          equinotes book",
        ]
    )


def _run(name: str, words: list[str]) -> int:
    from equinotes.cli import commands

    command = getattr(commands, name.capitalize())
    if name == "run" and words and not words[0].startswith("-") and {"-h", "--help"} & set(words):
        words = [words[0], "--list"]  # help on a notebook lists its parameters
    return _parse(name, command, words, commands.start_of(command, words)).run()


def _parse(name: str, command: type, words: list[str], default: Any) -> Any:
    """The command with its flags parsed; an error of tyro becomes a UserError in one line."""
    import tyro

    said = io.StringIO()
    more = {} if default is None else {"default": default}
    style = (tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff)
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(command, args=words, prog=f"equinotes {name}", description=getdoc(command), config=style, **more)
    except SystemExit as end:
        if not end.code:
            raise
    raise UserError(f"{_one_line(said.getvalue())}; see equinotes {name} --help")


NEEDED = {"INT": "a whole number is needed", "FLOAT": "a number is needed"}


def _one_line(box: str) -> str:
    """The text in a box drawn by tyro, up to its first rule, with the nearest flag if it names one."""
    rows = [row.strip("│ ") for row in box.splitlines()]
    rows = [row for row in rows if row and not row.startswith(("╭", "╰"))]
    rules = [place for place, row in enumerate(rows) if set(row) <= {"─", "-"}]
    if "╭" not in box and rules[:1] == [1]:  # without a box, the title is a row with a rule below it
        rows, rules = rows[2:], [place - 2 for place in rules[1:]]
    rule = rules[0] if rules else len(rows)
    text = " ".join(rows[:rule]) or "the arguments could not be parsed"
    text = re.sub(r"invalid literal for int\(\) with base 10:", f"{NEEDED['INT']}, got", text)
    text = re.sub(r"could not convert string to float:", f"{NEEDED['FLOAT']}, got", text)
    if given := re.match(r"Error parsing (\S+): (?:no type matching|Could not find valid parse).*?\[(.*?)\]", text):
        kind = re.search(rf"{given[1]} (?:\{{None\}}\|)?(INT|FLOAT)\b", " ".join(rows[rule + 1 :]))
        text = f"{given[1]} does not take {given[2]}" + (f": {NEEDED[kind[1]]}" if kind else "")
    text = text[0].lower() + text[1:].rstrip(".")
    near = re.search(r"Perhaps you meant:\s*(--[\w-]+)", " ".join(rows[rule + 1 :]))
    return f"{text}; did you mean {near[1]}?" if near else text
