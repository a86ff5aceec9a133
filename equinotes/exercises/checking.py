"""Check a learner's function: the registry of exercises, the comparison of values, and the report that helps on failure."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from equinotes.support.errors import UserError, UserTypeError, unknown

Answer = Callable[..., Any]
"""What a learner hands in."""
Outcome = Literal["passed", "failed", "not done", "error"]
"""What a check can say: an error is an exception of the learner's code, not done is the stub as it was handed out."""


@dataclass(frozen=True)
class Exercise:
    """One exercise of the registry."""

    title: str
    place: str
    """Its checker, as `module:function` below `equinotes.exercises`."""
    start: str
    """Hint for whoever has not written anything yet."""


EXERCISES = {
    "decompose": Exercise(
        "Nine numbers fall apart into 1 + 3 + 5",
        "groups:decompose",
        "Start with the trace: one third of it times the identity is the part of order 0. Then split the rest by symmetry.",
    ),
    "characters": Exercise(
        "Which orders does a point group allow?",
        "harmonics:characters",
        "The number of invariants is the mean character. For a rotation by t it is 1 + 2 cos t + ... + 2 cos lt.",
    ),
    "legendre_fit": Exercise(
        "Fit sets of orders to the energy of an angle",
        "harmonics:legendre_fit",
        "Make one column P_l(cos) for each l of ls and solve the least-squares problem with numpy.linalg.lstsq.",
    ),
    "paths": Exercise(
        "List the paths of a product",
        "products:paths",
        "Loop over all triples of ls and keep those that pass two rules: triangle and parity.",
    ),
    "tensor_product": Exercise(
        "A tensor product by Clebsch-Gordan coefficients",
        "products:tensor_product",
        "e3nn.o3.wigner_3j(l1, l2, l3) has one axis for each order. Sum it with u and v: torch.einsum('abc,a,b->c', ...).",
    ),
    "parameters": Exercise(
        "Count the parameters of the paper's network",
        "products:parameters",
        "Count by parts: embedding, first block (its input is scalars only), four more blocks, readout, scale and shift.",
    ),
    "convolution": Exercise(
        "Write an equivariant convolution",
        "convolution:convolution",
        "Start from r = pos[source] - pos[target]. Scalars may use its length; vectors are r times a function of the length.",
    ),
    "counterexample": Exercise(
        "Break a layer that is not equivariant",
        "convolution:counterexample",
        "Return an orthogonal matrix R. Try a few: quarter turns about each axis, then the inversion -1.",
    ),
    "slicing": Exercise(
        "Find the slicing bug",
        "features:slicing",
        "e3nn knows where each block lies: irreps.slices(). A block is multiplicity times (2l+1) long.",
    ),
    "power_spectrum": Exercise(
        "Write the power spectrum",
        "features:power_spectrum",
        "Multiply channels by channels, part @ part^T, and keep the pairs c <= c' (numpy.triu_indices).",
    ),
    "dead_weights": Exercise(
        "Find the dead weights",
        "features:dead_weights",
        "Call backward on the sum of net.outputs(batch), then look at net.path_weight(block).grad for every net.block_paths().",
    ),
    "linear_baseline": Exercise(
        "Beat the paper's table with linear regression",
        "training:linear_baseline",
        "numpy.linalg.lstsq(counts_train, energy_train) gives one energy for each element.",
    ),
    "average": Exercise(
        "An exponential average of weights",
        "training:average",
        "Begin with a copy of the first weights, then mix: decay times the average plus (1 - decay) times the new weights.",
    ),
    "agreement": Exercise(
        "Agreement is a reweighting",
        "training:agreement",
        "The sum over pairs of (y_a - y_b)^2 is the number of heads times the sum of (y_a - mean)^2.",
    ),
    "attention": Exercise(
        "A softmax for every atom",
        "networks:attention",
        "numpy.bincount(target, numpy.exp(logits), atoms) holds the sum over the edges into each atom.",
    ),
    "melt": Exercise(
        "Turn the molecules and watch the map melt",
        "maps:melt",
        "Find the k nearest rows of each row in both arrays, itself left out, and count how many they have in common.",
    ),
    "angular_spectrum": Exercise(
        "The addition theorem as a descriptor",
        "bases:angular_spectrum",
        "Divide the vectors by their lengths; their dot products are the cosines of all pairs.",
    ),
    "permutation_test": Exercise(
        "A permutation test within one formula",
        "maps:permutation_test",
        "For each permutation copy y, then shuffle the copy group by group: y[members] = rng.permutation(y[members]).",
    ),
}
"""Every exercise that can be checked, by name; a new one is a checker and an entry here."""


_seed = 0


def seed_cases(seed: int) -> None:
    """Have later checks draw their random input from this seed (0 or more; 0 as the package is loaded).

    A function that knows the answers of one seed by heart fails under another. Cases that are not random stay as they are.
    """
    global _seed  # noqa: PLW0603 - one for the process, as torch.manual_seed
    if type(seed) is not int or seed < 0:
        raise UserError(f"a seed is a whole number from 0 on, got {seed!r}")
    _seed = seed


