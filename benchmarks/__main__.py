"""`python -m benchmarks [names] [--quick]`: measure, and write a table per benchmark (Parquet, Markdown) with its provenance."""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from benchmarks import loading, networks, pictures, positions, sizes, starting, training
from equinotes.runs import provenance
from equinotes.support.files import write_atomically, write_json

BENCHMARKS: dict[str, Callable[..., Iterable[pd.DataFrame]]] = {
    "training": training.run,
    "positions": positions.run,
    "networks": networks.run,
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
    parser.add_argument("--threads", type=int, default=cores(), help="threads of torch (default: all cores)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seconds", type=float, default=300.0, help="end the rounds of one case after about so long")
    parser.add_argument("--orders", metavar="ORDERS", help="only this set of orders, for example 0-8; other sets keep their rows")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; known: {', '.join(BENCHMARKS)}")
    settings = {name: getattr(chosen, name) for name in ("quick", "threads", "device", "seconds")}
    if chosen.orders is not None:
        if chosen.names != ["training"]:
            parser.error("--orders goes with training alone")
        try:
            settings["cases"] = training.cases_of(chosen.orders)
        except ValueError as error:
            parser.error(str(error))
    out = chosen.out or Path("bench-out" if chosen.quick else "results/benchmarks")
    out.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or BENCHMARKS:
        started = provenance.now()
        parts: list[pd.DataFrame] = []
        for part in BENCHMARKS[name](**settings):
            parts.append(part.assign(started=started))  # written after each case: what was measured stays if the rest is not
            write(out, name, parts, settings | {"started": started}, whole=False)
        if chosen.orders is None:
            write(out, name, parts, settings | {"started": started}, whole=True)
        print(f"written to {out / name}.parquet, .md and .json")


def write(out: Path, name: str, parts: list[pd.DataFrame], settings: dict[str, object], *, whole: bool) -> None:
    """NAME.parquet, NAME.md and NAME.json, a list of records (versions, machine, threads, time) that rows name by `started`.

    Unless this is a `whole` table, cases (the first column) that were not measured now stay as they are stored.
    """
    device = str(settings["device"])
    record = {
        **{key: value for key, value in settings.items() if key != "cases"},
        **provenance.machine(device),
        "threads": settings["threads"],
        "processor": processor(),
        "versions": provenance.versions() | {package: version(package) for package in PEERS},
        "commit": provenance.commit(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan,
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }
    table, records = pd.concat(parts, ignore_index=True), [record]
    paths = {suffix: out / f"{name}.{suffix}" for suffix in ("parquet", "json", "md")}
    if not whole and paths["parquet"].exists():
        old, case = pd.read_parquet(paths["parquet"]), table.columns[0]
        kept = old[~old[case].isin(table[case])]
        table = pd.concat([kept, table], ignore_index=True) if len(kept) else table
        records = [r for r in json.loads(paths["json"].read_text()) if r["started"] in set(kept["started"])] + records
    write_atomically(paths["parquet"], lambda path: table.to_parquet(path, index=False))
    write_json(paths["json"], records)
    text = f"# {name}\n\n{table.to_markdown(index=False, floatfmt='.4g')}\n\n```json\n{json.dumps(records, indent=1)}\n```\n"
    write_atomically(paths["md"], lambda path: path.write_text(text, encoding="utf-8"))
    print(f"\n{parts[-1].T.to_string(header=False)}\n")


def cores() -> int:
    """Cores that this process may use, where the system tells; otherwise all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
