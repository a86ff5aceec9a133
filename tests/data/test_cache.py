"""A cache is whole and right, or it is packed again; nobody ever sees half of one.

A few dozen molecules stand in for QM9: the first lines of its own files.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from equinotes.data import cache, packing
from equinotes.data.qm9 import load_qm9
from equinotes.data.source import PROPERTY_FILES, TENSOR_FILE, find_files

PACKS_A_FEW = """
import os, signal, sys, time
from pathlib import Path
from equinotes.data import cache, packing
from equinotes.data.qm9 import load_qm9

source, place = Path(sys.argv[1]), Path(sys.argv[2])

def find_files():
    with open(source / "packed.log", "a") as log:
        log.write("packed\\n")
    time.sleep(0.3)
    return {path.name: path for path in source.glob("*.csv")}

packing.find_files = find_files
"""


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """A folder with the first lines of QM9's files: 30 molecules."""
    folder = tmp_path_factory.mktemp("few")
    tensors = {}
    for name, path in find_files().items():
        with path.open() as file:
            if name == TENSOR_FILE:
                tensors = {line.split(",")[0]: line for line in file}
            else:
                (folder / name).write_text("".join(next(file) for _ in range(11)))
    kept = [line.split(",")[0] for name in PROPERTY_FILES for line in (folder / name).read_text().splitlines()[1:]]
    (folder / TENSOR_FILE).write_text("".join([next(iter(tensors.values())), *(tensors[name] for name in kept)]))
    return folder


@pytest.fixture
def packs_few(few, monkeypatch):
    """`load_qm9` packs the few molecules; says how often it did."""
    times = []
    files = {path.name: path for path in few.glob("*.csv")}
    monkeypatch.setattr(packing, "find_files", lambda: times.append(1) or files)
    return times


def load(folder: Path):
    return load_qm9(folder, progress=False)


