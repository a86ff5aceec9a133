"""Checkers of the chapter on tensor products."""

from typing import Any

import numpy as np

from equinotes.exercises.checking import Answer, Miss, case_seed, expect


def paths(answer: Answer) -> int:
    """`answer(ls)` returns the triples (l1, l2, l3) that exist in natural parity."""
    hint = "Two rules decide: |l1 - l2| <= l3 <= l1 + l2, and l1 + l2 + l3 is even."
    sets = {(0, 1): 4, (0, 3): 4, (0, 1, 2): 11, (0, 2, 4): 15, (0, 1, 2, 3, 4): 42, (0, 3, 4, 5, 6): 45}  # counts of the paper
    for ls, number in sets.items():
        got, case = answer(ls), f"ls = {ls}"
        try:
            found = {(int(a), int(b), int(c)) for a, b, c in got}
        except (TypeError, ValueError):
            raise Miss(case, str(got)[:60], f"{number} triples (l1, l2, l3)", hint) from None
        triangle = {(a, b, c) for a in ls for b in ls for c in ls if abs(a - b) <= c <= a + b}
        wanted = {triple for triple in triangle if sum(triple) % 2 == 0}
        if found == triangle != wanted:
            hint = "The triangle rule is there, parity is not: in natural parity l1 + l2 + l3 must be even."
        elif found == {t for t in wanted if abs(t[0] - t[1]) < t[2] < t[0] + t[1]}:
            hint = "Both ends of the triangle rule are allowed: l3 = |l1 - l2| and l3 = l1 + l2."
        if found != wanted:
            raise Miss(case, f"{len(found)} triples, such as {sorted(found)[:4]}", f"{number}: {sorted(wanted)[:4]}, ...", hint)
        if len(list(got)) != len(wanted):
            raise Miss(case, f"{len(list(got))} entries", f"{number}, each once", "Some triple is listed twice.")
    return len(sets)


def tensor_product(answer: Answer) -> int:
    """`answer(u, v, l1, l2, l3)` returns (u x v)^l3 in component normalisation, as e3nn's TensorProduct does."""
    import torch

    generator = torch.Generator().manual_seed(case_seed())
    triples = [(1, 1, 0), (1, 1, 1), (1, 1, 2), (2, 1, 1), (2, 2, 2), (1, 2, 3)]
    for l1, l2, l3 in triples:
        u = torch.randn(2 * l1 + 1, generator=generator, dtype=torch.float64)
        v = torch.randn(2 * l2 + 1, generator=generator, dtype=torch.float64)
        wanted = _by_e3nn(u, v, l1, l2, l3)
        got = answer(u.clone(), v.clone(), l1, l2, l3)
        factor = float(np.sqrt(2 * l3 + 1))
        mistakes: list[tuple[Any, str]] = [
            (wanted / factor, "Multiply by sqrt(2 l3 + 1): e3nn keeps the mean square of a component at 1."),
            (-wanted, "The sign is wrong: u and v are exchanged. l1 belongs to u, and for odd l1 + l2 + l3 the order matters."),
            (-wanted / factor, "u and v are exchanged, and the factor sqrt(2 l3 + 1) is missing."),
            (wanted * factor, "The factor is sqrt(2 l3 + 1), not 2 l3 + 1."),
        ]
        expect(
            f"({l1}, {l2}) -> {l3}", got, wanted, mistakes=mistakes, law="as e3nn.o3.TensorProduct",
            hint="Sum C[m1, m2, m3] u[m1] v[m2] over m1 and m2 with C = o3.wigner_3j(l1, l2, l3), then times sqrt(2 l3 + 1).",
        )  # fmt: skip
    return len(triples)


def _by_e3nn(u: Any, v: Any, l1: int, l2: int, l3: int) -> Any:
    import torch
    from e3nn import o3

    parity = (-1) ** (l1 + l2)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        product = o3.TensorProduct(
            [(1, (l1, (-1) ** l1))], [(1, (l2, (-1) ** l2))], [(1, (l3, parity))], [(0, 0, 0, "uuu", False)]
        )
        return product(u, v)
    finally:
        torch.set_default_dtype(before)


def parameters(answer: Answer) -> int:
    """`answer(ls, mul)` returns the number of parameters of the paper's network."""
    cases = {((0, 1, 2, 4), 32): 3_024_290, ((0, 1, 2), 32): 1_648_034, ((0, 3, 4, 5, 6), 16): 827_218, ((0, 1), 8): 23_594}
    for (ls, mul), wanted in cases.items():
        number = sum(1 for a in ls for b in ls for c in ls if abs(a - b) <= c <= a + b and (a + b + c) % 2 == 0)
        loose = sum(1 for a in ls for b in ls for c in ls if abs(a - b) <= c <= a + b)
        mistakes = [
            (_count(len(ls), loose, mul), "Your paths ignore parity: in natural parity l1 + l2 + l3 must be even."),
            (_count(number, number, mul), "The first block has scalars as input, so it has one path for each l, not all paths."),
            (_count(len(ls), number, mul) - 2, "One scale and one shift of the output are parameters too: 2 are missing."),
            (_count(len(ls), number, mul) - 6400, "The embedding is missing: a table of 100 elements with 64 numbers each."),
            (_count(len(ls), number, mul, blocks=3), "The released code builds five blocks: the first one and four more."),
        ]
        expect(
            f"ls = {ls}, mul = {mul}", answer(ls, mul), wanted, mistakes=mistakes, atol=0.4,
            hint="Compare with the worked count of 1,648,034 in the chapter on products, part by part.",
        )  # fmt: skip
    return len(cases)


def _count(first: int, number: int, mul: int, blocks: int = 5) -> int:
    later = (blocks - 1) * (20 * mul + mul * number * mul**2)
    return 6400 + 20 * mul + mul * first * 64 * mul + later + mul + 2
