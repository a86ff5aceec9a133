"""Words in text, code and notebooks are spelt as they should be; tests/words.txt lists those that only look wrong."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
READ = ("README.md", "CHANGELOG.md", "CITATION.cff", "Makefile", "book", "equinotes", "notebooks", "benchmarks", "tests")


def misspelt(*paths: str) -> str:
    command = [sys.executable, "-m", "codespell_lib", "--toml", str(ROOT / "pyproject.toml"), *paths]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_words_are_spelt_right():
    assert misspelt(*READ) == ""


def test_a_misspelt_word_is_found(tmp_path):
    (tmp_path / "page.md").write_text("Networks that " + "recie" + "ve spacial scores.")
    assert "==> receive" in misspelt(str(tmp_path)) and "spacial" not in misspelt(str(tmp_path))
