"""The chapter on other networks: what it computes, and what it says with nothing stored and with planted answers."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from equinotes import RunConfig, build_network
from equinotes.audit.protocol import named
from equinotes.audit.protocols.networks.claims import ANSWERS, CLAIMS, MISSING, RULE, THRESHOLDS
from equinotes.audit.protocols.networks.measures import reach
from equinotes.audit.protocols.networks.runs import ANISOTROPY, ENERGY, FIELDS, NONE, WHOLE, Place, configuration
from equinotes.audit.protocols.networks.tables import SCHEMAS
from equinotes.audit.report import networks, worth
from equinotes.audit.tables import load_all
from equinotes.book.parameters import find_notebook
from equinotes.support.templates import sentences

PAGE = find_notebook("12_other_networks")
ERROR = 0.1
ROOT = Path(__file__).parents[2]


def world(planted):
    """Energies need l = 1; only NequIP's anisotropy uses l = 2, which reaches nothing in SEGNN."""

    def error(place, ls):
        return ERROR * (1.3 if place.target == ENERGY and 1 not in ls else 1.0)

    def damage(place, l, name, trained):
        used = l == 1 if place.target == ENERGY else (l == 2 and place.network == "nequip")
        return 0.3 if trained and used else 0.0

    def reaches(place, l, name):
        return not (place.network == "segnn" and place.target == ANISOTROPY and l == 2)

    return planted(error=error, damage=damage, reaches=reaches)


@pytest.fixture
def page(shown, tmp_path):
    """Markdown of the page with small live parts; spaces that do not break are spaces."""

    def show(**options):
        said = shown(PAGE, runs_dir=str(tmp_path / "runs"), molecules=32, sample=20, **options)
        return said.replace("\u00a0", " ")

    return show


