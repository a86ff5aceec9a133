"""What holds the repository together: one set of versions, imports that point one way, nothing large or generated under git."""

import ast
import importlib.metadata as metadata
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BY_TORCH = re.compile(r"nvidia-.*|cuda-.*|triton")
"""What builds of torch for CUDA bring along, pinned by torch itself."""


def wanted() -> list[Requirement]:
    names = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"], *PROJECT["build-system"]["requires"]]
    return [Requirement(name) for name in names]


@cache
def locked() -> dict[str, Requirement]:
    """Lines of the lock that hold for this Python, by name."""
    lines = [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]
    return {canonicalize_name(line.name): line for line in lines if line.marker is None or line.marker.evaluate()}


@cache
def locked_version(name: str) -> Version:
    return Version(str(locked()[canonicalize_name(name)].specifier).removeprefix("=="))


def test_lock_pins_every_line_to_one_version():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    unpinned = [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+( ; .+)?", line)]
    assert unpinned == []


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_lock_satisfies_what_the_project_asks_for(requirement):
    assert requirement.specifier.contains(locked_version(requirement.name), prereleases=True)


def test_lock_holds_all_that_the_installed_packages_need_and_nothing_else():
    seen, todo = set(), [(requirement.name, extra) for requirement in wanted() for extra in [*requirement.extras, ""]]
    installed = {canonicalize_name(found.name): found for found in reversed([*metadata.distributions()])}  # the first one counts
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen or BY_TORCH.fullmatch(name):
            continue
        seen.add((name, extra))
        there = installed.get(canonicalize_name(name))
        assert there and Version(there.version).public == str(locked_version(name)), f"{name} is not installed as locked"
        for requirement in map(Requirement, there.requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed = canonicalize_name(requirement.name)
                assert BY_TORCH.fullmatch(needed) or requirement.specifier.contains(locked_version(needed), prereleases=True), (
                    f"{name} needs {requirement}"
                )
                todo += [(needed, inner) for inner in [*requirement.extras, ""]]
    assert {canonicalize_name(name) for name, _ in seen} == set(locked())


def test_conda_and_binder_take_the_versions_of_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, from_pip = environment["dependencies"]
    assert from_pip == {"pip": ["-r requirements.lock", "-e ."]}, "versions are read from the lock, not repeated"
    assert pip == "pip"
    assert Version(python.removeprefix("python=")) in SpecifierSet(PROJECT["project"]["requires-python"])


def test_version_is_the_same_everywhere():
    import equinotes

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert equinotes.__version__ == PROJECT["project"]["version"] == citation["version"] == newest


FOUNDATION = {"config", "irreps", "support"}
ALLOWED = {
    "config": {"support", "bases", "networks", "training"},  # of bases, networks and terms, names and fields alone: no torch
    "irreps": {"support"},
    "support": set(),
    "data": FOUNDATION,
    "bases": FOUNDATION | {"data"},
    "layers": FOUNDATION | {"data", "bases"},
    "networks": FOUNDATION | {"data", "bases", "layers"},
    "runs": FOUNDATION | {"data", "networks"},
    "training": FOUNDATION | {"data", "layers", "networks", "runs"},
    "sweeps": FOUNDATION | {"data", "runs", "training"},
    "analysis": FOUNDATION,
    "analysis/controls.py": FOUNDATION | {"runs"},
    "analysis/features.py": FOUNDATION | {"data", "networks", "runs", "training"},
    "analysis/sides.py": FOUNDATION | {"data", "networks"},
    "analysis/diagnose.py": FOUNDATION | {"data", "networks", "runs"},
    "comparison": FOUNDATION | {"data", "bases", "networks", "runs", "training"},
    "figures": {"support"},
    "exercises": FOUNDATION | {"data", "networks"},
    "exercises/make_small.py": FOUNDATION | {"data", "training"},
    "exercises/handins.py": FOUNDATION | {"book"},
    "exercises/grading.py": FOUNDATION | {"book"},
    "audit": FOUNDATION | {"data", "layers", "networks", "runs", "training", "sweeps", "analysis"},
    "book": FOUNDATION | {"runs"},
    "book/notebooks.py": FOUNDATION | {"data", "runs"},
    "book/pictures.py": FOUNDATION | {"analysis", "figures"},
    "cli": FOUNDATION
    | {"data", "bases", "layers", "networks", "runs", "training", "sweeps", "analysis", "audit", "comparison", "book"}
    | {"exercises"},
}
"""What each room may import beside itself."""


def imports_of(path: Path) -> set[str]:
    """First module below equinotes of every import in a file, wherever in the file it stands; types to annotate with apart."""
    names = set()
    tree = ast.parse(path.read_text())
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    skipped = {inner for node in for_types for inner in ast.walk(node)}
    for node in set(ast.walk(tree)) - skipped:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path}: relative import")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("equinotes.")}


def modules() -> list[Path]:
    return [path for path in sorted((ROOT / "equinotes").rglob("*.py")) if path.name != "__init__.py" or path.read_text().strip()]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    place = path.relative_to(ROOT / "equinotes")
    own = place.with_suffix("").parts[0]
    if own == "__init__":
        allowed = set()  # it names modules, but imports them when they are used
    else:
        assert own in ALLOWED, f"{own} is no room: add it to ALLOWED above"
        allowed = ALLOWED.get(place.as_posix(), ALLOWED[own]) | {own}
    assert imports_of(path) <= allowed


BUILT_IN = {"ValueError", "TypeError", "RuntimeError", "FloatingPointError", "KeyError", "Exception"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_users_can_mend_is_raised_as_an_error_for_users(path):
    """The command line prints those in one line, and takes all others for faults of the program."""
    raised = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise) and node.exc is not None]
    names = {node.lineno: ast.unparse(getattr(node.exc, "func", node.exc)) for node in raised}
    assert {line: name for line, name in names.items() if name in BUILT_IN} == {}, "see equinotes/support/errors.py"


HEAVY = {"torch", "e3nn", "pandas", "scipy", "sklearn", "rdkit", "phate", "matplotlib", "seaborn", "papermill", "IPython", "dask"}


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running this."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    return set(
        subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True).stdout.split()
    )


def test_importing_the_package_loads_nothing_heavy():
    assert modules_after("import equinotes; equinotes.RunConfig(network='nequip')") & HEAVY == set()


def test_training_and_embedding_need_no_plotting_notebooks_or_chemistry():
    loaded = modules_after("from equinotes import train, embed, sweep, build_network, load_qm9, load_run")
    assert loaded & {"rdkit", "phate", "matplotlib", "seaborn", "papermill", "IPython", "sklearn"} == set()
    assert "torch" in loaded


def test_every_public_name_exists_and_stands_in_the_reference():
    import equinotes

    reference = (ROOT / "book" / "api.md").read_text()
    for name, module in equinotes._PUBLIC.items():
        assert getattr(equinotes, name).__name__ == name
        assert f"equinotes.{module}.{name}\n" in reference
        assert find_spec(f"equinotes.{name}") is None, "a module of this name would hide it once imported"


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_repository_stays_small():
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in tracked()}
    assert {name: size for name, size in sizes.items() if size > 3 * 2**20} == {}
    assert sum(sizes.values()) < 60 * 2**20


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs_and_announces_its_parameters(path):
    code = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert code[0]["metadata"].get("tags") == ["parameters"]
    assert max(len("".join(cell["source"]).splitlines()) for cell in code) <= 18
