"""What all tests share."""

import ast
import gc
import importlib.util
import os
import signal
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # tests run side by side: one thread each, and for the processes that they start
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from e3nn.math import _normalize_activation
from hypothesis import HealthCheck, settings

from equinotes.data.qm9 import QM9, load_qm9

# no test may fail because the machine is busy
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# e3nn integrates an activation over the same million random numbers for each layer of each network
_normalize_activation.moment = cache(_normalize_activation.moment)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what it runs in the background deaf to Ctrl-C, and children inherit that; some tests press it
    signal.signal(signal.SIGINT, signal.default_int_handler)


SLOWEST = (
    "book/test_tutorial.py",
    "audit/test_result_pages.py",
    "sweeps/test_sweeps.py",
    "book/test_notebooks.py",
    "training/test_training.py",
    "exercises/test_grading.py",
    "audit/test_store.py",
    "audit/test_networks_runs.py",
    "cli/test_bad_input.py",
)
"""Files that take longest: handed out first, so that none of them is left for one worker at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def pytest_collection_finish() -> None:
    """What is loaded by now stays loaded: the garbage collector need not search it again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def qm9() -> QM9:
    """All of QM9, from the cache folder of this user (packed there on first use)."""
    return load_qm9(progress=False)


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """The module that makes up stored tables of the audit."""
    path = Path(__file__).parent / "audit_tables.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def picture_samples() -> ModuleType:
    """The module that makes one picture of each kind that answers to its reader."""
    path = Path(__file__).parent / "picture_samples.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stored(made_up, tmp_path_factory) -> Path:
    """An audit that has run in full under the reduced protocol."""
    return made_up.write_tables(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="session")
def shown() -> Callable[..., str]:
    """A function that runs the cells of a page in this process and returns all Markdown that they show and, if wanted, the text
    between them. A kernel, which takes seconds to start, is left to the tests of notebooks.
    """
    import matplotlib.pyplot as plt

    from equinotes.book.parameters import read_notebook

    def show(page: Path, *, tables: dict | None = None, text: bool = False, **parameters: object) -> str:
        """`tables` stand in for what the page assigns to `tables`; `parameters` for its own."""
        space, texts, drawn = {}, [], plt.show
        plt.show = lambda: None
        try:
            for cell in read_notebook(page).cells:
                if cell.cell_type != "code":
                    texts += [cell.source] * text
                    continue
                *before, last = ast.parse(cell.source).body
                for part in (*before, *([] if isinstance(last, ast.Expr) else [last])):
                    exec(compile(ast.Module([part], []), page.name, "exec"), space)
                    if tables is not None and ast.unparse(part).startswith("tables ="):
                        space["tables"] = tables
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), page.name, "eval"), space)
                    texts += [found] if isinstance(found := getattr(value, "data", None), str) else []
                if "parameters" in cell.metadata.get("tags", []):
                    space |= parameters
        finally:
            plt.show = drawn
            plt.close("all")
        return "\n".join(texts)

    return show


@pytest.fixture
def float64():
    """Everything made during the test, e3nn's constants included, is float64."""
    torch.set_default_dtype(torch.float64)
    yield torch.float64
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def staged() -> type:
    """The class of a made-up module with the stages of SevenNet."""
    path = Path(__file__).parent / "staged_module.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Staged


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets how many threads torch has, until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
