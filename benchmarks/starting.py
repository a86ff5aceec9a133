"""How long it takes until something happens: importing the package, `equinotes --help`, opening the packed data."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pandas as pd

from benchmarks.rounds import take_turns

COMMANDS = {
    "python starts": "pass",
    "import equinotes": "import equinotes",
    "equinotes --help": "import sys; sys.argv = ['equinotes', '--help']; from equinotes.cli.main import main; main()",
    "load_qm9()": "import equinotes; equinotes.load_qm9(progress=False)",
}


def run(*, quick: bool, threads: int, device: str, seconds: float) -> Iterator[pd.DataFrame]:
    """Seconds of each, in a fresh process; what Python itself needs to start is in all of them."""

    def turn(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return time.perf_counter() - start

    turns = [lambda number, code=code: turn(code) for code in COMMANDS.values()]
    for first in turns:
        first(0)
    timings = take_turns(turns, rounds=3 if quick else 10, seconds=seconds, desc="starting")
    rows = [(what, *timing.spread()) for what, timing in zip(COMMANDS, timings, strict=True)]
    yield pd.DataFrame(rows, columns=["what", "median_s", "quartile1_s", "quartile3_s"])
