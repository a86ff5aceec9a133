"""Write the package's small data: `python -m equinotes.exercises.make_small` (trains two networks, minutes on two cores)."""

import json
from pathlib import Path

import numpy as np

from equinotes.config import RunConfig
from equinotes.data.qm9 import QM9, load_qm9
from equinotes.exercises.small import DATA, MOLECULES
from equinotes.support.files import write_atomically
from equinotes.training.checkpoints import save_file
from equinotes.training.loop import train

COUNT = 400
SETS = ((0, 1, 2), (0, 1, 2, 3))


def cut_out(qm9: QM9, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Packed arrays of some rows only, in the form that `QM9.from_arrays` takes."""
    atoms, bonds = qm9.atoms_of(rows)[1], qm9.bonds_of(rows)[1]
    texts = [qm9.smiles[row].encode() for row in rows.tolist()]
    return {
        "index": qm9.index[rows],
        "atom_ptr": _bounds(np.diff(qm9.atom_ptr)[rows]),
        "pos": qm9.pos[atoms],
        "z": qm9.z[atoms],
        "charge": qm9.charge[atoms],
        "bond_ptr": _bounds(np.diff(qm9.bond_ptr)[rows]),
        "bonds": qm9.bonds[bonds],
        "targets": np.stack([values[rows] for values in qm9.targets.values()]),
        "smiles": np.frombuffer(b"".join(texts), dtype=np.uint8),
        "smiles_ptr": _bounds(np.array([len(text) for text in texts])),
    }


def make(folder: Path = DATA, runs_dir: str = "runs") -> None:
    """Train the networks, then write them and molecules of their common test set."""
    folder.mkdir(exist_ok=True)
    for ls in SETS:
        config = RunConfig.preset("quick", ls=ls, mul=8)
        run = train(config, runs_dir=runs_dir)
        record = {"config": json.dumps(config.to_dict()), "test_mae_eV": f"{run.errors['mae_eV']:.4f}"}
        save_file(run.network().state_dict(), folder / f"network-{'-'.join(map(str, ls))}.safetensors", record)
        rows = np.sort(run.split.test[:COUNT])
    arrays = cut_out(load_qm9(), rows)
    write_atomically(folder / MOLECULES.name, lambda beside: _write(beside, arrays))


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _bounds(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


if __name__ == "__main__":
    make()
