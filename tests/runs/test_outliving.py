"""Stored runs outlive the code: names and tables of the first runs, under today's fields."""

from dataclasses import field, make_dataclass

import pandas as pd
import pytest

from equinotes import RunConfig
from equinotes import config as config_module
from equinotes.config import FIRST_FIELDS
from equinotes.runs.results import as_listed, compare, overview
from equinotes.support.repository import find_root

SMALL = dict(epochs=4, batch_size=16, lr=0.003, num_train=2000, num_val=250)
LESS = dict(mul=8, epochs=3, batch_size=16, lr=0.003, num_train=1000, num_val=250)
BOTH = ("alpha_anisotropy", "dipole_proxy")
STORED = {
    "U0_atom-l0-1-2-mul32-n2000-seed0-71a8d2d7": SMALL,
    "U0_atom-l0-1-2-3-4-mul16-n2000-seed0-c22b09c6": dict(SMALL, ls=(0, 1, 2, 3, 4), mul=16),
    "U0_atom-l0-1-2-3-4-5-6-mul16-n2000-seed1-2df060fe": dict(SMALL, reference="mean", ls=(0, 1, 2, 3, 4, 5, 6), mul=16, seed=1),
    "U0_atom-l0-1-2-mul16-n2000-seed0-ba01f5be": dict(SMALL, mul=16),
    "U0_atom-l0-5-6-mul16-n2000-seed2-5ef1d921": dict(SMALL, ls=(0, 5, 6), mul=16, seed=2),
    "U0_atom-l0-1-2-mul8-n1000-seed0-560f438e": LESS,
    "U0_atom-l0-1-2-mul8-n1000-seed1-9983f50b": dict(LESS, auxiliary=BOTH, gate=True, seed=1),
    "U0_atom-l0-1-2-mul8-n1000-seed4-fb14dd2a": dict(LESS, auxiliary=BOTH, seed=4),
    "U0_atom-l0-1-2-mul8-n1000-seed1-3be29b0d": dict(LESS, auxiliary=BOTH, graph="radius", gate=True, seed=1),
    "U0_atom-l0-mul16-n2000-seed0-1b06014c": dict(SMALL, ls=(0,), mul=16),
    "U0_atom-l0-mul16-n2000-seed3-1e971f95": dict(SMALL, reference="mean", ls=(0,), mul=16, seed=3),
    "U0_atom-l0-mul32-n2000-seed4-7b16fccb": dict(SMALL, reference="mean", ls=(0,), seed=4),
}
"""Folders of runs that were stored before RunConfig got its later fields, and what was not at its default."""


@pytest.mark.parametrize(("run_id", "changes"), STORED.items(), ids=STORED)
def test_a_stored_run_keeps_its_name(run_id, changes):
    assert RunConfig(**changes).run_id == run_id


@pytest.mark.parametrize(("run_id", "changes"), list(STORED.items())[:3])
def test_a_field_to_come_changes_no_name_at_its_default(run_id, changes, monkeypatch):
    Later = make_dataclass(
        "Later", [("to_come", float, field(default=0.5))], bases=(RunConfig,), frozen=True, kw_only=True, namespace={}
    )
    monkeypatch.setitem(config_module._DEFAULTS, "to_come", 0.5)
    assert Later(**changes).run_id == run_id
    assert Later(**changes, to_come=0.25).run_id != run_id


def test_stored_tables_load_without_the_fields_that_came_later():
    stored = pd.read_parquet(find_root() / "results" / "audit" / "runs.parquet")
    assert set(RunConfig().to_dict()) - set(stored) == set(RunConfig().to_dict()) - FIRST_FIELDS
    listed = as_listed(stored)
    assert listed["network"].eq("paper").all() and listed["average"].eq(0.0).all() and listed["terms"].map(len).eq(0).all()
    assert "network" not in overview(listed)
    assert len(compare(listed, (0, 1, 2), (0, 3, 4)))
