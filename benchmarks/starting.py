"""How long it takes until something happens: importing the package, `equinotes --help`, opening the packed data."""

import subprocess
import sys
from collections.abc import Iterator

import pandas as pd

from benchmarks.rounds import take_turns

COMMANDS = {
    "python starts": "pass",
    "import equinotes": "import equinotes",
    "equinotes --help": "import sys; sys.argv = ['equinotes', '--help']; from equinotes.cli import main; main()",
    "load_qm9()": "import equinotes; equinotes.load_qm9(progress=False)",
}

TIMED = """
import time
start = time.perf_counter()
try:
    exec({code!r})
except SystemExit:
    pass
print(time.perf_counter() - start)
"""


def run(*, quick: bool, threads: int, device: str, seconds: float) -> Iterator[pd.DataFrame]:
    """Seconds of each, in a fresh process; what Python itself needs to start is in all of them."""

    def turn(code: str) -> float:
        done = subprocess.run([sys.executable, "-c", TIMED.format(code=code)], capture_output=True, text=True, check=True)
        return float(done.stdout.split()[-1])

    turns = [lambda number, code=code: turn(code) for code in COMMANDS.values()]
    for first in turns:
        first(0)
    timings = take_turns(turns, rounds=3 if quick else 10, seconds=seconds, desc="starting")
    yield pd.DataFrame(
        {
            "what": what,
            "median_s": timing.quantile(0.5),
            "quartile1_s": timing.quantile(0.25),
            "quartile3_s": timing.quantile(0.75),
        }
        for what, timing in zip(COMMANDS, timings, strict=True)
    )
