"""A folder of memory-mapped arrays that is either complete and verified, or absent.

The folder is written under a temporary name and renamed. A manifest holds the size and CRC-32 of every file; all are checked when
a process first opens the folder, and again once a file has changed (tens of milliseconds for QM9), so that no network is trained
on a damaged cache.
"""

import contextlib
import errno
import io
import json
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MANIFEST = "manifest.json"
SETTLED = 2 * 10**9
"""Age [ns] from which on a file cannot change without a new time stamp: file systems round these, some to two seconds."""
_right: dict[Path, tuple[int, ...]] = {}
"""Files that had their checksum when this process read them, and their state then."""


class CacheProblem(Exception):
    """Why a cache cannot be used as it is: missing, half-written, damaged or outdated."""


def default_folder() -> Path:
    """`EQUINOTES_CACHE` if set, otherwise the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("EQUINOTES_CACHE") or platformdirs.user_cache_dir("equinotes", appauthor=False))


def open_arrays(place: Path, header: Mapping[str, Any], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Memory-map the named arrays of a cache folder, read-only.

    Raises CacheProblem if the folder is missing, damaged, or was written for another `header`.
    """
    try:
        manifest = json.loads((place / MANIFEST).read_bytes())
        if manifest["header"] != json.loads(json.dumps(header)):
            raise CacheProblem("outdated")
        checks = {name: manifest["files"][name] for name in names}
    except FileNotFoundError:
        raise CacheProblem("missing" if not place.exists() else "half-written") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CacheProblem(f"damaged: {MANIFEST} ({error!r})") from None
    return {name: _open_array(place / f"{name}.npy", check) for name, check in checks.items()}


def _open_array(path: Path, check: Mapping[str, int]) -> np.ndarray:
    try:
        if _is_right(path, check):
            return np.load(path, mmap_mode="r").view(np.ndarray)  # a plain view: slicing a memmap object is slower
    except (OSError, ValueError) as error:
        raise CacheProblem(f"damaged: {path.name} ({error})") from None
    raise CacheProblem(f"damaged: {path.name} does not have its checksum")


def _is_right(path: Path, check: Mapping[str, int]) -> bool:
    """Whether a file has its checksum; read only where the file is new to this process or has changed."""
    stat = path.stat()
    state = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, *check.values())
    if _right.get(path) == state:
        return True
    if _check(np.memmap(path, np.uint8, mode="r").data) != check:
        return False
    if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > SETTLED:
        _right[path] = state
    return True


def write_arrays(place: Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a cache folder under a temporary name and rename it; call it while holding `only_writer`.

    Raises OSError (full disk, folder not writable) after removing partial output.
    """
    folder = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    with _said_plainly(place):
        try:
            folder.mkdir()
            files = {name: _write_array(folder / f"{name}.npy", array) for name, array in arrays.items()}
            _write(folder / MANIFEST, json.dumps({"header": header, "files": files}, indent=1).encode())
            _replace(place, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _write_array(path: Path, array: np.ndarray) -> dict[str, int]:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    _write(path, content.getbuffer())  # np.save to the file itself hides the cause of disk errors
    return _check(content.getbuffer())


def _write(path: Path, content: bytes | memoryview) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check(content: memoryview) -> dict[str, int]:
    return {"bytes": content.nbytes, "crc32": zlib.crc32(content)}


def _replace(place: Path, folder: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    try:
        os.rename(folder, place)
    except OSError:
        if not place.is_dir():  # without folder locks, another process may have put the same arrays there first
            raise


@contextlib.contextmanager
def only_writer(place: Path) -> Iterator[None]:
    """Hold an exclusive lock for writing `place`; others wait. The system releases it if the process dies; no lock file is left.

    Removes what killed writers left behind. Raises OSError if the parent folder cannot be created or written.
    """
    with _said_plainly(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(place.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    try:
        import fcntl
    except ImportError:  # Windows: two processes may pack at once, each renaming a complete folder
        yield
        return
    handle = os.open(place.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
            for left_over in place.parent.glob(f".{place.name}-*"):
                shutil.rmtree(left_over, ignore_errors=True)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _said_plainly(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise OSError(f"cannot write the cache {place}: {why}; make room, or let EQUINOTES_CACHE name another folder") from error
