"""Checkers of the chapters on packed features and on what a network reads."""

from typing import Any

import numpy as np

from equinotes.exercises.checking import Answer, Miss, as_mapping, case_seed, expect


def slicing(answer: Answer) -> int:
    """`answer(x, irreps)` cuts packed features [rows, dim] into {l: [rows, mul, 2l+1]}."""
    for irreps in ("2x0e+2x1o+2x2e", "4x0e+4x1o", "1x0e+3x1o+2x2e", "2x0e+1x3o+5x4e"):
        blocks = [(int(l), int(mul)) for mul, l in (block[:-1].split("x") for block in irreps.split("+"))]
        dim = sum(mul * (2 * l + 1) for l, mul in blocks)
        x = np.arange(3 * dim, dtype=float).reshape(3, dim)
        case = f"{irreps}, components numbered from 0"
        hint = "Let e3nn say where blocks lie: for (mul, ir), where in zip(irreps, irreps.slices())."
        got = as_mapping(case, answer(x.copy(), irreps), [l for l, _ in blocks], hint)
        starts = np.cumsum([0, *(mul * (2 * l + 1) for l, mul in blocks)])
        places = np.cumsum([0, *(mul for _, mul in blocks)])
        for (l, mul), start, place in [*zip(blocks, starts, places, strict=False)][::-1]:  # where l is high, cuts differ most
            block = x[:, start : start + mul * (2 * l + 1)]
            mistakes: list[tuple[Any, str]] = [
                (x[:, place : place + mul], _RELEASED),
                (x[:, start : start + mul], _SHORT),
                (block, "The block is right. Give it its axes: reshape(len(x), mul, 2 * l + 1)."),
                (block.reshape(3, 2 * l + 1, mul), "Channel by channel: all 2l+1 components of channel 1 come first."),
                (block.reshape(3, 2 * l + 1, mul).swapaxes(1, 2), "Channel by channel: all components of channel 1 come first."),
            ]
            mistakes += [(wrong[..., None], meant) for wrong, meant in mistakes[:2]]
            wanted = block.reshape(3, mul, 2 * l + 1)
            expect(f"{case}, l = {l}", got[l], wanted, mistakes=mistakes, hint=hint)
    return 4


_RELEASED = (
    "This is the bug: Counter(irreps.ls) counts channels, not components. A block is mul * (2l+1) long, and the next one starts "
    "behind all of it."
)
_SHORT = "It starts at the right place and ends too early: a block is mul * (2l+1) long."


def power_spectrum(answer: Answer) -> int:
    """`answer(part)` maps [atoms, mul, 2l+1] to the dot products of channels c <= c', [atoms, mul (mul + 1) / 2]."""
    rng = np.random.default_rng(case_seed())
    for mul, l in ((3, 1), (4, 2), (1, 1)):
        part = rng.normal(size=(5, mul, 2 * l + 1))
        gram = np.einsum("acm,adm->acd", part, part)
        upper = np.triu_indices(mul)
        wanted = gram[:, upper[0], upper[1]]
        squares = (part**2).sum(axis=-1)
        mistakes: list[tuple[Any, str]] = [
            (squares, "These are the squared lengths only. Products of different channels hold the angles between them."),
            (np.sqrt(squares), "These are lengths. The power spectrum is all dot products of two channels."),
            (gram, "Each pair is there twice: keep c <= c', by numpy.triu_indices(mul)."),
            (gram.reshape(5, -1), "Each pair is there twice: keep c <= c', by numpy.triu_indices(mul)."),
            (gram[:, *np.triu_indices(mul, 1)], "The channels with themselves, c = c', belong to it as well."),
            (np.einsum("acm,acn->amn", part, part), "You summed over channels and kept components: these turn. Sum over m."),
        ]
        expect(
            f"{mul} channels of order {l}, five atoms", answer(part.copy()), wanted, mistakes=mistakes if mul > 1 else [],
            law="p_cc' = sum_m x_cm x_c'm", hint="Sum over the components m, never over channels or atoms.",
        )  # fmt: skip
        if mul > 1:
            q = np.linalg.qr(rng.normal(size=(2 * l + 1, 2 * l + 1)))[0]
            expect("the features turned", answer(part @ q.T), wanted, hint="Products over m do not notice an orthogonal matrix.")
    return 5


def dead_weights(answer: Answer) -> int:
    """`answer(net, batch)` returns the paths (block, l1, l2, l3) whose weights never get a gradient."""
    from equinotes.config import RunConfig
    from equinotes.exercises.small import load_small
    from equinotes.networks import build_network

    batch = load_small().qm9.batch(range(8))
    for ls, num_blocks in (((0, 1, 2), 4), ((0, 2), 2)):
        net = build_network(RunConfig(ls=ls, mul=4, num_blocks=num_blocks))
        every = [(path.block, path.l1, path.l2, path.l3) for path in net.block_paths()]
        last = max(block for block, *_ in every)
        wanted = {path for path in every if path[0] == last and path[3] > 0}
        case = f"ls = {ls}, {num_blocks} blocks"
        hint = "The energy reads the scalars of the last block. Which paths end elsewhere, in that block?"
        got = answer(net, batch)
        try:
            found = {tuple(int(number) for number in path) for path in got}
        except (TypeError, ValueError):
            raise Miss(case, str(got)[:60], "a set of (block, l1, l2, l3)", "Collect tuples, one for each path.") from None
        if found == {path for path in every if path[3] > 0}:
            hint = "In earlier blocks features of l > 0 come back to scalars later. Only what no later block reads is dead."
        elif not found:
            hint = "Nothing found, yet some gradients are exactly zero. Did you cut out each path by grad[:, path.where]?"
        elif found == set(every):
            hint = "Every path looks dead: call backward() before you look at the gradients."
        if found != wanted:
            raise Miss(case, f"{len(found)} paths: {sorted(found)[:3]}", f"{len(wanted)} paths: {sorted(wanted)[:3]}", hint)
    return 2
