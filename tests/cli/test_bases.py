"""The subcommand `equinotes bases`."""

import pytest

from equinotes.cli import main as cli
from equinotes.comparison import rows as rules


def test_rows_are_listed_measured_and_printed(qm9, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rules, "MOLECULES", 180)
    monkeypatch.setattr(rules, "TRAIN", 120)
    monkeypatch.setattr(rules, "VALIDATION", 20)
    assert cli.main(["bases", "list"]) == 0
    listed = capsys.readouterr().out
    assert "Cartesian tensors" in listed and "molecular  solid harmonic wavelets" in listed and "PaiNN" in listed
    assert cli.main(["bases", "run", "cartesian", "harmonics", "--results-dir", str(tmp_path)]) == 0
    assert cli.main(["bases", "costs", "--results-dir", str(tmp_path)]) == 0
    assert cli.main(["bases", "--results-dir", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "twist 3, twist 5, same angles" in printed and "turned_eV" in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bases", "run", "cartesan"], "unknown basis of the comparison 'cartesan'; did you mean 'cartesian'"),
        (["bases", "list", "l2"], "only run takes names, got list l2"),
    ],
)
def test_mistakes_are_told_in_one_line(words, says, capsys):
    assert cli.main(words) == 2
    assert says in capsys.readouterr().err
