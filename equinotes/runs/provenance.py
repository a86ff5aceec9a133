"""Where numbers come from: versions, commit, machine."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

NUMERICS = 1
"""Version of the numerics: raised by a change of the code that changes a run's numbers by more than rounding. A run without one
is of version 1."""

LIBRARIES = ("torch", "e3nn", "numpy", "pandas")


def commit() -> str | None:
    """Commit of the package's source, with `+changes` where the tree differs from it.

    Outside a checkout it is what the environment variable EQUINOTES_COMMIT says, or None.
    """
    source = Path(__file__).parents[1]

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=source, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("EQUINOTES_COMMIT")


def now() -> str:
    """This moment in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of the package, of Python and of the libraries that decide a run's numbers."""
    libraries = {name: _version(name) for name in LIBRARIES}
    return {"equinotes": _version("equinotes"), "python": platform.python_version(), **libraries}


_version = cache(version)


def machine(device: str) -> dict[str, str | int]:
    """The device by name, its processor, and the threads that compute."""
    import torch

    from equinotes.support.cores import num_cores

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor() or platform.machine()
    return {"device": device, "device_name": name, "threads": num_cores(), "cores": os.cpu_count() or 1}
