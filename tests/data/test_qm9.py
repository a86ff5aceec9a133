"""The packed table against what is published about QM9 and its method, and the ways in which it says no."""

import json
import subprocess
import sys

import numpy as np
import pytest

from equinotes.config import TARGETS
from equinotes.data import source
from equinotes.data.packing import ATOMIC_ENERGIES, DEBYE, HARTREE, anisotropy, proxy_dipoles
from equinotes.data.source import Block, find_files, read_blocks, read_tensors

KILOJOULE = 1 / 96.485332  # eV per kJ/mol


def test_holds_the_molecules_and_atoms_that_the_paper_counts(qm9):
    assert len(qm9) == 133_885 - 3_054 == 130_831
    assert len(qm9.pos) == len(qm9.z) == len(qm9.charge) == qm9.atom_ptr[-1] == 2_359_210
    atoms = np.diff(qm9.atom_ptr)
    assert atoms.mean() == pytest.approx(18.03, abs=0.005)
    assert (atoms.min(), atoms.max()) == (3, 29)
    assert 2 * len(qm9.bonds) / len(qm9) == pytest.approx(37.43, abs=0.005)
    assert 2 * len(qm9.bonds) / len(qm9.z) == pytest.approx(2.08, abs=0.005)
    assert set(np.unique(qm9.z).tolist()) == {1, 6, 7, 8, 9}
    assert qm9.bond_ptr[-1] == len(qm9.bonds) and len(qm9.smiles) == len(qm9)


def test_atomization_energies_have_the_mean_and_spread_of_the_papers_configuration(qm9):
    assert qm9.targets["U0_atom"].mean() == pytest.approx(-76.1160, abs=5e-5)
    assert qm9.targets["U0_atom"].std() == pytest.approx(10.3238, abs=2e-4)


@pytest.mark.parametrize(
    ("number", "smiles", "formula", "measured"),
    [(1, "C", "CH4", 1642.2), (2, "N", "H3N", 1157.3), (3, "O", "H2O", 917.8), (4, "C#C", "C2H2", 1626.2)],
)
def test_atomization_energies_are_near_the_measured_ones(qm9, number, smiles, formula, measured):
    """From heats of formation at 0 K in the Active Thermochemical Tables [kJ/mol]; the method is within 3 %."""
    molecule = qm9.molecule(qm9.row(number))
    assert (molecule.number, molecule.smiles, molecule.formula) == (number, smiles, formula)
    assert molecule.targets["U0_atom"] == pytest.approx(-measured * KILOJOULE, rel=0.03)


def test_water_is_as_qm9_publishes_it(qm9):
    """dsgdb9nsd_000003.xyz of Ramakrishnan et al. 2014, in its own units."""
    water = qm9.molecule(qm9.row(3))
    assert water.symbols == ["O", "H", "H"]
    published = [[-0.0343604951, 0.9775395708, 0.0076015923], [0.0647664923, 0.0205721989, 0.0015346341]]
    np.testing.assert_allclose(water.pos[:2], published, atol=1e-6)
    np.testing.assert_allclose(water.charge, [-0.589706, 0.294853, 0.294853], atol=1e-7)
    assert water.bonds.tolist() == [[0, 1], [0, 2]]
    in_hartree = {"U0": -76.404702, "gap": 0.3615, "homo": -0.2928, "lumo": 0.0687, "zpve": 0.021375}
    for name, value in in_hartree.items():
        assert water.targets[name] == pytest.approx(value * 27.211386, rel=1e-7)
    for name, value in {"dipole": 1.8511, "alpha": 6.31, "r2": 19.0002, "Cv": 6.002}.items():
        assert water.targets[name] == value


