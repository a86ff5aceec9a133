"""Claim C6: what is measured in a published model, on a made-up one with its stages; and what the stored tables say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from equinotes.analysis.calibration import conditional_shuffle, environments
from equinotes.analysis.manifold import feature_tables
from equinotes.audit import foundation, published
from equinotes.audit.protocol import named
from equinotes.audit.protocols.second.claims import VERDICTS
from equinotes.audit.report import foundation as report
from equinotes.audit.tables import checksum, folder_of, load, load_all, provenance_of
from equinotes.book.parameters import find_notebook
from equinotes.networks.sevennet import MODELS, VERSION, adapted
from equinotes.support.templates import sentences

SECOND = named("second")
PAGE = find_notebook("11_foundation_model")
ROWS = np.arange(20_000, 60_000, 1000)


@pytest.fixture(scope="module")
def net(staged):
    return adapted(staged(all_orders=False).eval())


@pytest.fixture(scope="module")
def examined(net):
    return foundation.examine(net, ROWS)


def test_features_and_predictions_are_those_of_one_batch(net, examined, qm9):
    batch = qm9.batch(ROWS, graph="radius", cutoff=5.0)
    with torch.no_grad():
        np.testing.assert_allclose(examined.predictions, net(batch).numpy(), rtol=1e-5)
        np.testing.assert_allclose(
            examined.mirrored, net(batch.rotated(-torch.eye(3))).numpy()[: len(examined.mirrored)], rtol=1e-5
        )
        for found, layer in zip(examined.layers, net.features(batch), strict=True):
            np.testing.assert_allclose(found.x, layer.x, rtol=1e-4, atol=1e-5)
            sums = torch.zeros(len(ROWS), layer.x.shape[1]).index_add(0, batch.molecule, layer.x)
            np.testing.assert_allclose(examined.summed()[int(found.name)].x, sums, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_shuffles_are_conditional_edits_of_the_whole_batch(net, examined, qm9):
    batch, bonds = qm9.batch(ROWS, graph="radius", cutoff=5.0), qm9.batch(ROWS)
    groups = environments(bonds.z.numpy(), np.bincount(bonds.edge_index[1].numpy(), minlength=len(bonds.z)))
    some = np.array([3, 30])
    found = foundation.shuffles(net, examined, some, draws=2)
    assert foundation.cells(examined) == [(1, "0e"), (1, "1e"), (1, "2e"), (2, "0e"), (2, "1e"), (2, "2e"), (3, "0e")]
    assert found.shape == (2, 7, 2)
    features = net.features(batch)
    for place, (layer, irrep) in enumerate(foundation.cells(examined)):
        parts = net.packings[layer].split(features[layer].x)
        for draw in range(2):
            edit = conditional_shuffle(layer, irrep, groups, seed=[0, layer, int(irrep[0]), draw])
            expected = net.continued(batch, layer, edit(layer, parts)).numpy()[some]
            np.testing.assert_allclose(found[:, place, draw], expected, rtol=1e-4, atol=1e-4)


def test_an_order_that_nothing_reads_does_no_damage_and_the_others_do(net, examined, monkeypatch):
    monkeypatch.setattr(foundation, "GROUPS", 4)
    everything = np.arange(len(ROWS))
    table = foundation.damage_shares(examined, foundation.shuffles(net, examined, everything, draws=2), everything)
    assert set(table.columns) == {"layer", "irrep", "group", "damage_share"}
    assert len(table) == 7 * 4
    shares = table.groupby(["layer", "irrep"])["damage_share"].mean()
    assert shares[1, "2e"] < 1e-4 < 1e-2 < shares[1, "1e"]


def test_what_composition_repairs_is_no_damage(examined):
    rows = np.random.default_rng(0).choice(100_000, 400, replace=False)  # in QM9's order, a half has 9 heavy atoms everywhere
    many = replace(examined, rows=rows, predictions=np.random.default_rng(0).normal(size=len(rows)))
    offset = 7 + foundation.design_of(rows)[:, :2] @ [2, -1]  # counts of H and C
    shuffled = np.tile((many.predictions + offset)[:, None, None], (1, 7, 2))
    assert foundation.damage_shares(many, shuffled, np.arange(len(rows)))["damage_share"].max() < 1e-6
    shuffled[:, 1] *= -1
    shares = foundation.damage_shares(many, shuffled, np.arange(len(rows))).groupby(["layer", "irrep"])["damage_share"].mean()
    assert 1.5 < shares[1, "1e"] < 2.5, "the opposite sign is twice as far as nothing at all"


def test_infinite_predictions_are_not_measured(staged, qm9):
    module = staged()
    module.get_submodule("0_convolution").denominator.zero_()
    with pytest.raises(FloatingPointError, match="not finite"):
        foundation.examine(adapted(module), ROWS[:2])


def two_columns(x, irreps, *, kind):
    """Stands for PHATE, which takes most of the time and has tests of its own."""
    parts = feature_tables(x, irreps, kind)
    tables = [pd.DataFrame(part[:, :2], columns=["phate1", "phate2"]).assign(irrep=irrep) for irrep, part in parts.items()]
    return pd.concat(tables).reset_index(names="molecule")


@pytest.fixture
def measured(staged, monkeypatch, tmp_path):
    """Tables of two made-up models, and how often one was built."""
    built = []

    def build(name, seed=None):
        built.append((name, seed))
        return adapted(staged(seed=9 if seed is None else seed).eval())

    monkeypatch.setattr(published, "build_sevennet", build)
    monkeypatch.setattr(published, "RANDOM_SEEDS", 2)
    monkeypatch.setattr(published, "DRAWS", 2)
    monkeypatch.setattr(foundation, "phate_by_irrep", two_columns)
    monkeypatch.setattr(foundation, "MOLECULES", len(ROWS))
    monkeypatch.setattr(foundation, "GROUPS", 2)
    for task in published.tasks(2):
        published.measure(*task, tmp_path / "work", draws=2, progress=False)
    rows = published.store(tmp_path / "work", tmp_path / "tables")
    return built, rows, tmp_path


def test_tables_are_stored_judged_and_not_measured_twice(measured):
    built, rows, place = measured
    assert built == [(name, seed) for name in MODELS for seed in (None, 0, 1)]
    published.measure("SevenNet-0", "trained", 0, place / "work", draws=2, progress=False)
    assert len(built) == 6, "what is finished is not measured again"
    tables = load_all(place / "tables", SECOND)
    assert {name: len(tables[name]) for name in published.TABLES} == rows
    assert len(tables["foundation"]) == 2 * 7 * 2
    assert set(tables["foundation_structure"]["weights"]) == {"trained", "random"}
    assert len(report.parts(tables)) == 10, "five parts for each model"
    assert report.verdict(tables)["verdict"] in VERDICTS
    entry = provenance_of(place / "tables")["foundation"]
    assert entry["command"] == "equinotes audit foundation"
    assert entry["versions"]["sevenn"] == VERSION


@pytest.fixture(scope="module")
def stored():
    return load_all(protocol=SECOND)


def test_the_stored_tables_are_whole(stored):
    folder = folder_of(protocol=SECOND)
    for name in published.TABLES:
        entry = provenance_of(folder)[name]
        assert entry["rows"] == len(load(name, protocol=SECOND)) > 0
        assert entry["sha256"] == checksum(folder / f"{name}.parquet")
        assert entry["versions"]["sevenn"] == VERSION
    shares, scores = stored["foundation"], stored["foundation_structure"]
    for model, orders in (("SevenNet-0", 3), ("SevenNet-l3i5", 4)):
        assert len(shares[shares["model"] == model]) == (4 * orders + 1) * foundation.GROUPS
        assert (scores[scores["model"] == model]["weights"] == "random").sum() == (4 * orders + 1) * published.RANDOM_SEEDS
        of_model = stored["foundation_norms"]
        of_model = of_model[(of_model["model"] == model) & (of_model["weights"] == "trained")]
        np.testing.assert_allclose(of_model.groupby("layer")["share"].sum(), 1)
    assert (stored["foundation_models"]["molecules"] == foundation.MOLECULES).all()


def test_the_parts_are_the_numbers_of_the_stored_tables(stored):
    parts = report.parts(stored).set_index("part")
    for model in MODELS:
        shares = stored["foundation"].query("model == @model").groupby(["irrep", "layer"])["damage_share"].mean()
        scores = (
            stored["foundation_structure"].query("model == @model and layer == 4").groupby(["irrep", "weights"])["value"].mean()
        )
        for l in (1, 2):
            np.testing.assert_allclose(parts.loc[f"{model}: l = {l} is ignored", "estimate"], shares[f"{l}e"].max())
            gain = scores[f"{l}e", "trained"] - scores[f"{l}e", "random"]
            np.testing.assert_allclose(parts.loc[f"{model}: l = {l} has no structure", "estimate"], gain)
        by_layer = shares.unstack("irrep").dropna(subset="1e")
        least = (by_layer["0e"] - by_layer.drop(columns="0e").max(axis=1)).min()
        assert parts.loc[f"{model}: l = 0 dominates", "estimate"] <= least + 1e-9, "a maximum in each group is larger"


@pytest.mark.parametrize("state", ["stored", "nothing"])
def test_the_page_prints_the_verdict_of_the_tables(state, stored, shown, tmp_path):
    folder = "" if state == "stored" else str(tmp_path)
    tables = stored if state == "stored" else load_all(folder, SECOND)
    said, row, parts = shown(PAGE, results_dir=folder), report.verdict(tables), report.parts(tables)
    words = sentences("foundation")("verdict", row=row | {"shown": int((parts["outcome"] == "shown").sum())})
    assert row["verdict"].capitalize() in words and words in said
    for part in parts[parts["why"] == ""].itertuples():
        assert f"| {part.part} | {part.outcome} | " + f"{part.estimate:+.3f}".replace("-", "−") in said
    assert ("no model has been examined" in said) == (state == "nothing")


def test_a_changed_share_changes_the_printed_part(stored):
    spoilt = stored["foundation"].assign(damage_share=lambda table: table["damage_share"].where(table["irrep"] != "1e", 0.001))
    parts = report.parts(dict(stored) | {"foundation": spoilt}).set_index("part")
    np.testing.assert_allclose(parts.loc["SevenNet-0: l = 1 is ignored", "estimate"], 0.001)


def test_the_answer_in_short_is_that_of_the_stored_tables(tables):
    short = report.short(tables)
    shares = tables["foundation"].groupby(["model", "layer", "irrep"])["damage_share"].mean()
    assert short["least"] == pytest.approx(shares.min())
    beaten = {
        (model, layer): of.idxmax()[2]
        for (model, layer), of in shares.groupby(["model", "layer"]) if len(of) > 1 and not of.idxmax()[2].startswith("0")
    }  # fmt: skip
    assert {(row["model"], row["layer"]): f"{row['l']}e" for row in short["exceptions"]} == beaten
    random = tables["foundation_structure"].query("weights == 'random'")
    assert short["draws"] == random.groupby("model")["seed"].nunique().min()
    say, parts = sentences("foundation"), report.parts(tables).set_index("part")["outcome"]
    kinds = {"learned": "opposite shown", "unlearned": "shown", "undecided": "open"}
    for kind, outcome in kinds.items():
        names = [name.split(": ") for name in parts.index[parts == outcome] if name.endswith(" has no structure")]
        assert short[kind] == [f"$l={order[4]}$ of {model}" for model, order in names]
    said = say("short", found=short, limits=SECOND.thresholds).replace("\u2011", "-")
    assert all(name in said.split("Against")[1] for kind in kinds for name in short[kind])
    wide = short | {"learned": [], "unlearned": [], "undecided": ["a: l = 1"]}
    assert "Whether orders above 0 have structure is undecided" in say("short", found=wide, limits=SECOND.thresholds)
    assert report.short({name: table.head(0) for name, table in tables.items()}) == {}