def case_seed() -> int:
    """The seed that random cases are drawn from."""
    return _seed


class Miss(Exception):
    """A case that a learner's function fails."""

    def __init__(self, case: str, got: str, wanted: str, hint: str, outcome: Outcome = "failed") -> None:
        super().__init__(case)
        self.case, self.got, self.wanted, self.hint, self.outcome = case, got, wanted, hint, outcome


@dataclass(frozen=True)
class Result:
    """What a check found; true where the function passes."""

    name: str
    outcome: Outcome
    message: str
    about: str = ""
    """The case that failed, or the exception."""

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return self.message


def exercises() -> dict[str, str]:
    """Title of every exercise that can be checked, by its name."""
    return {name: exercise.title for name, exercise in EXERCISES.items()}


def check(name: str, answer: Answer) -> Result:
    """Run a function against the laws and values of one exercise.

    The result says whether it passes; otherwise which case failed, what came out, what the law wants, and a hint. Nothing that
    the function raises is passed on. Raises UserError for an unknown exercise and UserTypeError for what is no function.

    >>> def decompose(A):
    ...     raise NotImplementedError
    >>> bool(check("decompose", decompose))
    False
    """
    if name not in EXERCISES:
        raise UserError(unknown("exercise", name, list(EXERCISES)))
    if not callable(answer):
        raise UserTypeError(f'check("{name}", function) takes the function itself, got {type(answer).__name__}')
    exercise = EXERCISES[name]
    module, _, function = exercise.place.partition(":")
    checker = getattr(import_module(f"equinotes.exercises.{module}"), function)
    try:
        cases = checker(_guarded(answer, exercise))
    except Miss as miss:
        lines = [f"{name}: not yet.", f"  case:   {miss.case}", f"  got:    {miss.got}"]
        message = "\n".join([*lines, f"  wanted: {miss.wanted}", f"  hint:   {miss.hint}"])
        return Result(name, miss.outcome, message, miss.got if miss.outcome == "error" else miss.case)
    return Result(name, "passed", f"{name}: passed, all {cases} cases.")


def _guarded(answer: Answer, exercise: Exercise) -> Answer:
    """The function, with what it raises turned into a report."""

    def call(*given: Any, **named: Any) -> Any:
        try:
            return answer(*given, **named)
        except NotImplementedError:
            stub = ("your function as it is", "nothing yet", "your code in place of the stub")
            raise Miss(*stub, exercise.start, "not done") from None
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            got = f"{type(error).__name__}: {error} (line {line} of the code that raised it)"
            hint = f"Mend the error first. {exercise.start}"
            raise Miss("a call with valid values", got, "a value", hint, "error") from None

    return call


def expect(
    case: str, got: Any, wanted: Any, *, hint: str, mistakes: Sequence[tuple[Any, str]] = (), law: str = "", atol: float = 1e-6
) -> None:
    """Compare a learner's value with the right one.

    `mistakes` are typical wrong values, each with the hint meant for it; `hint` serves all others. Raises Miss.
    """
    wanted = np.asarray(wanted, dtype=float)
    found = as_array(case, got, shown(wanted), hint)
    if found.shape == wanted.shape and np.allclose(found, wanted, atol=atol, rtol=1e-5):
        return
    for wrong, meant in mistakes:
        wrong = np.asarray(wrong, dtype=float)
        if found.shape == wrong.shape and np.allclose(found, wrong, atol=atol, rtol=1e-5):
            hint = meant
            break
    form = f" of shape {found.shape}" if found.shape != wanted.shape else ""
    wants = f"{shown(wanted)}{f' of shape {wanted.shape}' if form else ''}{f': {law}' if law else ''}"
    raise Miss(case, f"{shown(found)}{form}", wants, hint)


def as_array(case: str, got: Any, wanted: str, hint: str) -> np.ndarray:
    """A learner's value as a float array, or a Miss where it is none."""
    if got is None:
        raise Miss(case, "None", wanted, "Your function returns nothing: does it end in a return statement?")
    try:
        return np.asarray(got.detach() if hasattr(got, "detach") else got, dtype=float)
    except (TypeError, ValueError):
        raise Miss(case, f"{type(got).__name__} {str(got)[:60]}", wanted, hint) from None


def as_mapping(case: str, got: Any, keys: Sequence[Any], hint: str) -> Mapping[Any, Any]:
    """A learner's dictionary with these keys, or a Miss."""
    if not isinstance(got, Mapping) or set(got) != set(keys):
        found = f"a dictionary with the keys {list(got)}" if isinstance(got, Mapping) else type(got).__name__
        raise Miss(case, found, f"a dictionary with the keys {list(keys)}", hint)
    return got


def shown(values: Any) -> str:
    """A short text of numbers.

    >>> shown([1.0, 0.123456789])
    '[1.     0.1235]'
    """
    with np.printoptions(precision=4, suppress=True, threshold=12, edgeitems=3):
        return " ".join(str(np.asarray(values) + 0.0).split("\n"))
