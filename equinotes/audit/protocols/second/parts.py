"""The parts of each claim: an estimate, a test that shows the part, and a test that shows its opposite."""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from equinotes.analysis.inference import UNKNOWN, Estimate, against_sample, holm, mean, welch
from equinotes.audit.protocols.second.claims import ALPHA, SHARE, STRUCTURE
from equinotes.audit.protocols.second.evidence import (
    LOG_MARGIN,
    SCORE,
    Comparison,
    Evidence,
    Network,
    Use,
    cells_of,
    lowered,
    order_of,
    raised,
    zero_against_others,
)
from equinotes.audit.protocols.second.runs import ADDED, FOUR, LOW, MAIN, SCALES, SIX, SUBSTITUTES, WITHOUT, matched

RATIO, DIFFERENCE = "log ratio", "difference"
SHOWN, OPPOSITE, UNDECIDED = "shown", "opposite shown", "open"
MORE_STRUCTURE = "l = 3 and 4 gain more structure than in 0–4"
NOT_EXAMINED = "too few of its networks have been examined"


class Part(NamedTuple):
    """One part of a claim; `p_for` shows it, `p_against` its opposite. Where nothing is known both are 1, and `why` says why."""

    name: str
    estimate: Estimate
    unit: str
    p_for: float
    p_against: float
    seeds: str = ""
    scale: str = ""
    why: str = ""
    last: Estimate = UNKNOWN
    matched: Estimate = UNKNOWN

    @property
    def outcome(self) -> str:
        """What the part says on its own, without correction for the other parts."""
        return SHOWN if self.p_for <= ALPHA else OPPOSITE if self.p_against <= ALPHA else UNDECIDED


def added_orders(evidence: Evidence) -> list[Part]:
    """C1: for each set with more orders, the error is not lower; at equal channels, and its opposite at equal parameters too."""
    scale = _common_rung(evidence)
    return [_added(evidence, Network(*added), scale) for added in ADDED]


def _added(evidence: Evidence, added: Network, scale: str) -> Part:
    equal = evidence.comparison(Network(LOW, added.mul), added, scale)
    control = evidence.comparison(Network(*matched(LOW, *added)), added, scale)
    against = max(lowered(equal.counted), lowered(control.counted))
    return _of_errors(f"{added} is not lower than {equal.first}", equal, equal.counted.p_above(-LOG_MARGIN), against, control)


def _common_rung(evidence: Evidence) -> str:
    """The highest rung at which every comparison of C1 counts."""
    for scale in reversed(SCALES):
        if all(not evidence.comparison(Network(LOW, mul), Network(ls, mul), scale).why for ls, mul in ADDED):
            return scale
    return MAIN


def ignored_orders(evidence: Evidence) -> list[Part]:
    """C2: l = 1 and 2 of orders 0-6 are not used, and gain no structure in training."""
    network, parts = Network(SIX, 16), []
    use = evidence.use(network)
    for l in (1, 2):
        name = f"l = {l} is ignored"
        if l in use:
            scale = f"{use[l].scale}, block {use[l].layer}"
            parts.append(Part(name, use[l].damage, RATIO, use[l].p_unused, use[l].p_used, str(use[l].seeds), scale))
        else:
            parts.append(Part(name, UNKNOWN, RATIO, 1.0, 1.0, why=NOT_EXAMINED))
    scale, gains = evidence.gains_at_best(network)
    for l in (1, 2):
        name = f"l = {l} gains no structure"
        if gains and (column := _irrep(gains[0], l)):
            gain = mean(gains[0][column].to_numpy())
            seeds = str(len(gains[0]))
            parts.append(Part(name, gain, DIFFERENCE, gain.p_below(STRUCTURE), raised(gain, STRUCTURE), seeds, scale))
        else:
            parts.append(Part(name, UNKNOWN, DIFFERENCE, 1.0, 1.0, why=NOT_EXAMINED))
    return parts


def without_low_orders(evidence: Evidence) -> list[Part]:
    """C3: orders 0, 3-6 have a lower error than 0-4, and latents of l = 3 and 4 that gain more structure."""
    four, without = Network(FOUR, 16), Network(WITHOUT, 16)
    parts = [without_error(evidence.decisive(four, without))]
    scale, gains = evidence.gains_at_best(four, without)
    if not gains:
        return [*parts, Part(MORE_STRUCTURE, UNKNOWN, DIFFERENCE, 1.0, 1.0, why=NOT_EXAMINED)]
    return [*parts, structure_gain(gains[0], gains[1], scale)]


def structure_gain(four: pd.DataFrame, without: pd.DataFrame, scale: str) -> Part:
    """The part of C3 that is about structure, from the gains [seed; irrep] of both networks at one rung."""
    sides = [table[[_irrep(table, 3), _irrep(table, 4)]].mean(axis=1).to_numpy() for table in (four, without)]
    more = welch(*sides)
    seeds = " and ".join(str(len(side)) for side in sides)
    return Part(MORE_STRUCTURE, more, DIFFERENCE, raised(more, STRUCTURE), more.p_below(STRUCTURE), seeds, scale)


def without_error(comparison: Comparison) -> Part:
    """The part of C3 that is about the error, at one rung."""
    ratio = comparison.counted
    return _of_errors(f"{comparison.second} is lower than {comparison.first}", comparison, lowered(ratio),
                      ratio.p_above(-LOG_MARGIN))  # fmt: skip


