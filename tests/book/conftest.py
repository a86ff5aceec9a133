"""What the tests of notebooks share."""

import nbformat
import pytest

PARAMETERS = """\
lmax: int = 4  # highest order drawn (0 to 11)
ls: list[int] = [
    0,
    1,
]  # orders (each 0 to 11)
name: str = "demo"  # a word
what = ""
"""


REPORT = """\
import os, sys, warnings
from equinotes.support.progress import bar
for _ in bar(range(3), desc="inner"):
    pass
print(lmax, ls, name, sys.executable, os.getcwd(), sep="\\n")
"""


ACT = """\
import time
if what == "fail":
    raise ValueError("first line\\nsecond line")
if what == "sleep":
    print(os.getpid(), file=open("kernel.pid", "w"))
    time.sleep(600)
import matplotlib.pyplot as plt
plt.plot([1, 2]);
"""


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """A notebook in a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# A lesson\n\nand a question"),
            nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(REPORT),
            nbformat.v4.new_code_cell(ACT),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = tmp_path / "07_demo.ipynb"
    nbformat.write(notebook, path)
    return path