def test_reference_energies_are_those_that_pytorch_geometric_uses():
    """Copied from torch_geometric.datasets.qm9 [eV]: U0, U, H, G of H, C, N, O, F."""
    theirs = [
        [-13.61312172, -1029.86312267, -1485.30251237, -2042.61123593, -2713.48485589],
        [-13.5745904, -1029.82456413, -1485.26398105, -2042.5727046, -2713.44632457],
        [-13.54887564, -1029.79887659, -1485.2382935, -2042.54701705, -2713.42063702],
        [-13.90303183, -1030.25891228, -1485.71166277, -2043.01812778, -2713.88796536],
    ]
    ours = np.array([ATOMIC_ENERGIES[z] for z in (1, 6, 7, 8, 9)]).T * HARTREE
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_thermal_energies_follow_from_each_other(qm9):
    """H = U + RT for every ideal gas, so H_atom = U_atom + RT - (sum over atoms) RT, as far as six decimals in Hartree go."""
    RT = 8.31446261815324 * 298.15 / 96485.33212
    atoms = np.diff(qm9.atom_ptr)
    np.testing.assert_allclose(qm9.targets["H_atom"] - qm9.targets["U_atom"], RT * (1 - atoms), atol=1e-3)


def test_gap_lies_between_the_frontier_orbitals(qm9):
    np.testing.assert_allclose(qm9.targets["gap"], qm9.targets["lumo"] - qm9.targets["homo"], atol=1.5e-4 * HARTREE)


def test_polarisability_tensor_has_the_listed_mean(qm9):
    number, tensors = read_tensors(find_files()["qm9_polarizability.csv"])
    assert np.array_equal(number, qm9.index)
    np.testing.assert_allclose(np.trace(tensors, axis1=1, axis2=2) / 3, qm9.targets["alpha"], atol=0.006)


def test_anisotropy_is_the_same_in_every_frame_and_zero_for_spheres():
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    tensor = np.diag([4.492, 8.049, 6.398])  # water
    by_hand = np.sqrt(((4.492 - 8.049) ** 2 + (8.049 - 6.398) ** 2 + (6.398 - 4.492) ** 2) / 2)
    np.testing.assert_allclose(anisotropy(np.stack([tensor, Q @ tensor @ Q.T, np.eye(3)])), [by_hand, by_hand, 0], atol=1e-12)


def test_dipole_proxy_follows_the_dipole_but_is_none(qm9):
    """Mulliken charges reach a correlation of .94 with the dipole's size."""
    assert np.corrcoef(qm9.targets["dipole"], qm9.targets["dipole_proxy"])[0, 1] == pytest.approx(0.94, abs=0.005)


def test_dipole_proxy_of_two_unit_charges_is_known_and_does_not_move_with_the_origin():
    pos, charge, counts = np.array([[0, 0, 0], [0, 0, 1.0]]), np.array([-1.0, 1.0]), np.array([2])
    np.testing.assert_allclose(proxy_dipoles(pos, charge, counts), [[0, 0, 4.80320]], atol=1e-5)
    uneven = charge + 1e-3
    np.testing.assert_allclose(proxy_dipoles(pos + 100, uneven, counts), proxy_dipoles(pos, uneven, counts), atol=1e-9)
    assert pytest.approx(1.602176634e-19 * 1e-10 / 3.33564095e-30) == DEBYE


def test_every_target_is_finite_and_has_a_unit(qm9):
    assert set(qm9.targets) == set(TARGETS)
    for name, values in qm9.targets.items():
        assert values.shape == (len(qm9),) and np.isfinite(values).all(), name
        assert np.ptp(values) > 0, name


def test_arrays_are_memory_mapped_views_that_cannot_be_written(qm9):
    for array in (qm9.pos, qm9.z, qm9.bonds, qm9.targets["U0_atom"]):
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0


def test_loading_needs_no_torch_and_no_table_library():
    code = "import sys; from equinotes import load_qm9; load_qm9(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "pyarrow", "rdkit"} & set(done.stdout.split())


def test_rows_are_found_by_the_data_sets_own_numbers(qm9):
    assert qm9.row(1) == 0 and qm9.row(133_885) == len(qm9) - 1
    rows = np.arange(0, len(qm9), 997)
    assert np.array_equal(qm9.rows(qm9.index[rows]), rows)


