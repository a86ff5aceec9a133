"""Additional terms of the loss: each against its formula, its symmetry and its control."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch

from equinotes import RunConfig, build_network
from equinotes.data.batches import draw_split
from equinotes.networks.base import BlockPath
from equinotes.training.objective import Objective
from equinotes.training.prediction import batch_of
from equinotes.training.targets import prepare, targets_of
from equinotes.training.terms import TERMS, build_term
from equinotes.training.terms.adversarial import Reversed, whitened
from equinotes.training.terms.attention_entropy import entropies
from equinotes.training.terms.base import Seen, centred, features_of
from equinotes.training.terms.bottleneck import rate
from equinotes.training.terms.consistency import disagreement, unused
from equinotes.training.terms.dipole import DEBYE
from equinotes.training.terms.weight_norms import masks

SMOKE = RunConfig.preset("smoke", ls=(0, 1, 2), num_blocks=3)
ROWS = np.array([3, 2021, 40_000, 90_000])
CONTROLS = [name for name in TERMS if f"{name}_control" in TERMS and name != "bottleneck"]  # alike at the start


def config_of(name, weight=1.0):
    network = {"network": "se3_transformer", "ls": (0, 1)} if name.startswith("attention") else {}
    return SMOKE.but(**network, terms=(name,), term_weights=(weight,))


@pytest.fixture
def seen(qm9):
    """What a term gets for these molecules; the function takes its configuration and how the molecules are turned."""

    def made(config, turn=None, seed=0):
        net = prepare(config, qm9)[0]
        batch = batch_of(config, qm9, ROWS)
        batch = batch if turn is None else batch.rotated(turn)
        wanted = net.normalise(targets_of(config, qm9, ROWS), batch)
        features = features_of(net, batch)
        return Seen(net, batch, net.outputs(batch), wanted, features, torch.Generator().manual_seed(seed), qm9)

    return made


def term_of(config, seen):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_term(config.terms[0], config, seen.net)


@pytest.mark.parametrize("name", [name for name in TERMS if not name.startswith("denoise")])
def test_a_term_does_not_see_how_molecules_lie(name, seen):
    config = config_of(name)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    turn *= torch.linalg.det(turn) * (1 if config.network == "se3_transformer" else -1)
    values = [term_of(config, each)(each).item() for each in (seen(config), seen(config, turn))]
    assert values[0] == pytest.approx(values[1], rel=2e-3)


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_finite_and_moves_the_network(name, seen, qm9):
    config = config_of(name)
    net = seen(config).net
    loss = Objective(config, net).of_rows(net, qm9, ROWS, 0, "cpu")
    (value,) = loss.terms.values()
    assert math.isfinite(value.item())
    value.backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in net.parameters())


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_has_the_same_parts_and_another_gradient(name, qm9):
    gradients = []
    for each in (name, f"{name}_control"):
        config = config_of(each)
        net = prepare(config, qm9)[0]
        objective = Objective(config, net)
        objective.of_rows(net, qm9, ROWS, 0, "cpu").terms[each].backward()
        gradients.append(torch.cat([w.grad.flatten() for w in net.parameters() if w.grad is not None]))
        gradients[-1] = gradients[-1], {key: w.shape for key, w in objective.terms[each].named_parameters()}
    (one, parts), (other, same_parts) = gradients
    assert parts == same_parts
    assert one.shape != other.shape or (one - other).norm() > 1e-3 * one.norm()


@pytest.mark.parametrize("name", ["denoise", "dipole", "anisotropy"])
def test_orders_that_a_term_reads_must_be_there(name):
    with pytest.raises(ValueError, match=rf"term '{name}' reads l=\d, got ls=\(0, 3\)"):
        SMOKE.but(ls=(0, 3), terms=(name,), term_weights=(1.0,))


def test_an_entropy_needs_an_attention():
    with pytest.raises(ValueError, match="needs network 'se3_transformer', got 'paper'"):
        SMOKE.but(terms=("attention_entropy",), term_weights=(1.0,))


def test_what_denoising_says_turns_with_the_molecule_and_its_mirror_image(seen):
    config = config_of("denoise")
    turn = -torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    plain, turned = seen(config), seen(config, turn)
    term = term_of(config, plain)
    found = [term.vectors(each.features[term.layer][term.irrep]) for each in (plain, turned)]
    torch.testing.assert_close(found[1], found[0] @ turn.T, rtol=1e-3, atol=1e-5)


def test_denoising_without_an_answer_costs_the_variance_of_the_noise(seen):
    """A weight of zero says nothing: then the error is 1 - 1/n in molecules of n atoms, whose mean noise is taken off."""
    config = config_of("denoise")
    each = seen(config)
    term = term_of(config, each)
    with torch.no_grad():
        term.weight.zero_()
    values = [term(each).item() for _ in range(100)]
    atoms = torch.bincount(each.batch.molecule)
    assert np.mean(values) == pytest.approx(1 - len(atoms) / atoms.sum().item(), rel=0.05)


def test_noise_can_be_found_and_its_control_cannot(qm9):
    def after(name):
        config = SMOKE.but(ls=(0, 1), num_blocks=2, mul=8, terms=(name,), term_weights=(1.0,), pretrain_epochs=1)
        net, split = prepare(config, qm9)
        objective = Objective(config, net)
        optimizer = torch.optim.AdamW([*net.parameters(), *objective.parameters()], lr=1e-2)
        values = []
        for _ in range(40):
            optimizer.zero_grad()
            loss = objective.of_rows(net, qm9, split.train[:16], 0, "cpu")  # the same noise each time: it can be read at all
            loss.total.backward()
            optimizer.step()
            values.append(loss.terms[name].item())
        return np.mean(values[-5:])

    found, control = after("denoise"), after("denoise_control")
    assert found < 0.85 and control > found + 0.1


def test_the_dipole_is_that_of_its_charges(seen):
    """Charges 1/2 of their mean apart: compared with the sum over charges and positions, written out."""
    config = config_of("dipole")
    each = seen(config)
    term = term_of(config, each)
    with torch.no_grad():
        term.weight.zero_()
    vector = term.vector(each.features[term.layer], each.batch).detach().numpy()
    raw = (each.features[term.layer]["0e"][..., 0] @ term.charge).detach().numpy() / 4**0.5
    molecule, pos = each.batch.molecule.numpy(), each.batch.pos.numpy()
    for k in range(len(ROWS)):
        q = raw[molecule == k] - raw[molecule == k].mean()
        np.testing.assert_allclose(vector[k], 0.1 * DEBYE * (q[:, None] * pos[molecule == k]).sum(0), rtol=1e-3, atol=1e-4)


def test_labels_are_those_of_the_molecules(seen, qm9):
    each = seen(config_of("dipole"))
    np.testing.assert_allclose(each.labels("dipole").numpy(), qm9.targets["dipole"][ROWS], rtol=1e-6)
    values = torch.arange(4.0)[:, None]
    assert torch.allclose(centred(values, seen(config_of("dipole")).batch.__class__(
        each.batch.pos[:4], each.batch.z[:4], each.batch.edge_index[:, :0], torch.tensor([0, 0, 1, 1]), each.batch.rows[:2]
    )).flatten(), torch.tensor([-0.5, 0.5, -0.5, 0.5]))  # fmt: skip


def test_a_reversed_gradient_has_the_other_sign():
    x = torch.ones(3, requires_grad=True)
    (Reversed.apply(x) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [-1, -2, -3]


def test_the_discriminator_goes_down_and_the_network_up(seen, monkeypatch):
    """Minimised is error - weight x cross entropy by the network, error + weight x cross entropy by the discriminator."""
    config, slopes = config_of("adversarial"), []
    for reversal in (True, False):
        if not reversal:
            monkeypatch.setattr(Reversed, "apply", lambda x: x)
        each = seen(config)
        term = term_of(config, each)
        weights = [*term.parameters()], [each.net.path_weight(2)]
        value = term(each)
        slopes.append([torch.autograd.grad(value, some, retain_graph=True)[0] for some in weights])
    (own, others), (plain_own, plain_others) = slopes
    torch.testing.assert_close(own, plain_own)
    torch.testing.assert_close(others, -plain_others)
    assert others.abs().max() > 0


@pytest.mark.parametrize("name", ["dipole", "anisotropy"])
def test_shuffled_labels_are_those_of_other_molecules_and_others_in_each_step(name, seen):
    each, other = seen(config_of(f"{name}_control")), seen(config_of(f"{name}_control"), seed=1)
    term, plain = term_of(config_of(f"{name}_control"), each), term_of(config_of(name), each)
    labels = plain.wanted(each)
    drawn = [term.wanted(one) for one in (each, each, other, other)]
    assert all(torch.equal(some.sort().values, labels.sort().values) for some in drawn)
    assert len({tuple(some.tolist()) for some in (labels, *drawn)}) > 2


def test_sizes_are_whitened_over_orders_together():
    """An order ten times as large stays larger: a discriminator can see it."""
    rng = torch.Generator().manual_seed(0)
    parts = {"0e": torch.randn(50, 2, 1, generator=rng), "1o": 10 * torch.randn(50, 2, 3, generator=rng)}
    sizes = whitened(parts, 2)
    torch.testing.assert_close(sizes.flatten(0, 1).mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(sizes.flatten(0, 1).std(0, correction=0), torch.ones(2), atol=1e-4, rtol=0)
    assert sizes[:, 1].mean() > 0.5 > -0.5 > sizes[:, 0].mean()


def test_only_the_penalised_weights_are_counted(seen):
    each = seen(config_of("weight_l2"))
    for name, power in (("weight_l2", 2), ("weight_l1", 1)):
        by_block = []
        for block in (1, 2, 3):
            weight = each.net.path_weight(block).detach()
            slices = [weight[:, p.where] for p in each.net.block_paths() if p.block == block and (p.l1, p.l3) != (0, 0)]
            by_block.append(torch.cat(slices, dim=1).abs().pow(power).mean().item())
        assert term_of(config_of(name), each)(each).item() == pytest.approx(np.mean(by_block), rel=1e-5)


@pytest.mark.parametrize("name", ["weight_l1", "weight_l2"])
def test_the_controls_random_slices_are_of_equal_size(name, seen):
    each = seen(config_of(name))
    term, control = (term_of(config_of(other), each) for other in (name, f"{name}_control"))
    for block, mask in masks(each.net.config, each.net).items():
        assert torch.equal(term.get_buffer(f"mask{block}"), mask)
        drawn = control.get_buffer(f"mask{block}")
        assert drawn.sum() == mask.sum() and (mask.all() or not torch.equal(drawn, mask))


def test_cosines_of_equal_and_of_orthogonal_weights(seen):
    each = seen(config_of("weights_apart"))
    term = term_of(config_of("weights_apart"), each)
    assert term(each).item() < 0.05, "random weights are apart already"
    with torch.no_grad():
        for block in (2, 3):
            each.net.path_weight(block).copy_(torch.ones_like(each.net.path_weight(block)))
    assert term(each).item() == pytest.approx(1)
    paths = [BlockPath(1, l, 0, l, slice(2 * l, 2 * l + 2)) for l in (0, 1)]
    assert term.cosines(torch.tensor([[1.0, 0.0, 0.0, 5.0]]), paths, [(0, 1)]).item() == 0


def test_an_entropy_leaves_out_atoms_with_one_neighbour():
    weights, target = torch.tensor([[1.0], [0.9], [0.1], [0.5], [0.5]]), torch.tensor([0, 1, 1, 2, 2])
    found = entropies(weights, target, 4)
    assert found.shape == (2, 1)
    assert found[:, 0].tolist() == pytest.approx([-(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2), 1.0])


def test_agreement_on_labelled_molecules_is_a_reweighting_of_their_errors():
    """Sum of squared errors + lambda x sum over pairs = L (mean error)^2 + (1 + lambda L) x scatter around the mean."""
    rng = np.random.default_rng(0)
    for heads, strength in ((2, 0.3), (5, 7.0)):
        y, wanted = rng.normal(size=(20, heads)), rng.normal(size=20)
        pairs = sum((y[:, a] - y[:, b]) ** 2 for a, b in combinations(range(heads), 2))
        left = ((y - wanted[:, None]) ** 2).sum(1) + strength * pairs
        middle = y.mean(1)
        scatter = ((y - middle[:, None]) ** 2).sum(1)
        np.testing.assert_allclose(left, heads * (middle - wanted) ** 2 + (1 + strength * heads) * scatter)
        expected = pairs.mean() / math.comb(heads, 2)
        assert disagreement(torch.from_numpy(y)).item() == pytest.approx(expected)


def test_unlabelled_molecules_are_of_no_part_of_the_split(qm9, seen):
    config = config_of("consistency")
    pool = unused(config, qm9).numpy()
    split = draw_split(qm9, num_train=64, num_val=32, num_test=32, split_seed=0)
    assert len(pool) == len(qm9) - 128 and not set(pool) & set(np.concatenate([split.train, split.val, split.test]))
    each = seen(config)
    batch = term_of(config, each).unlabelled(each)
    assert batch.num_molecules == len(ROWS) and set(batch.rows.numpy()) <= set(pool)


def test_heads_of_the_control_read_shares_of_the_scalars(seen):
    each = seen(config_of("consistency_control"))
    term = term_of(config_of("consistency_control"), each)
    mask = term.get_buffer("mask")
    assert mask.shape == (3, 4) and mask.sum(0).tolist() == [1] * 4 and mask.sum(1).min() >= 1


def test_nats_of_a_channel_are_those_of_shannon():
    """(2l + 1) independent components of signal-to-noise ratio 3 each let log(2) through."""
    part = torch.full((10, 1, 5), 3.0)
    assert rate(part, torch.tensor([3.0**0.5 * 1.0])).item() == pytest.approx(5 * math.log(2), rel=1e-5)
    assert rate(part * 7, torch.tensor([7 * 3.0**0.5])).item() == pytest.approx(5 * math.log(2), rel=1e-5)


def test_a_constant_of_scalars_costs_no_nats():
    """Scalars may have a mean, which no atom is told from another by; vectors of one direction cannot be a constant."""
    rng = torch.Generator().manual_seed(0)
    scalars, sigma = torch.randn(50, 2, 1, generator=rng), torch.ones(2)
    assert rate(scalars + 100, sigma).item() == pytest.approx(rate(scalars, sigma).item(), rel=1e-4)
    assert rate(torch.full((50, 2, 1), 7.0), sigma).item() == 0 < rate(torch.full((50, 2, 3), 7.0), sigma).item()


def test_noise_of_the_bottleneck_goes_on_and_its_control_takes_that_of_the_next_order(seen, qm9):
    config = config_of("bottleneck")
    each = seen(config)
    term, control = (term_of(config_of(name), each) for name in ("bottleneck", "bottleneck_control"))
    with torch.no_grad():
        for one in (term, control):
            for name, log_sigma in one.log_sigma.items():
                log_sigma.fill_({"0e": -math.inf, "1o": math.log(2.0), "2e": -math.inf}[name.split("_")[1]])
    parts = {ir: torch.zeros(500, 4, d) for ir, d in (("0e", 1), ("1o", 3), ("2e", 5))}
    rng = torch.Generator().manual_seed(0)
    sizes = {ir: part.std().item() for ir, part in term.changed(1, parts, rng).items()}
    assert sizes["0e"] == sizes["2e"] == 0 and sizes["1o"] == pytest.approx(2, rel=0.05)
    sizes = {ir: part.std().item() for ir, part in control.changed(1, parts, rng).items()}
    assert sizes["1o"] == sizes["2e"] == 0 and sizes["0e"] == pytest.approx(2, rel=0.1)


def test_the_bottleneck_closes_what_leads_nowhere_first(qm9):
    """Behind the last block of the paper's network orders above 0 reach no energy: their nats fall, those of l = 0 stay."""
    config = SMOKE.but(ls=(0, 1), num_blocks=2, terms=("bottleneck",), term_weights=(1e-2,))
    net, split = prepare(config, qm9)
    objective = Objective(config, net)
    optimizer = torch.optim.AdamW([*net.parameters(), *objective.parameters()], lr=2e-2)
    for step in range(200):
        optimizer.zero_grad()
        objective.of_rows(net, qm9, split.train[:16], step, "cpu").total.backward()
        optimizer.step()
    rates = objective.terms["bottleneck"].rates(features_of(net, batch_of(config, qm9, split.train[:16])))
    before = (
        Objective(config, net)
        .terms["bottleneck"]
        .rates(features_of(prepare(config, qm9)[0], batch_of(config, qm9, split.train[:16])))
    )
    assert rates[2]["1o"] < 0.3 * rates[2]["0e"] and rates[2]["1o"] < 0.1 * before[2]["1o"]


def test_nothing_random_of_the_caller_is_touched(qm9):
    config = config_of("bottleneck")
    net = build_network(config)
    torch.manual_seed(5)
    Objective(config, net)
    one = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(one, torch.rand(1))
