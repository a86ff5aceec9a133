"""What the tests of the command line share."""

import pytest

from equinotes.cli import main as cli


@pytest.fixture
def equinotes(capsys):
    """Call the command; returns its exit code and the lines that it wrote to stdout and stderr."""

    def call(*words):
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as end:  # after --help
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return call
