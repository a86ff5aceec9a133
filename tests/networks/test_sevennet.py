"""SevenNet behind the adapter: on a made-up module with its stages everywhere, on the published weights where they are."""

import importlib.util
from importlib.metadata import PackageNotFoundError

import pytest
import torch
from e3nn import o3

from equinotes.networks import sevennet
from equinotes.networks.base import pack_parts
from equinotes.networks.sevennet import MODELS, adapted, build_sevennet, checked, resume_many

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("sevenn") is None, reason="the package sevenn is not installed: pip install --group foundation"
)
LAYERS = {
    "SevenNet-0": ["128x0e", *["128x0e+64x1e+32x2e"] * 4, "128x0e"],
    "SevenNet-l3i5": ["128x0e", *["128x0e+64x1e+32x2e+32x3e"] * 4, "128x0e"],
}


@pytest.fixture
def net(staged):
    return adapted(staged().eval())


@pytest.fixture
def batch(qm9):
    return qm9.batch([5000, 70000], graph="radius", cutoff=5.0)


def shuffled(net, batch, layer):
    """Some features that the layer could have: its own, in another order of the atoms."""
    order = torch.randperm(len(batch.z), generator=torch.Generator().manual_seed(layer))
    return net.packings[layer].split(net.features(batch)[layer].x[order])


@torch.no_grad()
def test_layers_have_their_numbers_and_labels(net, batch):
    assert [layer.irreps for layer in net.layers] == ["4x0e", "4x0e+3x1e+2x2e", "4x0e+3x1e+2x2e", "4x0e"]
    assert net.reaches(1, "2e", batch)
    assert net.reaches(2, "1e", batch)
    assert net(batch).shape == (2,)


@torch.no_grad()
def test_going_on_behind_a_layer_is_running_the_whole_with_an_edit(net, batch):
    for layer in range(len(net.layers)):
        parts = shuffled(net, batch, layer)
        whole = net(batch, edit=lambda k, own, layer=layer, parts=parts: parts if k == layer else own)
        torch.testing.assert_close(net.continued(batch, layer, parts), whole)
        assert (whole - net(batch)).abs().max() > 1e-3 or layer == 3, "the edit does something"


@torch.no_grad()
def test_many_sets_at_once_are_the_sets_one_by_one(net, qm9):
    batch = qm9.batch([70000], graph="radius", cutoff=5.0)
    torch.manual_seed(0)
    starts = {layer: torch.randn(layer + 1, len(batch.z), o3.Irreps(net.layers[layer].irreps).dim) for layer in (1, 2, 3)}
    found = resume_many(net, batch, starts)
    for layer, sets in starts.items():
        one_by_one = [net.continued(batch, layer, net.packings[layer].split(x)).float() for x in sets]
        torch.testing.assert_close(found[layer], torch.cat(one_by_one))


def test_many_sets_need_one_molecule(net, batch):
    with pytest.raises(ValueError, match="takes one molecule, got 2"):
        resume_many(net, batch, {})


@torch.no_grad()
def test_what_knows_rotations_but_no_parity(net, batch):
    R = o3.rand_matrix()
    torch.testing.assert_close(net(batch.rotated(R)), net(batch), rtol=1e-4, atol=1e-4)
    assert (net(batch.rotated(-R)) - net(batch)).abs().max() > 1e-3


def test_a_file_of_another_content_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(b"something else")
    with pytest.raises(
        ValueError, match=r"checkpoint.pth is not the published checkpoint: its SHA-256 is \w{64}, expected 7052cb"
    ):
        checked(path, MODELS["SevenNet-0"].sha256)


def test_nothing_is_read_from_a_refused_file(tmp_path, monkeypatch):
    (tmp_path / "other.pth").write_bytes(b"cos\nsystem\n")
    monkeypatch.setattr(sevennet, "installed", lambda path: tmp_path / "other.pth")
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(ValueError, match="it is not read"):
        build_sevennet("SevenNet-0")


def test_without_the_package_the_group_is_named(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sevennet, "version", missing)
    with pytest.raises(ValueError, match=r"needs the package sevenn 0.13.0: pip install --group foundation"):
        build_sevennet("SevenNet-0")
    monkeypatch.setattr(sevennet, "version", lambda name: "0.12.0")
    with pytest.raises(ValueError, match=r"needs sevenn 0\.13\.0, found 0\.12\.0"):
        build_sevennet("SevenNet-0")


def test_an_unknown_model_is_named():
    with pytest.raises(ValueError, match="unknown model 'SevenNet-1'; did you mean 'SevenNet-0'"):
        build_sevennet("SevenNet-1")


@needs_weights
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "parameters"), [("SevenNet-0", 842_440), ("SevenNet-l3i5", 1_171_144)])
@torch.no_grad()
def test_the_published_weights(name, parameters, qm9):
    net, batch = build_sevennet(name), qm9.batch([5000], graph="radius", cutoff=5.0)
    assert [layer.irreps for layer in net.layers] == LAYERS[name]
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == parameters
    parts = net.packings[3].split(net.features(batch)[3].x.flip(0))
    many = resume_many(net, batch, {3: pack_parts(parts)[None]})[3]
    torch.testing.assert_close(many.double(), net.continued(batch, 3, parts), rtol=0, atol=1e-3)
    torch.testing.assert_close(net(batch.rotated(o3.rand_matrix())), net(batch), rtol=0, atol=1e-3)


@needs_weights
@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_random_weights_follow_their_seed_and_leave_what_was_not_trained(qm9):
    batch = qm9.batch([5000], graph="radius", cutoff=5.0)
    nets = [build_sevennet("SevenNet-0", seed) for seed in (None, 0, 0, 1)]
    energies = [float(net(batch)) for net in nets]
    assert energies[1] == energies[2]
    assert len(set(energies)) == 3
    for name, value in nets[0].named_parameters():
        assert torch.equal(value, dict(nets[1].named_parameters())[name]) == (not value.requires_grad), name