def test_page_says_not_run_yet_where_nothing_is_stored(page, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    said = page(results_dir=str(empty))
    assert "**Not run yet.** None of the 180 planned runs" in said and "No error is stored" in said
    for target in ("energy", "anisotropy"):
        assert f"On the {target}: **not run yet** (8 rows, one for each network and order)." in said
    for claim in CLAIMS:
        assert f"| **{claim.name}** {claim.statement} | **not run yet** | 0 of " in said


def test_page_says_what_was_planted(page, planted):
    said = page(tables=world(planted))
    assert "180 of 180 planned runs are stored. Of the 40 trained networks to be examined, 40 have been." in said
    assert "can change until all are there" not in said
    assert re.search(r"(?:^|\n\n)\*\*In short\.\*\*.*\n\n- on the energy, bonds: in 4 of 4 \(\+", said)
    assert re.search(r"\n- on the anisotropy, bonds: in [01] of 4 \(", said), "nothing was planted; one in twenty intervals"
    assert f"{RULE}\n\n| claim |" in said and "*Parts of N1 and N2.* Eight parts:" in said
    row = re.search(r"\| SEGNN \| \$l=1\$ \| \*\*needed\*\* \| (\S+) .+? \| (\S+) ", said)
    assert row[1].startswith("+3") and row[2].startswith("+3"), "exp(.3) and 1.3"
    tensor = said.split("On the anisotropy:\n", 1)[1].split("On the ")[0]
    assert "| NequIP | $l=2$ | **used but replaceable** |" in tensor
    assert "| SEGNN | $l=2$ | **impossible by construction** |" in tensor
    assert re.search(r"On the energy, bonds:\n(\n|\|.*\n)+\| NequIP \| \S+ \| 29 \| 0\.\d{3} eV \| 0\.\d{3} \| – \| 5 \|", said)
    assert "not run yet" not in said.split("Architecture", 1)[1].split("**Graph:**")[0]


def test_page_says_which_part_of_the_runs_it_rests_on(planted):
    """Three of five seeds of the energies are stored: all that is judged says so, and the rest is not run yet."""
    tables = world(partial(planted, seeds=range(3), examined=range(3)))
    energies = tables["runs"].query("target == 'U0_atom' and graph == 'bonds' and body_order == 2")
    tables["runs"] = energies
    tables |= {name: tables[name][tables[name]["run_id"].isin(energies["run_id"])] for name in ("uses", "reach")}
    say = sentences("networks")
    state = say("state", found=networks.state(tables))
    assert "48 of 180" in state and "12 have been" in state and "can change until all are there" in state
    verdicts = say("verdicts", rows=networks.verdict_rows(tables)).replace("\u00a0", " ").splitlines()
    assert sum(line.endswith("| 3 of 5 |") for line in verdicts) == 8
    assert verdicts[-1] == "On the anisotropy: **not run yet** (8 rows, one for each network and order)."
    assert "On the energy:" in verdicts and not any("0 of 5" in line for line in verdicts)
    causes = say("causes", found=networks.causes(tables), diverged=worth.diverged(tables))
    assert "- anisotropy, $l=1$: **not run yet**\n" in causes and "- energy, $l=1$: **needed** (all networks)" in causes
    assert causes.count("- not run yet\n") == 1 and causes.endswith("- not run yet")


def test_networks_that_were_trained_and_not_examined_say_so(planted):
    tables = world(planted) | {name: pd.DataFrame(columns=list(SCHEMAS[name])) for name in ("uses", "reach")}
    verdicts = sentences("networks")("verdicts", rows=networks.verdict_rows(tables))
    assert verdicts.count("**not examined yet**") == 16 and "not run yet" not in verdicts


def test_seeds_that_are_planned_are_those_of_the_protocol():
    counts = {
        ("energy", "bonds", 2, (0, 1)): 5,
        ("anisotropy", "bonds", 2, (0, 1)): 3,
        ("anisotropy", "bonds", 2, (0,)): 5,
        ("energy", "radius", 2, (0,)): 3,
        ("energy", "radius", 2, (0, 1)): 0,
    }
    assert {key: networks.planned_seeds("nequip", *key) for key in counts} == counts


def test_tables_without_rows_stand_in_for_a_folder_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr(networks, "folder_of", lambda folder, protocol: tmp_path / "none")
    tables = networks.stored("")
    assert set(tables) == set(load_all(tmp_path, named("networks"))) and not any(map(len, tables.values()))
    assert networks.state(tables)["stored"] == 0
    with pytest.raises(FileNotFoundError):
        networks.stored(tmp_path / "none")


def test_causes_group_networks_by_their_answers(planted):
    found = networks.causes(world(planted))
    answers = {(group["target"], group["l"]): group["answers"] for group in found["architecture"]}
    assert answers[ENERGY, 1] == {"needed": list(networks.TITLES.values())}
    assert answers[ANISOTROPY, 2]["impossible by construction"] == ["SEGNN"]
    assert answers[ANISOTROPY, 2]["used but replaceable"] == ["NequIP"]
    for row in found["target"]:
        assert row[ENERGY]["change"] == pytest.approx(0.3, abs=0.06)
        assert row[ANISOTROPY]["change"] == pytest.approx(0.0, abs=0.06)
    assert len(found["graph"]) == len(FIELDS) and all(row["change"] for row in found["graph"])


def test_errors_are_means_of_the_stored_runs(planted):
    tables = world(planted)
    runs = tables["runs"].set_index("run_id")["average_mae_eV"]
    rows = {(r["network"], r["target"], r["graph"], r["body_order"], r["ls"]): r for r in networks.error_rows(tables)}
    for ls in (WHOLE, NONE):
        mean = np.mean([runs[configuration(Place("segnn", graph="radius"), ls, seed).run_id] for seed in range(3)])
        assert rows["segnn", ENERGY, "radius", 2, ls]["mae"] == pytest.approx(mean)


def test_an_order_that_hurts_the_untrained_network_more_is_read_with_care(planted):
    """A shuffle multiplies the trained error by exp(0.2), the untrained one by exp(0.5): read, and not above the control."""

    def damage(place, l, name, trained):
        hurt = place.network == "segnn" and place.target == ANISOTROPY and l == 1
        return (0.2 if trained else 0.5) if hurt else 0.0

    tables, say = planted(damage=damage), sentences("networks")
    (row,) = worth.controls(tables)
    (case,) = row["cases"]
    assert (row["title"], row["l"], case["target"]) == ("SEGNN", 1, ANISOTROPY)
    assert (case["trained"], case["untrained"]) == pytest.approx((np.exp(0.2), np.exp(0.5)), rel=0.03)
    assert case["claim"] == "N2"
    care = say("care", rows=[row])
    assert re.search(r"multiplies the trained network's error by 1\.2 \(anisotropy\), .* fitted readout by 1\.[67]\.", care)
    answers = {(r["network"], r["target"], r["l"]): r["answer"] for r in networks.verdict_rows(tables)}
    assert answers["segnn", ANISOTROPY, 1] == "not above the control"
    claims = say("claims", rows=networks.claim_rows(tables), rules=networks.rules(), controls=[row])
    said = [line for line in claims.splitlines() if "The part shown is SEGNN, $l=1$; see *Read with care*." in line]
    assert len(said) == 1 and said[0].startswith("| **N2**")


def test_every_answer_is_explained():
    said = sentences("networks")("answers", limits=THRESHOLDS)
    for answer in set(ANSWERS) - {MISSING}:
        assert f"*{networks.SAID.get(answer, answer).capitalize()}:*" in said


def test_a_run_that_diverged_is_no_effect(planted):
    """One of three runs of NequIP with products ends at 9.7 eV, where a linear fit has 0.4 eV."""
    tables, gone = planted(), Place("nequip", body_order=3)
    baseline = pd.DataFrame({"baseline": ["b"], "num_train": [4000], "mae_eV": [0.4], "mae_bohr3": [6.0]})
    tables["baselines"] = baseline
    assert worth.diverged(tables) == [] and worth.steadiness(tables)["above"] == []
    runs = tables["runs"]
    runs.loc[runs["run_id"] == configuration(gone, WHOLE, 1).run_id, "average_mae_eV"] = 9.7
    (row,) = worth.diverged(tables)
    assert (row["title"], row["orders"], row["gone"], len(row["others"])) == ("NequIP", "0–2", [9.7], 2)
    costs = worth.costs(tables).set_index(["title", "place"])["cost"]
    assert costs.isna().sum() == 1 and np.isnan(costs["NequIP", row["place"]])
    short = {each["place"]: each for each in worth.short(tables)}
    assert short[row["place"]]["titles"] == ["the paper's network"] and short["energy, bonds"]["known"] == 4
    steady = worth.steadiness(tables)
    assert steady["above"] == [{"title": "NequIP", "runs": 1, "of": 32}] and steady["limit"] == 0.4
    said = sentences("networks")("short", rows=worth.short(tables), diverged=[row], steady=steady).replace("\u00a0", " ")
    assert "NequIP cannot be judged here, since 1 of 3 runs with orders 0–2 diverged (9.7 eV" in said


def test_shares_are_means_over_seeds_and_layers_with_all_orders():
    ids = [configuration(Place("segnn"), WHOLE, seed).run_id for seed in range(2)]
    layers = [
        ("block1", {"0e": 0.5, "1o": 0.3, "2e": 0.2}),
        ("block2", {"0e": 0.7, "1o": 0.1, "2e": 0.2}),
        ("scalars", {"0e": 1.0}),
    ]
    layers.append(("attributes", {"0e": 0.0, "1o": 0.0, "2e": 1.0}))
    rows = [
        {"run_id": run, "trained": trained, "layer": layer, "irrep": irrep, "share": share if trained else 1 / 3}
        for run in ids for trained in (True, False) for layer, shares in layers for irrep, share in shares.items()
    ]  # fmt: skip
    found = networks.share_rows({"gradients": pd.DataFrame(rows), "norms": pd.DataFrame(rows)})
    assert [(row["title"], row["l"], row["seeds"]) for row in found] == [("SEGNN", l, 2) for l in WHOLE]
    assert [row["flow"] for row in found] == pytest.approx([0.6, 0.2, 0.2])
    assert [row["norm_untrained"] for row in found] == pytest.approx([1 / 3] * 3)


def test_published_errors_stand_beside_the_same_network_on_the_same_target(planted):
    """SEGNN's published 15 meV (Liao et al. 2024, table 5) has a counterpart here; gaps and polarisabilities have none."""
    tables = world(planted)
    runs = tables["runs"].set_index("run_id")["average_mae_eV"]
    mean = np.mean([runs[configuration(Place("segnn"), WHOLE, seed).run_id] for seed in range(5)])
    compared = [row for row in networks.published_rows(tables) if row["ours"]]
    assert [(row["network"], row["mae"], row["unit"]) for row in compared] == [("SEGNN", 15, "meV")]
    assert compared[0]["ours"] == pytest.approx(1000 * mean) and compared[0]["times"] == pytest.approx(1000 * mean / 15)
    assert not any(row["ours"] for row in networks.published_rows({name: table.head(0) for name, table in tables.items()}))


def test_published_errors_are_cited_from_the_references():
    keys = set(re.findall(r"^@\w+\{(.+),$", (ROOT / "book" / "references.bib").read_text(), re.MULTILINE))
    assert {row.source for row in networks.PUBLISHED} <= keys


def test_best_baseline_of_each_target_is_shown():
    columns = {
        "baseline": ["a", "b", "c"],
        "num_train": [4000] * 3,
        "mae_eV": [0.5, 0.4, np.nan],
        "mae_bohr3": [np.nan, np.nan, 2.0],
    }
    rows = networks.baseline_rows({"baselines": pd.DataFrame(columns)})
    assert [(row["target"], row["baseline"], row["mae"], row["unit"]) for row in rows] == [
        ("energy", "b", 0.4, "eV"), ("anisotropy", "c", 2.0, "bohr^3")
    ]  # fmt: skip


def test_entropies_are_means_over_seeds_each_layer_once():
    ids = [configuration(Place("se3_transformer"), WHOLE, seed).run_id for seed in range(2)]
    table = pd.DataFrame(
        [{"run_id": run, "side": "attention1", "ends": ends, "entropy": value}
         for run, value in zip(ids, (0.9, 0.7), strict=True) for ends in ("1-6", "6-6", "one")]
    )  # fmt: skip
    (row,) = networks.entropy_rows({"attention": table})
    assert (row["target"], row["side"], row["seeds"]) == ("energy", "attention1", 2)
    assert (row["least"], row["mean"], row["most"]) == pytest.approx((0.7, 0.8, 0.9))


@pytest.mark.parametrize(("ls", "orders"), [((0, 1), "012"), ((0,), "0")], ids=str)
def test_attributes_bring_back_orders_that_features_lack(ls, orders):
    """What the page's second exercise says, of attributes up to 3."""
    found = reach(build_network(RunConfig.preset("segnn", ls=ls, mul=2))).query("name == 'attributes' and reaches")
    assert "".join(irrep[0] for irrep in found["irrep"]) == orders