def run(few: Path, place: Path, more: str = "", **options) -> subprocess.Popen:
    command = [sys.executable, "-c", PACKS_A_FEW + more + "\nprint(len(load_qm9(place, progress=False)))", str(few), str(place)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def assert_same(a, b):
    for name in ("index", "atom_ptr", "pos", "z", "charge", "bond_ptr", "bonds"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert list(a.smiles) == list(b.smiles)
    for name, values in a.targets.items():
        np.testing.assert_array_equal(values, b.targets[name])


def test_packed_once_and_read_back_the_same(packs_few, tmp_path, qm9, capsys):
    first, second = load(tmp_path), load(tmp_path)
    assert len(packs_few) == 1
    assert_same(first, second)
    whole = qm9.rows(first.index)  # the same molecules in the cache of all of QM9
    np.testing.assert_array_equal(first.targets["alpha_anisotropy"], qm9.targets["alpha_anisotropy"][whole])
    assert first.smiles[:] == qm9.smiles[whole]
    assert [path.name for path in tmp_path.iterdir()] == ["qm9"]
    assert capsys.readouterr().err == ""


def overwrite(name: str, position: int, content: bytes):
    def damage(place: Path) -> None:
        with open(place / name, "r+b") as file:
            file.seek(position)
            file.write(content)

    return damage


def truncate(name: str, size: int):
    return lambda place: os.truncate(place / name, size)


def change_manifest(change):
    def damage(place: Path) -> None:
        path = place / "manifest.json"
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps(change(manifest) or manifest))

    return damage


def replace_by_file(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    place.write_text("no folder")


DAMAGES = {
    "one byte of an array": ("damaged", overwrite("pos.npy", 500, b"\x7f")),
    "type in an array's header": ("damaged", overwrite("pos.npy", 20, b"'<i4'")),
    "array cut short": ("damaged", truncate("z.npy", 200)),
    "array empty": ("damaged", truncate("targets.npy", 0)),
    "array missing": ("damaged", lambda place: (place / "bonds.npy").unlink()),
    "manifest missing": ("half-written", lambda place: (place / "manifest.json").unlink()),
    "manifest cut short": ("damaged", truncate("manifest.json", 100)),
    "manifest not UTF-8": ("damaged", overwrite("manifest.json", 0, b"\xff\xfe")),
    "manifest a list": ("damaged", change_manifest(lambda manifest: [manifest])),
    "manifest forgets an array": ("damaged", change_manifest(lambda manifest: manifest["files"].pop("z") and None)),
    "older layout": ("outdated", change_manifest(lambda manifest: manifest["header"].update(layout=0))),
    "other targets": ("outdated", change_manifest(lambda manifest: manifest["header"]["targets"].pop("gap") and None)),
    "a file in its place": ("damaged", replace_by_file),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_or_outdated_is_packed_again_with_one_line(damage, packs_few, tmp_path, capsys):
    kind, apply = DAMAGES[damage]
    before = load(tmp_path / "right")
    load(tmp_path / "wrong")
    apply(tmp_path / "wrong" / "qm9")
    assert_same(load(tmp_path / "wrong"), before)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"is {kind}" in said and "packing it again" in said
    assert_same(load(tmp_path / "wrong"), before)
    assert len(packs_few) == 3 and capsys.readouterr().err == ""
    assert [path.name for path in (tmp_path / "wrong").iterdir()] == ["qm9"]


def test_every_byte_of_every_file_is_checked(packs_few, tmp_path):
    place = tmp_path / "qm9"
    load(tmp_path)
    for count, path in enumerate(sorted(place.glob("*.npy")), start=1):
        last = path.stat().st_size - 1
        overwrite(path.name, last, bytes([path.read_bytes()[last] ^ 1]))(place)
        load(tmp_path)
        assert len(packs_few) == 1 + count, path.name


def test_several_processes_at_once_pack_once(few, tmp_path):
    (few / "packed.log").unlink(missing_ok=True)
    running = [run(few, tmp_path) for _ in range(4)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out, err) == (0, "30\n", "")
    assert (few / "packed.log").read_text() == "packed\n"
    assert [path.name for path in tmp_path.iterdir()] == ["qm9"]


def test_killed_while_writing_leaves_no_cache_and_the_next_one_cleans_up(few, packs_few, tmp_path):
    killed = run(few, tmp_path, "cache.os.rename = lambda *names: os.kill(os.getpid(), signal.SIGKILL)")
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".qm9-") and (left / "manifest.json").exists()
    assert len(load(tmp_path)) == 30
    assert [path.name for path in tmp_path.iterdir()] == ["qm9"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file size are Unix's")
@pytest.mark.parametrize("earlier", ["nothing", "outdated"])
def test_a_full_disk_is_said_in_one_line_and_leaves_nothing_behind(few, packs_few, tmp_path, earlier):
    if earlier == "outdated":
        load(tmp_path)
        DAMAGES["older layout"][1](tmp_path / "qm9")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    process = run(few, tmp_path, limit)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    said = err.strip().splitlines()[-1]
    assert said.startswith("OSError: cannot write the cache") and "File too large" in said and "EQUINOTES_CACHE" in said
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_said_in_one_line(packs_few, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match=r"cannot write the cache .*qm9: Not a directory; make room, or let EQUINOTES_CACHE"):
        load(tmp_path / "file" / "below")
    assert not packs_few  # found out before the work, not after it


def test_a_folder_that_may_not_be_written_is_said_before_the_work(packs_few, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root, who may write everywhere
    with pytest.raises(OSError, match=r"cannot write the cache .*qm9: Permission denied"):
        load(tmp_path)
    assert not packs_few and list(tmp_path.iterdir()) == []


def test_where_folders_cannot_be_locked_the_first_to_finish_wins(packs_few, tmp_path, monkeypatch):
    """As on some network folders: while this process writes, another one puts its cache in place."""
    import fcntl

    def no_locks(*arguments):
        raise OSError("no locks")

    def too_late(folder: Path, place: Path) -> None:
        monkeypatch.setattr(os, "rename", rename)
        load(tmp_path)
        rename(folder, place)

    rename = os.rename
    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr(os, "rename", too_late)
    assert len(load(tmp_path)) == 30 and len(packs_few) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["qm9"]


def test_interrupted_while_packing_leaves_nothing_behind(packs_few, tmp_path, monkeypatch):
    def interrupt(block):
        raise KeyboardInterrupt

    monkeypatch.setattr(packing, "pack_block", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_named_by_the_environment(packs_few, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUINOTES_CACHE", str(tmp_path / "elsewhere"))
    assert len(load_qm9(progress=False)) == 30
    assert (tmp_path / "elsewhere" / "qm9" / "manifest.json").exists()


def test_packing_shows_a_progress_bar(packs_few, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EQUINOTES_PROGRESS", "1")
    load_qm9(tmp_path, progress=True)
    assert "packing QM9" in capsys.readouterr().err


def test_a_file_that_has_not_changed_is_read_once_in_a_process(packs_few, tmp_path, monkeypatch):
    """And one that changes later is read again, however old it was."""
    load(tmp_path)
    place, long_ago = tmp_path / "qm9", time.time_ns() - 10**12
    monkeypatch.setattr(cache, "SETTLED", 0)
    read, check = [], cache._check
    monkeypatch.setattr(cache, "_check", lambda content: read.append(content) or check(content))
    for path in place.glob("*.npy"):
        os.utime(path, ns=(long_ago, long_ago))
    load(tmp_path)
    assert len(read) == len(list(place.glob("*.npy")))
    load(tmp_path)
    assert len(read) == len(list(place.glob("*.npy")))
    overwrite("pos.npy", 500, b"\x7f")(place)
    os.utime(place / "pos.npy", ns=(long_ago, long_ago))
    load(tmp_path)
    assert len(packs_few) == 2
