"""`python -m benchmarks.beside CHECKOUT`: training steps, imports and help of this tree beside those of another checkout.

Both do the same work in processes of their own, in alternating order; what counts is CPU time, and of each the least over the
turns, so that other work on the machine plays little part. Ends with code 1 where steps are more than 5 % slower.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pandas as pd

HERE = Path(__file__).parent.parent
CASES = [((0, 1, 2), 32), ((0, 1, 2, 3, 4), 16)]
BATCH_SIZES = (16, 32)
SLOWER = 1.05
"""Ratio of CPU times that counts as slower."""

STEPS = """
import sys, time
import numpy as np, torch
from equinotes import RunConfig, build_network, load_qm9
torch.set_num_threads(1)
ls, mul, size, repeat = eval(sys.argv[1])
qm9, draw = load_qm9(progress=False), np.random.default_rng(0)
net = build_network(RunConfig(ls=ls, mul=mul, batch_size=size))
batch = qm9.batch(draw.choice(len(qm9), size, replace=False))
target = torch.from_numpy(draw.normal(size=size)).float()
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
def step():
    optimizer.zero_grad()
    (net.normalised(batch) - target).square().mean().backward()
    optimizer.step()
for _ in range(3):
    step()
print("ready", flush=True)
for _ in sys.stdin:
    start = time.process_time()
    for _ in range(repeat):
        step()
    print((time.process_time() - start) / repeat, flush=True)
"""
"""What a process does: whole steps on one batch, `repeat` of them for each line that it reads."""

STARTS = {
    "import equinotes": "import equinotes",
    "what training needs": "from equinotes import RunConfig, build_network, load_qm9, train",
    "equinotes --help": "import sys; sys.argv = ['equinotes', '--help']\n"
    "from importlib import import_module\n"
    "try:\n    main = import_module('equinotes.cli.main').main\n"
    "except ModuleNotFoundError:\n    main = import_module('equinotes.cli').main\n"  # before the rooms
    "main()",
}


def environment(checkout: Path) -> dict[str, str]:
    """Of a process that imports this checkout, with one thread."""
    return os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}


class Stepping:
    """A process that does steps of one checkout."""

    def __init__(self, checkout: Path, case: tuple[tuple[int, ...], int], size: int, repeat: int) -> None:
        command = [sys.executable, "-c", STEPS, repr((*case, size, repeat))]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environment(checkout), cwd=checkout, text=True, **pipes)  # type: ignore[call-overload]
        self._read()

    def turn(self) -> float:
        """CPU seconds of a step."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._read())

    def _read(self) -> str:
        line: str = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"steps ended with code {self.process.wait()}")
        return line

    def __enter__(self) -> "Stepping":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.communicate()


def start_seconds(checkout: Path, code: str) -> float:
    """CPU seconds of a fresh process that runs this."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], env=environment(checkout), cwd=checkout, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def compared(other: Path, rounds: int, repeat: int) -> Iterator[tuple[str, float, float]]:
    """What is measured, and the least CPU seconds of this tree and of the other."""
    for case in CASES:
        for size in BATCH_SIZES:
            with Stepping(HERE, case, size, repeat) as own, Stepping(other, case, size, repeat) as theirs:
                least = alternating(own.turn, theirs.turn, rounds)
            yield f"step, ls={case[0]}, mul={case[1]}, {size} molecules", *least
    for what, code in STARTS.items():
        yield (
            what,
            *alternating(lambda code=code: start_seconds(HERE, code), lambda code=code: start_seconds(other, code), rounds),
        )


def alternating(first, second, rounds: int) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Least values of two functions that are called in the order ABBA ABBA ..."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            found[place].append((first, second)[place]())
    return min(found[0]), min(found[1])


def main() -> int:
    """Print the table; 1 where a step is slower."""
    parser = argparse.ArgumentParser("python -m benchmarks.beside", description=__doc__.split("\n")[0])
    parser.add_argument("checkout", type=Path, help="folder of the other checkout, for example a git worktree")
    parser.add_argument("--rounds", type=int, default=8, help="turns of each")
    parser.add_argument("--repeat", type=int, default=5, help="steps in a turn")
    chosen = parser.parse_args()
    rows = []
    for what, own, theirs in compared(chosen.checkout.resolve(), chosen.rounds, chosen.repeat):
        rows.append({"what": what, "own_ms": 1e3 * own, "other_ms": 1e3 * theirs, "ratio": own / theirs})
        print(
            f"{what}: {rows[-1]['own_ms']:.1f} ms, other {rows[-1]['other_ms']:.1f} ms, ratio {rows[-1]['ratio']:.3f}", flush=True
        )
    table = pd.DataFrame(rows)
    return int((table.loc[table["what"].str.startswith("step"), "ratio"] > SLOWER).any())


if __name__ == "__main__":
    sys.exit(main())
