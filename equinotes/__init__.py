"""equinotes: what equivariant neural networks really learn from molecules.

Importing the package loads nothing heavy; each public name loads its module when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "RunConfig": "config",
    "load_qm9": "data.qm9",
    "QM9": "data.qm9",
    "Batch": "data.batches",
    "Split": "data.batches",
    "draw_split": "data.batches",
    "from_pyg": "data.batches",
    "build_network": "networks",
    "train": "training.loop",
    "sweep": "sweeps.sweep",
    "Run": "runs.store",
    "load_run": "runs.store",
    "list_runs": "runs.store",
    "embed": "analysis.features",
    "diagnose": "analysis.diagnose",
    "split_irreps": "irreps",
    "invariants": "irreps",
    "phate_by_irrep": "analysis.manifold",
    "nsps": "analysis.complexity",
}

__all__ = [*_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
