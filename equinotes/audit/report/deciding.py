"""Numbers of the page of protocol 2: six rows and the chart. The ladder's top is in `top`, what was run where in `made`."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from equinotes.audit.protocol import Tables, steps
from equinotes.audit.protocols.second.beside import beside, judged_by_last
from equinotes.audit.protocols.second.claims import CLAIMS, MARGIN, SHARE, STRUCTURE
from equinotes.audit.protocols.second.evidence import Evidence, Network, answers, change_of
from equinotes.audit.protocols.second.parts import OPPOSITE, RATIO, SHOWN, UNDECIDED
from equinotes.audit.protocols.second.rules import baseline_table, judge, ladder_table, parts_table
from equinotes.audit.protocols.second.runs import (
    FOUR,
    LOW,
    MAIN,
    SCALES,
    SUBSTITUTES,
    TOP,
    WITHOUT,
    Orders,
    left_out,
    matched,
)
from equinotes.audit.report.structure import structured
from equinotes.audit.reported import counted_parameters
from equinotes.config import RunConfig
from equinotes.support.text import listed

RULES = ("931dc363", "2026-11-26T14:47:15+00:00")
"""The commit of claims, rules, thresholds and their code, and its date."""
PAIRS: tuple[Orders, ...] = ((3, 4), (1, 2))
"""Orders that stored networks lack together; 0-4 without them are networks of C5."""


OUTCOMES = {"shown": SHOWN, "opposite": OPPOSITE, "undecided": UNDECIDED}
"""What parts can say, by the name of the list of those that do."""
LADDER = ("claim", "first", "second", "scale", "estimate", "low", "high", "last", "seeds", "outcome", "why")
"""Columns of `ladder_table`, which has none where nothing was run."""


def six_rows(tables: Tables) -> list[dict[str, Any]]:
    """One row per claim: `claim` (see `Claim`), `verdict`, `parts` (how many), `judged` (how many can be judged), `decisive`,
    `shown`, `opposite` and `undecided` (names of the parts that say so on their own, among those that can be judged).

    `decisive` is the part that decides or, where that part is not known, the known part nearest to a result, with `estimate`,
    `low`, `high`, `unit`, `outcome`, `seeds`, `scale`, `last`, `matters`, the least change that counts, and `elsewhere`, the
    rung where it is not the one that most is judged at; None where nothing is known. `siding` and `opposing`: the parts that
    are shown, and those whose opposite is, with the same numbers; of the latter errors come first, and the part that decides
    before others. `missing`: why other parts are open. `by_last`: the verdict were the last iterate judged, of claims about
    errors. `uncontrolled`: parts without a parameter-matched control. `free`, of C5: orders of `network` that are used though
    training without them is not shown to cost what matters.
    `full`, of C3: the comparison under the paper's settings (see `beside`) while the rule does not count it; {} otherwise.
    `turned`, of other claims about errors: whether that comparison comes out otherwise there than at lower rungs. `rungs`: other
    rungs than the one that most is judged at, where parts of the claim are judged.
    """
    verdicts, parts, by_last = judge(tables).set_index("claim"), parts_table(tables), judged_by_last(tables)
    parts = parts.assign(matters=[least_that_counts(*row) for row in parts[["part", "unit"]].itertuples(index=False)],
                         elsewhere=[_elsewhere(scale) for scale in parts["scale"]])  # fmt: skip
    full, rows = beside(tables, "C3").get("full", {}), []
    for claim in CLAIMS:
        of = parts[parts["claim"] == claim.name]
        known = of[of["estimate"].notna() & (of["why"] == "")]
        deciding = known[known["part"] == verdicts.loc[claim.name, "part"]]
        if deciding.empty and len(known):
            deciding = known.loc[[known[["p_for", "p_against"]].min(axis=1).idxmin()]]
        opposing = known[known["outcome"] == OPPOSITE]
        opposing = opposing.assign(
            other=opposing["unit"] == "difference", decides=opposing["part"] != verdicts.loc[claim.name, "part"]
        )
        rows.append(
            {"claim": claim, "verdict": verdicts.loc[claim.name, "verdict"], "parts": len(of), "judged": len(known),
             **{name: known.loc[known["outcome"] == outcome, "part"].tolist() for name, outcome in OUTCOMES.items()},
             "decisive": None if deciding.empty else deciding.iloc[0].to_dict(), "missing": _reasons(of),
             "ladder": verdicts.loc[claim.name, "ladder"], "changes": bool(verdicts.loc[claim.name, "changes"]),
             "siding": known[known["outcome"] == SHOWN].sort_values("p_for").to_dict("records"),
             "opposing": opposing.sort_values(["other", "decides"], kind="stable").to_dict("records"),
             "uncontrolled": int(of["matched"].isna().sum()), "by_last": by_last.get(claim.name, ""),
             **(_free(tables) if claim.name == "C5" and len(known) else {"network": "", "free": []}),
             "full": full if claim.name == "C3" and full and not full["judged"] else {},
             "turned": claim.name in ("C1", "C5") and _turns(full),
             "rungs": [scale for scale in SCALES if scale in set(known["elsewhere"])]}
        )  # fmt: skip
    return rows


def _elsewhere(scale: str) -> str:
    rung = scale.partition(", block")[0]
    return rung if rung in SCALES and rung != MAIN else ""


def least_that_counts(part: str, unit: str) -> float:
    """The change from which a part is shown, by its name and unit; zero where an order must move predictions more than others.

    >>> least_that_counts("l = 1 gains no structure", "difference")
    0.05
    """
    if unit == RATIO:
        return MARGIN
    return STRUCTURE if "structure" in part else 0.0 if "dominates" in part else SHARE


def _free(tables: Tables) -> dict[str, Any]:
    found = beside(tables, "C5")
    return {"network": found.get("network", ""), "free": [row["l"] for row in found.get("orders", ())]}


def _turns(full: dict[str, Any]) -> bool:
    return bool(full) and full["change"] * (full["best"][1] / full["best"][0] - 1) < 0


def beside_rules(tables: Tables) -> dict[str, dict[str, Any]]:
    """What stands beside the rule of each claim, by its name; see `equinotes.audit.protocols.second.beside`."""
    return {claim.name: beside(tables, claim.name) for claim in CLAIMS}


def _reasons(parts: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(why for why in parts["why"] if why))


def in_words(tables: Tables) -> list[dict[str, str]]:
    """The six rows in the sentences of the page: `name`, `statement`, `verdict`, `against`, `pro`, `care`, for pages to copy."""
    from equinotes.support.templates import FILTERS, sentences

    say, sentence = sentences("second"), FILTERS["sentence"]
    return [
        {"name": row["claim"].name, "statement": row["claim"].statement, "verdict": row["verdict"],
         **{name: sentence(say(name, row=row)) for name in ("against", "pro", "care")}}
        for row in six_rows(tables)
    ]  # fmt: skip


def headline(tables: Tables) -> dict[str, Any]:
    """Numbers of the main result.

    `rows` (see `six_rows`), `error` (C3 along the ladder), `uses`, `costs` (see `chart`), `structure` (see `structured`), and
    what `scales` gives.
    """
    shown = chart(tables)
    return {"rows": six_rows(tables), "error": without_low(tables), "uses": shown.uses,
            "costs": shown.costs.dropna(subset="cost"), "structure": structured(tables), **scales()}  # fmt: skip


def without_low(tables: Tables) -> pd.DataFrame:
    """Rows of `ladder_table` about the error of orders 0, 3-6 in place of 0-4, at the rungs that count."""
    ladder = ladder_of(tables, "C3")
    return ladder[(ladder["first"] == str(Network(FOUR, 16))) & (ladder["second"] == str(Network(WITHOUT, 16)))]


def scales() -> dict[str, dict[str, Any]]:
    """`scale`: how the networks that are judged were trained, `papers`: the paper's settings; see `size_of`."""
    return {"scale": size_of(MAIN), "papers": size_of(TOP)}