@pytest.mark.parametrize(
    ("number", "says"), [(0, "from 1 to 133885, got 0"), (133_886, "got 133886"), (58, "molecule 58 is left out")]
)
def test_a_number_that_qm9_lacks_is_refused_with_the_reason(qm9, number, says):
    """Molecule 58 is among the uncharacterized ones: it is not in the list."""
    with pytest.raises(ValueError, match=says):
        qm9.row(number)


def test_what_is_no_number_or_no_row_is_refused(qm9):
    with pytest.raises(TypeError, match="whole numbers"):
        qm9.rows(np.array([1.5]))
    with pytest.raises(IndexError, match="rows 0 to 130830, got 130831"):
        qm9.molecule(130_831)


def test_smiles_behave_like_a_list(qm9):
    everything = list(qm9.smiles)
    assert everything[:3] == ["C", "N", "O"] == qm9.smiles[:3]
    assert qm9.smiles[-1] == everything[-1] == qm9.smiles[len(qm9) - 1]
    assert qm9.smiles[np.array([2, 0])] == ["O", "C"]
    with pytest.raises(IndexError):
        qm9.smiles[len(qm9)]


def test_twenty_four_lists_are_not_json_and_are_read_all_the_same(qm9):
    import pyarrow.compute
    from pyarrow import csv

    broken, files = 0, find_files()
    for name in source.PROPERTY_FILES:
        options = csv.ConvertOptions(include_columns=["Index", "XYZ_Ang", "Mulliken_pop"])
        table = csv.read_csv(files[name], convert_options=options)
        for column in ("XYZ_Ang", "Mulliken_pop"):
            odd = table.filter(pyarrow.compute.match_substring_regex(table[column], r"\.[\],E]"))
            for number, text in zip(odd["Index"].to_pylist(), odd[column].to_pylist(), strict=True):
                broken += 1
                with pytest.raises(json.JSONDecodeError):
                    json.loads(text)
                molecule = qm9.molecule(qm9.row(number))
                read = molecule.pos if column == "XYZ_Ang" else molecule.charge
                by_python = [float(item) for item in text.replace("[", "").replace("]", "").split(",")]
                np.testing.assert_allclose(read.ravel(), by_python, rtol=1e-6)
    assert broken == 24


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(source.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install qm9pack==1\.0\.3"):
        find_files()


def test_changed_or_missing_files_of_the_package_are_named(tmp_path, monkeypatch):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(source.importlib.util, "find_spec", lambda name: Spec)
    with pytest.raises(FileNotFoundError, match=r"lacks qm9_part1\.csv"):
        find_files()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "qm9_part1.csv").write_text("Index,SMILES\n")
    with pytest.raises(ValueError, match=r"qm9_part1\.csv has SHA-256"):
        find_files()


def test_blocks_that_do_not_add_up_are_refused(tmp_path):
    with find_files()["qm9_part1.csv"].open() as file:
        header = file.readline()
    row = header.strip().split(",")
    values = dict.fromkeys(row, "1.0") | {
        "XYZ_file": '"a"', "Index": "1", "SMILES": '"C"', "InChi": '"x"', "N_atoms": "2", "Stoichiometry": '"[]"',
        "Elements": "\"['C','H']\"", "XYZ_Ang": '"[[0,0,0],[0,0]]"', "Mulliken_pop": '"[0,0]"', "Harmonic_Freq_cmi": '"[]"',
    }  # fmt: skip
    path = tmp_path / "part.csv"
    path.write_text(header + ",".join(values[name] for name in row) + "\n")
    with pytest.raises(ValueError, match="5 numbers where its atoms need 6"):
        list(read_blocks(path))
    path.write_text(path.read_text().replace("[0,0]]", "[0,0,1.]]").replace("'H'", "'X'"))
    with pytest.raises(ValueError, match="1 known elements where 2 atoms"):
        list(read_blocks(path))
    path.write_text(path.read_text().replace("'X'", "'H'"))
    (block,) = read_blocks(path)
    assert isinstance(block, Block) and block.pos.tolist() == [[0, 0, 0], [0, 0, 1]]
