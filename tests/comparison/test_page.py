"""The table, and the chapter that shows it, with and without stored rows."""

import numpy as np
import pandas as pd
import pytest

from equinotes.book.notebooks import run_notebook
from equinotes.book.parameters import read_notebook
from equinotes.comparison.confusions import PAIRS
from equinotes.comparison.networks import NETWORKS
from equinotes.comparison.rows import ROWS
from equinotes.comparison.store import LABELS, load
from equinotes.comparison.table import blind, paired_change, table


def made_up(names):
    rng = np.random.default_rng(0)
    number = {name: k for k, name in enumerate(LABELS)}
    errors = pd.DataFrame([
        {"basis": name, "seed": seed, "columns": 180, "mae_eV": 0.3 + 0.01 * number[name] + 0.001 * seed, "penalty": 1.0,
         "turned_eV": 0.1, "shaken_eV": 0.1, "shaken_tops_eV": 0.2, "tops": 3}
        for name in names for seed in range(3)
    ])  # fmt: skip
    costs = pd.DataFrame([{"basis": name, "ms": 2.0, "reference_ms": 1.0} for name in names for _ in range(3)])
    seen = [(name, pair, 1e-16 if k % 2 else rng.uniform()) for name in names for k, pair in enumerate(PAIRS)]
    return {"errors": errors, "costs": costs, "confusions": pd.DataFrame(seen, columns=["basis", "pair", "difference"])}


def test_the_table_has_a_number_in_every_cell():
    whole = table(made_up(LABELS))
    assert whole["basis"].tolist() == list(ROWS)
    networks = table(made_up(LABELS), NETWORKS)
    assert networks["basis"].tolist() == list(NETWORKS)
    assert not pd.concat([whole, networks]).isna().to_numpy().any()
    assert whole.set_index("basis").loc["l2", "mae_eV"] == pytest.approx(0.321)
    assert whole["spread_eV"].to_numpy() == pytest.approx(0.001)
    assert whole.set_index("basis").loc[["l2", "harmonics"], "cost"].tolist() == [2.0, 1.0]


def test_a_turned_copy_is_never_among_the_pairs_that_are_confused():
    tables = made_up(["l2"])
    tables["confusions"]["difference"] = 0.0
    assert blind(tables["confusions"], "l2") == [pair for pair in PAIRS if pair != "turned"]


def test_rows_are_compared_seed_by_seed():
    change, error = paired_change(made_up(["l2", "l6"])["errors"], "l6", "l2")
    assert change == pytest.approx(0.04) and error == pytest.approx(0, abs=1e-12)


def test_what_is_stored_is_complete_and_from_one_commit_each():
    tables = load()
    names = set(tables["errors"]["basis"])
    assert {"l0", "l2", "cartesian", "harmonics", "octahedron", "random24"} <= names <= set(LABELS)
    for name in ("costs", "confusions"):
        assert set(tables[name]["basis"]) == names
    mae = tables["errors"].pivot_table(index="seed", columns="basis", values="mae_eV")
    for one, other in (("cartesian", "l2"), ("legendre", "harmonics")):
        np.testing.assert_allclose(mae[one], mae[other], rtol=1e-6)
    exact = [
        name
        for name in names
        if name in NETWORKS or ROWS[name].columns.__name__ in ("spectrum", "tensors", "legendre", "edge_frames")
    ]
    assert (tables["errors"][tables["errors"]["basis"].isin(exact)]["turned_eV"] < 1e-9).all()


@pytest.mark.parametrize("names", [[], list(LABELS)], ids=["nothing", "everything"])
def test_the_chapter_runs_with_what_is_stored(names, tmp_path):
    if names:
        for name, rows in made_up(names).items():
            rows.to_parquet(tmp_path / f"{name}.parquet")
    page = run_notebook(
        "14_other_bases", {"results_dir": str(tmp_path), "molecules": 120}, out=tmp_path / "out.ipynb", progress=False
    )
    text = str(read_notebook(page).cells).replace("\\xa0", " ").replace("\xa0", " ")
    assert ("Cartesian tensors, l ≤ 2 | 0.331" in text) == bool(names)
    assert ("PaiNN, vectors it makes | 180 | 0.571" in text) == bool(names)
    assert ("COST" in text or "ERR eV" in text) is False