def size_of(scale: str) -> dict[str, Any]:
    """How a rung of the ladder is trained: `molecules`, `steps`, `batch`, `rate`, `reference`."""
    config = RunConfig.from_dict(SCALES[scale])
    return {"molecules": config.num_train, "steps": steps(config),
            "batch": config.batch_size, "rate": config.lr, "reference": config.reference}  # fmt: skip


def parts_of(tables: Tables, claim: str) -> pd.DataFrame:
    """The parts of one claim; see `parts_table`."""
    table = parts_table(tables)
    return table[table["claim"] == claim]


def ladder_of(tables: Tables, claim: str) -> pd.DataFrame:
    """The comparisons of one claim at every rung that counts; see `ladder_table`."""
    table = ladder_table(tables).reindex(columns=LADDER)
    return table[(table["claim"] == claim) & (table["why"] == "")]


class Chart(NamedTuple):
    """What shuffling an order costs, and what training without it costs, as relative changes of the error.

    `uses`: by order above 0 `l`, `damage`, `low`, `high`, `layer`, `seeds`, `answer`; `dots`: `l`, `seed`, `damage`. `costs`: by
    set of orders left out `name`, `cost`, `low`, `high`, NaN where nothing was trained; `cost_dots`: `name`, `cost`. Both are
    those of the rung `MAIN`, so that a damage and a cost are of networks of one length of training.
    """

    uses: pd.DataFrame
    dots: pd.DataFrame
    costs: pd.DataFrame
    cost_dots: pd.DataFrame


