"""Solutions pass, stubs fail with their hint, and typical wrong answers get the hint meant for them."""

import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from e3nn import o3
from numpy.polynomial.legendre import Legendre

from equinotes.audit.released import cut_like_released
from equinotes.exercises import check, exercises, seed_cases
from equinotes.exercises.checking import EXERCISES, case_seed
from equinotes.exercises.convolution import HINTS
from equinotes.exercises.notebooks import functions, student_version
from equinotes.support.errors import UserError, UserTypeError

ROOT = Path(__file__).parents[2]
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))


def results_in(path: Path, seed: int = 0) -> dict[str, object]:
    """Run a notebook's code cells in order, in one namespace, with this seed; the result of each check by its name."""
    notebook, namespace, results = nbformat.read(path, 4), {}, {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        lines = [line for line in cell.source.splitlines() if line.startswith("check(")]
        exec(cell.source, namespace)
        if "parameters" in cell.metadata.get("tags", []):
            namespace["seed"] = seed
        results |= {line.split('"')[1]: eval(line, namespace) for line in lines}
    return results


@pytest.fixture(autouse=True)
def first_cases():
    seed_cases(0)
    yield
    seed_cases(0)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solutions_pass_and_stubs_fail_with_their_hint(path, capsys):
    start = time.process_time()
    solved = results_in(path)
    assert time.process_time() - start < 30  # several checks, the loading of torch and e3nn included
    stubs = results_in(ROOT / "notebooks" / "exercises" / path.name)
    assert solved.keys() == stubs.keys() == functions(nbformat.read(path, 4)).keys() != set()
    for result in solved.values():
        assert result.passed, str(result)
    for name, result in stubs.items():
        assert not result.passed
        assert EXERCISES[name].start in result.message


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solutions_pass_whatever_the_cases(path, capsys):
    for seed in (1, 7):
        results = results_in(path, seed)
        assert case_seed() == seed
        assert all(result.passed for result in results.values()), results


def test_an_answer_learned_by_heart_fails_under_another_seed():
    known = {}

    def recorded(part):
        rows, columns = np.triu_indices(part.shape[1])
        return known.setdefault(part.tobytes(), np.einsum("acm,adm->acd", part, part)[:, rows, columns])

    def by_heart(part):
        return known.get(part.tobytes(), np.zeros(1))

    assert check("power_spectrum", recorded) and check("power_spectrum", by_heart)
    seed_cases(1)
    assert not check("power_spectrum", by_heart)


@pytest.mark.parametrize("seed", [-1, 0.5, True, "0"])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(UserError, match="a seed is a whole number from 0 on"):
        seed_cases(seed)


def test_every_exercise_stands_in_one_notebook():
    places = [name for path in SOLUTIONS for name in functions(nbformat.read(path, 4))]
    assert sorted(places) == sorted(exercises())
    assert len(places) >= 12


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_students_notebooks_are_made_from_the_solutions(path):
    student = nbformat.read(ROOT / "notebooks" / "exercises" / path.name, 4)
    assert student == student_version(nbformat.read(path, 4))
    assert "SOLUTION" not in nbformat.writes(student)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in student.cells)


def with_lists(coefficients):
    return lambda cosine, energy, ls: np.linalg.lstsq(np.stack(coefficients(cosine, ls), axis=1), energy)[0]


def mean_character(sign: bool, proper: bool, divide: bool) -> Callable:
    def count(l, operations):
        total = 0.0
        for g in operations:
            d = round(np.linalg.det(g)) if proper else 1
            angle = np.arccos(np.clip((np.trace(d * g) - 1) / 2, -1, 1))
            total += (d**l if sign else 1) * (1 + 2 * sum(np.cos(k * angle) for k in range(1, l + 1)))
        return total / (len(operations) if divide else 1)

    return count


def product_with(change: Callable) -> Callable:
    return lambda u, v, l1, l2, l3: change(torch.einsum("abc,a,b->c", o3.wigner_3j(l1, l2, l3, dtype=u.dtype), u, v), l3)


