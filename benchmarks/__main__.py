"""`python -m benchmarks [names] [--quick]`: measure, and write a table per benchmark (Parquet, Markdown) with its provenance."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from benchmarks import loading, pictures, sizes, starting, training
from equinotes import provenance
from equinotes.files import write_atomically, write_json

BENCHMARKS: dict[str, Callable[..., Iterable[pd.DataFrame]]] = {
    "training": training.run,
    "batch_size": sizes.run_batch,
    "dataset_size": sizes.run_dataset,
    "batches": loading.run,
    "phate": pictures.run,
    "starting": starting.run,
}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser("python -m benchmarks", description="Paired measurements against the peers.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="fewer cases and rounds; written to bench-out/ unless --out says otherwise"
    )
    parser.add_argument("--out", type=Path, help="folder for the tables (default: results/benchmarks)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of torch (default: all cores)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seconds", type=float, default=300.0, help="end the rounds of one case after about so long")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; known: {', '.join(BENCHMARKS)}")
    out = chosen.out or Path("bench-out" if chosen.quick else "results/benchmarks")
    out.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or BENCHMARKS:
        started = provenance.now()
        settings = {name: getattr(chosen, name) for name in ("quick", "threads", "device", "seconds")}
        parts: list[pd.DataFrame] = []
        for part in BENCHMARKS[name](**settings):
            parts.append(part)  # written after each case: what was measured stays when the rest is interrupted
            write(out, name, pd.concat(parts, ignore_index=True), {"started": started, **settings})


def write(out: Path, name: str, table: pd.DataFrame, settings: dict[str, object]) -> None:
    """NAME.parquet, NAME.md and NAME.json (versions, machine, threads, time)."""
    record = {
        **settings,
        **provenance.machine(str(settings["device"])),
        "threads": settings["threads"],
        "processor": processor(),
        "versions": provenance.versions() | {package: version(package) for package in PEERS},
        "commit": provenance.commit(),
        "load_average": os.getloadavg()[0],
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }
    write_atomically(out / f"{name}.parquet", lambda path: table.to_parquet(path, index=False))
    write_json(out / f"{name}.json", record)
    text = f"# {name}\n\n{table.to_markdown(index=False, floatfmt='.4g')}\n\n```json\n{json.dumps(record, indent=1)}\n```\n"
    write_atomically(out / f"{name}.md", lambda path: path.write_text(text, encoding="utf-8"))
    print(f"\n{table.T.to_string(header=False)}\n\nwritten to {out / name}.parquet, .md and .json")


PEERS = ("cuequivariance-torch", "torch-geometric", "phate")


def version(package: str) -> str:
    """Installed version of a package."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed(package)
    except PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