def dominance(evidence: Evidence) -> list[Part]:
    """C4: behind every block whose orders above 0 reach the energy, shuffling l = 0 costs more than any other order."""
    scale, grid = evidence.damages(Network(SIX, 16), "damage")
    if grid.empty:
        return [Part("l = 0 costs most", UNKNOWN, RATIO, 1.0, 1.0, why=NOT_EXAMINED)]
    parts = []
    for layer in dict.fromkeys(layer for layer, _ in cells_of(grid)):
        contrast = zero_against_others(grid, layer)
        name = f"l = 0 costs most behind block {layer}"
        parts.append(Part(name, contrast, RATIO, raised(contrast), contrast.p_below(LOG_MARGIN), str(len(grid)), scale))
    return parts


def same_errors(evidence: Evidence) -> list[Part]:
    """C5: for each pair of substitutes the errors are the same, though each uses orders that the other lacks."""
    parts, uses = [], {ls: evidence.use(Network(ls, 16)) for ls in SUBSTITUTES}
    for first, second in combinations(SUBSTITUTES, 2):
        comparison = evidence.decisive(Network(first, 16), Network(second, 16), pairs=True)
        own = [_p_used(uses[ls], set(ls) - set(other)) for ls, other in ((first, second), (second, first))]
        ratio = comparison.counted
        differ = min(1.0, 2 * min(raised(ratio), lowered(ratio)))
        name = f"{comparison.first} and {comparison.second} have one error and use different orders"
        parts.append(_of_errors(name, comparison, max(ratio.p_within(LOG_MARGIN), *own), differ))
    return parts


def foundation_model(evidence: Evidence) -> list[Part]:
    """C6: in each published model l = 1 and 2 are ignored and have no structure, and l = 0 dominates."""
    shares, scores = evidence.tables["foundation"], evidence.tables["foundation_structure"]
    parts: list[Part] = []
    for model in dict.fromkeys([*shares["model"], *scores["model"]]):
        trained = shares[(shares["model"] == model) & (shares["weights"] == "trained")]
        grid = trained.pivot_table(index="group", columns=["layer", "irrep"], values="damage_share").dropna()
        parts += [] if grid.empty else _moved(model, grid)
        parts += _structured(model, scores[(scores["model"] == model) & (scores["measure"] == SCORE)])
    return parts or [
        Part("the diagnostics on a foundation model", UNKNOWN, DIFFERENCE, 1.0, 1.0, why="no model has been examined")
    ]


def _moved(model: str, grid: pd.DataFrame) -> list[Part]:
    """Parts about damage; `grid` is [group of molecules; layer, irrep]."""
    cells = [cell for cell in cells_of(grid) if order_of(cell[1]) > 0]
    estimates = {cell: mean(grid[cell].to_numpy()) for cell in cells}
    adjusted = dict(zip(cells, holm([raised(estimates[cell], SHARE) for cell in cells]).tolist(), strict=True))
    parts, seeds = [], f"{len(grid)} groups"
    for l in (1, 2):
        of = [cell for cell in cells if order_of(cell[1]) == l]
        worst = max(of, key=lambda cell: estimates[cell].value)
        p_for = max(estimates[cell].p_below(SHARE) for cell in of)
        p_against = min(adjusted[cell] for cell in of)
        parts.append(
            Part(f"{model}: l = {l} is ignored", estimates[worst], DIFFERENCE, p_for, p_against, seeds, f"layer {worst[0]}")
        )
    contrasts = {layer: zero_against_others(grid, layer) for layer in dict.fromkeys(layer for layer, _ in cells)}
    least = min(contrasts, key=lambda layer: contrasts[layer].value)
    p_for = max(contrast.p_above() for contrast in contrasts.values())
    p_against = float(holm([contrast.p_below() for contrast in contrasts.values()]).min())
    return [*parts, Part(f"{model}: l = 0 dominates", contrasts[least], DIFFERENCE, p_for, p_against, seeds, f"layer {least}")]


def _structured(model: str, scores: pd.DataFrame) -> list[Part]:
    """Parts about structure: one trained model against several draws of random weights."""
    parts = []
    for l in (1, 2):
        table = scores[[order_of(irrep) == l for irrep in scores["irrep"]]]
        table = table[table["layer"] == table["layer"].max()]
        trained, random = (table[table["weights"] == weights]["value"].to_numpy() for weights in ("trained", "random"))
        if len(trained) and len(random) > 1:
            gain, name = against_sample(float(trained[0]), random), f"{model}: l = {l} has no structure"
            seeds, p_against = f"{len(random)} random", raised(gain, STRUCTURE)
            parts.append(Part(name, gain, DIFFERENCE, gain.p_below(STRUCTURE), p_against, seeds, f"layer {table['layer'].max()}"))
    return parts


def _of_errors(name: str, shown: Comparison, p_for: float, p_against: float, control: Comparison | None = None) -> Part:
    seeds = " and ".join(map(str, shown.seeds))
    other = control.ratio if control else UNKNOWN
    return Part(name, shown.ratio, RATIO, p_for, p_against, seeds, shown.scale, shown.why, shown.last, other)


def _irrep(grid: pd.DataFrame, l: int) -> str:
    return next((irrep for irrep in map(str, grid.columns) if order_of(irrep) == l), "")


def _p_used(uses: dict[int, Use], ls: set[int]) -> float:
    return min((uses[l].p_used for l in ls if l in uses), default=1.0)


PARTS: dict[str, Callable[[Evidence], list[Part]]] = {
    "C1": added_orders, "C2": ignored_orders, "C3": without_low_orders, "C4": dominance, "C5": same_errors,
    "C6": foundation_model,
}  # fmt: skip
"""The parts of each claim."""