def layer_with(message: Callable, pool: str = "sum") -> Callable:
    def layer(x, pos, edge_index):
        source, target = edge_index
        r = pos[source] - pos[target]
        messages = message(x[source], r, r.norm(dim=1, keepdim=True), pos[source])
        summed = messages.new_zeros(len(pos), 4).index_add(0, target, messages)
        return summed * torch.arange(1.0, len(pos) + 1)[:, None] if pool == "numbered" else summed

    return layer


def stack(scalar, vector):
    return torch.cat([scalar, vector], dim=1)


def triples(keep: Callable) -> Callable:
    return lambda ls: [(a, b, c) for a in ls for b in ls for c in ls if keep(a, b, c)]


def count_with(first: Callable, number: Callable, missing: int = 0, blocks: int = 4) -> Callable:
    def count(ls, mul):
        start = 20 * mul + mul * first(ls) * 64 * mul
        return 6400 + start + blocks * (20 * mul + mul * number(ls) * mul**2) + mul + 2 - missing

    return count


def allowed(ls):
    return len([1 for a in ls for b in ls for c in ls if abs(a - b) <= c <= a + b and (a + b + c) % 2 == 0])


def triangle(ls):
    return len([1 for a in ls for b in ls for c in ls if abs(a - b) <= c <= a + b])


def short_cut(x, irreps):
    irreps = o3.Irreps(irreps)
    return {block.ir.l: x[:, where][:, : block.mul] for block, where in zip(irreps, irreps.slices(), strict=True)}


def cut_with(form: Callable) -> Callable:
    def cut(x, irreps):
        irreps = o3.Irreps(irreps)
        return {
            block.ir.l: form(x[:, where], block.mul, block.ir.dim) for block, where in zip(irreps, irreps.slices(), strict=True)
        }

    return cut


def paths_without_gradient(net, batch, keep=lambda path, last: True):
    last = max(path.block for path in net.block_paths())
    return {(p.block, p.l1, p.l2, p.l3) for p in net.block_paths() if keep(p, last)}


def spoiled_average(weights, decay):
    mean = weights[0]
    for w in weights[1:]:
        mean *= decay
        mean += (1 - decay) * w
    return mean


def from_zero(weights, decay):
    mean = np.zeros(3)
    for w in weights:
        mean = decay * mean + (1 - decay) * w
    return mean


def exchanged(weights, decay):
    mean = weights[0].copy()
    for w in weights[1:]:
        mean = (1 - decay) * mean + decay * w
    return mean


def spectrum(vectors, weights, l, own=True):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = np.outer(weights, weights) * Legendre.basis(l)(unit @ unit.T)
    return pairs.sum() - (0 if own else np.trace(pairs))


def nearest(x, k, start=1):
    return np.argsort(np.linalg.norm(x[:, None] - x[None], axis=-1), axis=1, kind="stable")[:, start : start + k]


def shared(a, b):
    return sum(len(set(i) & set(j)) for i, j in zip(a, b, strict=True))


def permuted(draw: Callable, p: Callable) -> Callable:
    def p_value(statistic, x, y, groups, permutations, rng):
        real = statistic(x, y)
        reached = sum(statistic(x, draw(y, groups, rng)) >= real for _ in range(permutations))
        return p(reached, permutations)

    return p_value


def within(y, groups, rng):
    y = y.copy()
    for group in np.unique(groups):
        y[groups == group] = rng.permutation(y[groups == group])
    return y


def correct(reached, permutations):
    return (reached + 1) / (permutations + 1)


def one_maximum_for_all(logits, target, atoms):
    powers = np.exp(logits - logits.max())
    return powers / np.bincount(target, powers, atoms)[target]