def chart(tables: Tables, ls: Orders = FOUR, mul: int = 16) -> Chart:
    """The chart of one network; damage is the smaller of its own and that above the untrained twin, behind the worst block."""
    evidence, network = Evidence(tables), Network(ls, mul)
    found, dots = answers(evidence, network, at=MAIN), []
    names = {"damage_low": "low", "damage_high": "high"}
    uses = found[["l", "answer", "damage", *names, "layer", "seeds", "scale"]].rename(columns=names) if len(found) else found
    for l, layer in zip(found.get("l", ()), found.get("layer", ()), strict=True):
        sides = [evidence.damages(network, column, at=MAIN)[1] for column in ("damage", "excess")]
        cells = [
            side[next(cell for cell in side.columns.tolist() if cell[0] == layer and int(cell[1][:-1]) == l)] for side in sides
        ]
        smaller = min(cells, key=lambda cell: cell.mean())
        dots += [{"l": l, "seed": seed, "damage": float(np.expm1(value))} for seed, value in smaller.items()]
    costs, cost_dots = [], []
    for out in [*((l,) for l in ls[1:]), *(pair for pair in PAIRS if set(pair) < set(ls))]:
        without = Network(tuple(l for l in ls if l not in out), mul)
        comparison = evidence.comparison(network, without, MAIN)
        cost = change_of("cost", comparison.counted)
        costs.append({"name": listed(out), "cost": cost["cost"], "low": cost["cost_low"], "high": cost["cost_high"],
                      "seeds": " and ".join(map(str, comparison.seeds))})  # fmt: skip
        whole = np.exp(np.mean(np.log(list(evidence.errors(network, MAIN).values()) or [np.nan])))
        cost_dots += [{"name": listed(out), "cost": mae / whole - 1} for mae in evidence.errors(without, MAIN).values()]
    return Chart(uses, pd.DataFrame(dots, columns=["l", "seed", "damage"]), pd.DataFrame(costs),
                 pd.DataFrame(cost_dots, columns=["name", "cost"]))  # fmt: skip


def sizes(tables: Tables) -> dict[str, Any]:
    """Parameters beside the chart: of orders 0-4 (`whole`) and of the networks without orders (`least`, `most`), and what orders
    0-2 cost with as many channels and with as many parameters (`few`: `change`, `low`, `high`; NaN where it is not known);
    `equal`: cost at equal parameters by the orders left out together; `margin`: the least cost that counts.
    """
    whole, evidence = Network(FOUR, 16), Evidence(tables)
    without = [counted_parameters(left, 16) for left in (*left_out(FOUR), *SUBSTITUTES[:2])]
    rows, equal = [], dict[str, float]()
    for out in PAIRS:
        left = tuple(l for l in FOUR if l not in out)
        control = Network(*matched(left, *whole))
        equal[listed(out)] = change_of("cost", evidence.comparison(whole, control, MAIN).counted)["cost"]
    for few in (Network(LOW, 16), Network(*matched(LOW, *whole))):
        cost = change_of("cost", evidence.comparison(whole, few, MAIN).counted)
        rows.append({"name": str(few), "parameters": counted_parameters(*few), "change": cost["cost"], "low": cost["cost_low"],
                     "high": cost["cost_high"]})  # fmt: skip
    return {"whole": counted_parameters(*whole), "least": min(without), "most": max(without), "few": rows,
            "equal": equal, "margin": MARGIN}  # fmt: skip


def left_behind(tables: Tables) -> pd.DataFrame:
    """Mean errors by reference, scale and network beside the linear baseline; see `baseline_table`."""
    return baseline_table(tables)
