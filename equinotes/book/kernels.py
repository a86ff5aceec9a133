"""The kernel that notebooks run in: this very interpreter."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


@contextmanager
def kernel_manager(env: Mapping[str, str] | None = None) -> Iterator[type[AsyncKernelManager]]:
    """A kernel manager that starts this interpreter, not the kernel installed as `python3`; `env` adds to its environment."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        spec = KernelSpec(
            argv=[
                sys.executable,
                "-Xfrozen_modules=off",
                "-m",
                "ipykernel_launcher",
                "-f",
                "{connection_file}",
                "--log-level=CRITICAL",
            ],
            display_name="Python 3",
            language="python",
            env={
                "EQUINOTES_PROGRESS": terminal() or "0",  # bars go to the terminal, not into the executed notebook
                "IPYTHONDIR": folder,  # no start-up files of the user
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            }
            | dict(env or {}),
        )

        class ThisInterpreter(AsyncKernelManager):
            shutdown_wait_time = 1.0
            connection_file = str(Path(folder) / "kernel.json")
            if sys.platform != "win32":  # no TCP port open to other users
                transport = "ipc"

            @property
            def kernel_spec(self) -> KernelSpec:
                return spec

        yield ThisInterpreter


def terminal() -> str | None:
    """Path of the terminal that stderr writes to, or None."""
    try:
        return os.ttyname(sys.stderr.fileno())
    except (OSError, AttributeError, ValueError):
        return None