WRONG = [
    ("decompose", lambda A: (np.trace(A) * np.eye(3), (A - A.T) / 2, A), "divide by 3"),
    ("decompose", lambda A: (np.trace(A) / 3 * np.eye(3), A - A.T, A), "Take half of A - A^T"),
    ("decompose", lambda A: (np.trace(A) / 3 * np.eye(3), (A - A.T) / 2, (A + A.T) / 2), "still holds the trace"),
    ("decompose", lambda A: A, "End in `return first, second, third`"),
    ("characters", mean_character(sign=False, proper=True, divide=True), "then multiply by det(g)^l"),
    ("characters", mean_character(sign=True, proper=True, divide=False), "Divide by the number of operations"),
    ("characters", mean_character(sign=False, proper=False, divide=True), "take the angle of R = det(g) g"),
    ("legendre_fit", with_lists(lambda t, ls: [t**l for l in ls]), "coefficients of cos^l"),
    ("legendre_fit", with_lists(lambda t, ls: [Legendre.basis(l)(t) for l in range(len(ls))]), "must follow ls"),
    ("paths", triples(lambda a, b, c: abs(a - b) <= c <= a + b), "parity is not"),
    ("paths", triples(lambda a, b, c: abs(a - b) < c < a + b and (a + b + c) % 2 == 0), "Both ends"),
    ("paths", lambda ls: 2 * triples(lambda a, b, c: abs(a - b) <= c <= a + b and (a + b + c) % 2 == 0)(ls), "listed twice"),
    ("tensor_product", product_with(lambda w, l3: w), "Multiply by sqrt(2 l3 + 1)"),
    ("tensor_product", product_with(lambda w, l3: w * (2 * l3 + 1)), "not 2 l3 + 1"),
    ("tensor_product", product_with(lambda w, l3: -w * (2 * l3 + 1) ** 0.5 if l3 == 1 else w * (2 * l3 + 1) ** 0.5), "exchanged"),
    ("parameters", count_with(len, triangle), "ignore parity"),
    ("parameters", count_with(allowed, allowed), "The first block has scalars"),
    ("parameters", count_with(len, allowed, missing=2), "scale and one shift"),
    ("parameters", count_with(len, allowed, missing=6400), "embedding is missing"),
    ("parameters", count_with(len, allowed, blocks=2), "five blocks"),
    ("convolution", layer_with(lambda x, r, d, p: stack(x * d, x * p)), HINTS["translation"]),
    ("convolution", layer_with(lambda x, r, d, p: stack(x * d, x * r), pool="numbered"), HINTS["numbering"]),
    ("convolution", layer_with(lambda x, r, d, p: stack(x * r[:, :1], x * r)), HINTS["rotation"]),
    ("convolution", layer_with(lambda x, r, d, p: stack(x * d, x * r[:, [1, 2, 0]])), HINTS["axes"]),
    ("convolution", layer_with(lambda x, r, d, p: stack(x * d, torch.ones_like(r))), HINTS["rotation"]),
    ("convolution", layer_with(lambda x, r, d, p: stack(d, r)), HINTS["blind"]),
    ("convolution", lambda x, pos, edges: x, HINTS["blind"]),
    ("counterexample", lambda: 2 * np.eye(3), "R R^T must be the identity"),
    ("counterexample", lambda: np.diag([1.0, -1.0, -1.0]), "what is the determinant of yours"),
    ("slicing", cut_like_released, "Counter(irreps.ls) counts channels"),
    ("slicing", short_cut, "ends too early"),
    ("slicing", cut_with(lambda x, mul, dim: x), "Give it its axes"),
    ("slicing", cut_with(lambda x, mul, dim: x.reshape(len(x), dim, mul)), "components of channel 1 come first"),
    ("slicing", lambda x, irreps: list(x), "Let e3nn say where blocks lie"),
    ("power_spectrum", lambda part: (part**2).sum(-1), "squared lengths only"),
    ("power_spectrum", lambda part: np.linalg.norm(part, axis=-1), "These are lengths"),
    ("power_spectrum", lambda part: part @ part.swapaxes(1, 2), "twice"),
    ("power_spectrum", lambda part: part.swapaxes(1, 2) @ part, "kept components"),
    ("dead_weights", lambda net, batch: paths_without_gradient(net, batch, lambda p, last: p.l3 > 0), "In earlier blocks"),
    ("dead_weights", paths_without_gradient, "call backward() before"),
    ("dead_weights", lambda net, batch: set(), "Nothing found"),
    ("dead_weights", lambda net, batch: 5, "Collect tuples"),
    ("linear_baseline", lambda c, e, t: np.full(len(t), e.mean()), "all the same"),
    ("linear_baseline", lambda c, e, t: t[:, 1:] @ np.linalg.lstsq(c[:, 1:], e)[0], "hydrogen too"),
    ("linear_baseline", lambda c, e, t: np.linalg.lstsq(c, e)[0], "coefficients are found from the training molecules"),
    ("average", spoiled_average, "Use w.copy()"),
    ("average", from_zero, "starts from zero"),
    ("average", exchanged, "shares are exchanged"),
    ("average", lambda weights, decay: np.mean(weights, axis=0), "plain mean"),
    ("average", lambda weights, decay: None, "return statement"),
    ("agreement", lambda first, scatter, heads, strength: first + (1 + strength * heads) * scatter, "once for each head"),
    ("agreement", lambda first, scatter, heads, strength: heads * first + strength * heads * scatter, "a scatter of their own"),
    ("attention", lambda x, target, atoms: np.exp(x) / np.exp(x).sum(), "Each atom has its own"),
    ("attention", lambda x, target, atoms: np.bincount(target, np.exp(x - x.max()), atoms), "the share that it has in its atom"),
    ("attention", lambda x, target, atoms: np.exp(x - x.max()), "not divided by the sum"),
    ("attention", lambda x, target, atoms: x / np.bincount(target, x, atoms)[target], "take the exponential first"),
    ("attention", lambda x, target, atoms: np.exp(x) / np.bincount(target, np.exp(x), atoms)[target], "too large for a float"),
    ("attention", one_maximum_for_all, "largest logit of each atom"),
    ("angular_spectrum", lambda v, w, l: spectrum(v, w, l, own=False), "pairs of a neighbour with itself are missing"),
    ("angular_spectrum", lambda v, w, l: (spectrum(v, w, l) + (w**2).sum()) / 2, "Each pair counts twice"),
    ("melt", lambda a, b, k: shared(nearest(a, k, 0), nearest(b, k, 0)) / k / len(a), "its own nearest neighbour"),
    ("melt", lambda a, b, k: shared(nearest(a, k), nearest(b, k)) / len(a), "Divide by k"),
    ("melt", lambda a, b, k: shared(nearest(a, k), nearest(b, k)), "This is a count"),
    ("melt", lambda a, b, k: (nearest(a, k) == nearest(b, k)).mean(), "Compare sets"),
    ("permutation_test", permuted(lambda y, g, rng: rng.permutation(y), correct), "from one formula to another"),
    ("permutation_test", permuted(lambda y, g, rng: rng.choice(y, len(y)), correct), "do not draw with replacement"),
    ("permutation_test", permuted(within, lambda reached, n: reached / n), "Never exactly 0"),
    ("permutation_test", permuted(within, lambda reached, n: 1 - (reached + 1) / (n + 1)), "stay below the real value"),
    ("permutation_test", permuted(lambda y, g, rng: y, correct), "Permute y before"),
]


@pytest.mark.parametrize(("name", "answer", "hint"), WRONG, ids=[f"{name}-{number}" for number, (name, *_) in enumerate(WRONG)])
def test_typical_wrong_answers_get_the_hint_meant_for_them(name, answer, hint):
    result = check(name, answer)
    assert not result
    assert hint in result.message.split("  hint:   ")[1], str(result)
    for part in ("case:", "got:", "wanted:"):
        assert part in result.message


def test_every_exercise_knows_typical_mistakes():
    names = [name for name, *_ in WRONG]
    assert min(names.count(name) for name in exercises()) >= 2


def test_what_a_function_raises_is_reported_and_not_passed_on():
    result = check("average", lambda weights, decay: 1 / 0)
    assert not result
    assert "ZeroDivisionError: division by zero" in result.message


def test_an_unknown_name_and_a_call_in_place_of_a_function_are_refused():
    with pytest.raises(UserError, match="did you mean 'slicing'"):
        check("slicin", len)
    with pytest.raises(UserTypeError, match="takes the function itself, got ndarray"):
        check("slicing", np.zeros(3))
