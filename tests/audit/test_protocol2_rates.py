"""Verdicts err as often as stated, by simulation of worlds whose truth is known."""

import os

import numpy as np
import pytest

from equinotes.audit.protocols.second import rates
from equinotes.audit.protocols.second.claims import ALPHA, NOT_SUPPORTED, SUPPORTED
from equinotes.audit.protocols.second.evidence import JUDGED, Evidence
from equinotes.audit.protocols.second.rates import RATES
from equinotes.audit.protocols.second.rules import judged
from equinotes.audit.protocols.second.runs import FOUR, LOW, MAIN, SIX, SUBSTITUTES, WITHOUT

DRAWS = int(os.environ.get("PROTOCOL2_DRAWS", "100"))
"""Draws of each world; the stated rates come from many."""
SCATTER, SEEDS, GAIN = 0.03, 5, 0.12

FACTORS = {
    rates.AT_MARGIN: lambda ls, mul: 1 / 1.05 if ls == SIX else 1,
    rates.LOWER: lambda ls, mul: 0.9 if ls == SIX else 1,
    rates.BY_PARAMETERS: lambda ls, mul: 0.9 if ls == SIX or (ls, mul) == (LOW, 33) else 1,
    rates.BOTH: lambda ls, mul: 0.9 if ls == WITHOUT else 1,
    rates.ONLY_ERROR: lambda ls, mul: 0.9 if ls == WITHOUT else 1,
    rates.APART: lambda ls, mul: 1.1 ** (SUBSTITUTES.index(ls) if ls in SUBSTITUTES else 0),
}
"""Errors of the worlds, as factors; others have no difference."""
GAINED = (rates.BOTH, rates.ONLY_STRUCTURE)
"""Worlds in which l = 3 and 4 gain structure."""
EXAMINED = {"C1": (), "C3": (FOUR, WITHOUT), "C5": SUBSTITUTES}


class Drawn(Evidence):
    """Evidence with errors of its own, new ones after each `draw`; all else comes from the tables."""

    def draw(self, factor, rng):
        vars(self)["drawn"] = {}
        vars(self)["source"] = lambda network: 0.08 * factor(*network) * np.exp(SCATTER * rng.normal(size=SEEDS))

    def use(self, network):
        known = vars(self).setdefault("uses", {})
        return known.setdefault(network, None) or known.update({network: super().use(network)}) or known[network]

    def errors(self, network, scale, column=JUDGED):
        if scale != MAIN:
            return {}
        if network not in self.drawn:
            self.drawn[network] = dict(enumerate(self.source(network)))
        return self.drawn[network]


@pytest.fixture(scope="module")
def simulated(protocol2):
    """Verdicts on a claim in a world, drawn again and again; each world once."""
    known = {}

    def verdicts(claim, world):
        if (claim, world) not in known:
            known[claim, world] = simulate(protocol2, claim, world)
        return known[claim, world]

    return verdicts


def simulate(protocol2, claim, world):
    def score(ls, l, trained):
        return 0.3 + GAIN * (world in GAINED and trained and ls == WITHOUT and l in (3, 4))

    rng, factor = np.random.default_rng(0), FACTORS.get(world, lambda *_: 1)
    plants = {"score": score, "score_scatter": 0.04, "examined": EXAMINED[claim]}
    plants["run"] = lambda config, scale: scale == MAIN and config.mul == 16
    drawn = [Drawn(protocol2.planted(**plants, rng=number)) for number in range(20 if claim == "C3" else 1)]
    found = []
    for number in range(DRAWS):
        evidence = drawn[number % len(drawn)]
        evidence.draw(factor, rng)
        found.append(judged(evidence, claim)[0])
    return found


@pytest.mark.parametrize("stated", RATES, ids=lambda rate: f"{rate.claim}, {rate.world}, {rate.verdict}")
def test_verdicts_have_their_stated_rates(stated, simulated):
    found = np.mean([verdict == stated.verdict for verdict in simulated(stated.claim, stated.world)])
    error = (max(stated.rate * (1 - stated.rate), 0.01) / DRAWS) ** 0.5
    assert abs(found - stated.rate) <= 4 * error


def test_stated_rates_of_false_verdicts_keep_to_the_level():
    false = {
        ("C1", rates.NO_DIFFERENCE): NOT_SUPPORTED, ("C1", rates.AT_MARGIN): SUPPORTED,
        ("C1", rates.BY_PARAMETERS): NOT_SUPPORTED,
        ("C3", rates.NEITHER): SUPPORTED, ("C5", rates.NO_DIFFERENCE): NOT_SUPPORTED, ("C5", rates.APART): SUPPORTED,
    }  # fmt: skip
    stated = {(rate.claim, rate.world, rate.verdict): rate.rate for rate in RATES}
    assert all(stated[(*world, verdict)] <= ALPHA for world, verdict in false.items())
