"""Flags of the command line, made from the fields of `RunConfig`."""

import ast
import inspect
from collections.abc import Sequence
from dataclasses import asdict, field, fields, make_dataclass
from itertools import pairwise, product
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from equinotes.config import PRESETS, RunConfig
from equinotes.support.errors import UserError, unknown
from equinotes.support.values import parse


def _in_one_word(name: str, metavar: str, hint: Any) -> Any:
    """The type of a flag that takes a tuple as one word, with commas between the items."""
    spec = PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: parse(name, words[0], hint),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda values: [",".join(map(str, values))],
    )
    return Annotated[hint, spec]


Orders: Any = _in_one_word("ls", "ORDERS", tuple[int, ...])
"""Orders in one word: `0,1,2` or `0,3-6`."""

METAVARS = {"ls": "ORDERS", "auxiliary": "NAMES", "terms": "NAMES", "term_weights": "NUMBERS"}
_HINTS = get_type_hints(RunConfig)
WORDS = {"ls": Orders} | {name: _in_one_word(name, word, _HINTS[name]) for name, word in METAVARS.items() if name != "ls"}
"""Flags that take several items in one word, between commas (`dipole,alpha`); an empty word means none."""


def field_docs() -> dict[str, str]:
    """The docstring under each field of `RunConfig`.

    >>> field_docs()["epochs"]
    'Passes over the training set.'
    """
    docs = {}
    for pair in pairwise(ast.parse(inspect.getsource(RunConfig)).body[0].body):  # type: ignore[attr-defined]
        match pair:
            case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text)))):
                docs[name] = inspect.cleandoc(text)
    return docs


def config_flags(defaults: RunConfig, *, many: bool) -> type:
    """A dataclass with one flag per field of `RunConfig`; with `many` each flag takes one or more values."""
    docs, hints = field_docs(), get_type_hints(RunConfig)
    flags = []
    for each in fields(RunConfig):
        hint: Any = WORDS.get(each.name, hints[each.name])
        default = getattr(defaults, each.name)
        text = " ".join(docs[each.name].split()) + _more(each.name)
        kind: Any = Annotated[hint, tyro.conf.arg(help=text)]
        if many:
            kind = Annotated[tuple[hint, ...], tyro.conf.arg(help=text, metavar=f"{_word(each.name, hint)} ...")]
        flags.append((each.name, kind, field(default=(default,) if many else default)))
    return make_dataclass("Flags", flags, kw_only=True)


def _more(name: str) -> str:
    """What the help of a flag says beyond the field's docstring: how it is written, known names, networks that read it."""
    from equinotes.networks import NETWORKS  # names and fields, no torch
    from equinotes.training.terms import TERMS

    more = {"ls": " Written 0,1,2 or 0,3-6.", "terms": f" Names: {', '.join(TERMS)}."}.get(name, "")
    readers = [network for network, entry in NETWORKS.items() if name in entry.reads.split()]
    return more + (f" Networks that read it: {', '.join(readers)}." if 0 < len(readers) < len(NETWORKS) else "")


def _word(name: str, hint: Any) -> str:
    if name in METAVARS:
        return METAVARS[name]
    return f"{{{','.join(get_args(hint))}}}" if get_origin(hint) is Literal else hint.__name__.upper()


def sides_of(words: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, int] | None]:
    """The two sets of orders of a comparison, and their channels where both name them after a colon.

    >>> sides_of(["0:12", "0,1:8"]), sides_of(["0", "0-2"])
    (((0,), (0, 1), (12, 8)), ((0,), (0, 1, 2), None))
    """
    if len(words) != 2:
        raise UserError(f"--compare takes two sets of orders, got {len(words)}")
    sides = []
    for word in words:
        orders, colon, channels = word.partition(":")
        try:
            given = {"ls": parse("ls", orders, _HINTS["ls"])}
            given |= {"mul": parse("mul", channels, int)} if colon else {}
            sides.append((RunConfig(**given).ls, given.get("mul")))
        except UserError as error:
            raise UserError(f"--compare {word}: {error}") from None
    (first, one), (second, other) = sides
    if (one is None) != (other is None):
        raise UserError(f"--compare takes channels of both sets or of none, such as 0:12 0,1:8, got {' '.join(words)}")
    return first, second, None if one is None or other is None else (one, other)


def preset_of(argv: Sequence[str]) -> tuple[Any, RunConfig]:
    """The preset named in the arguments, and the configuration that the other flags start from."""
    for place, word in enumerate(argv):
        flag, equals, name = word.partition("=")
        if flag == "--preset":
            name = name if equals else (argv[place + 1] if place + 1 < len(argv) else "")
            if name not in PRESETS:
                raise UserError(unknown("preset", name, list(PRESETS)))
            return name, RunConfig.preset(name)
    return None, RunConfig()


def configs_of(flags: Any) -> list[RunConfig]:
    """Every combination of the values of the flags, the first flags varying slowest; equal ones once.

    >>> Flags = config_flags(RunConfig(), many=True)
    >>> [(config.ls, config.seed) for config in configs_of(Flags(ls=((0,), (0, 1)), seed=(0, 1)))]
    [((0,), 0), ((0,), 1), ((0, 1), 0), ((0, 1), 1)]
    """
    values = {each.name: getattr(flags, each.name) for each in fields(flags)}
    for name, some in values.items():
        if not some:
            raise UserError(f"--{name.replace('_', '-')} needs at least one value")
    found = [RunConfig(**dict(zip(values, combination, strict=True))) for combination in product(*values.values())]
    return list(dict.fromkeys(found))


def config_of(flags: Any) -> RunConfig:
    """The configuration of single-valued flags."""
    return RunConfig(**asdict(flags))
