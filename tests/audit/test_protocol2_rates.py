"""Verdicts err as often as stated, by simulation of worlds whose truth is known."""

import os
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from equinotes.analysis.inference import Estimate
from equinotes.audit.protocols.second import rates
from equinotes.audit.protocols.second.claims import ALPHA, NOT_SUPPORTED, SUPPORTED
from equinotes.audit.protocols.second.evidence import JUDGED, Evidence, Use
from equinotes.audit.protocols.second.rates import RATES
from equinotes.audit.protocols.second.rules import judged
from equinotes.audit.protocols.second.runs import LOW, MAIN, SIX, SUBSTITUTES, WITHOUT
from equinotes.irreps import natural

DRAWS = int(os.environ.get("PROTOCOL2_DRAWS", "100"))
"""Draws of each world; the stated rates come from 2,000."""
SEEDS, SCORES, GAIN = 5, 0.04, 0.12
"""Seeds, scatter of the structure score of a network, and what it gains where it gains something."""
SCATTER = {rates.STEADY: 0.02}
"""Scatter of the errors over seeds; 3% in other worlds."""
COMMON = {rates.TOGETHER: 0.9}
"""Correlation of the errors of one seed; none in other worlds."""

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


@dataclass(frozen=True)
class Drawn(Evidence):
    """Evidence on one draw of a world; every order above 0 is used."""

    world: str
    rng: np.random.Generator
    known: dict = field(default_factory=dict)

    def errors(self, network, scale, column=JUDGED):
        if scale != MAIN:
            return {}
        if network not in self.known:
            factor = FACTORS.get(self.world, lambda *_: 1)(*network)
            shared = self.known.setdefault("shared", self.rng.normal(size=SEEDS))
            common = COMMON.get(self.world, 0.0)
            noise = common**0.5 * shared + (1 - common) ** 0.5 * self.rng.normal(size=SEEDS)
            self.known[network] = dict(enumerate(0.08 * factor * np.exp(SCATTER.get(self.world, 0.03) * noise)))
        return self.known[network]

    def gains(self, network, scale):
        gain = [GAIN * (self.world in GAINED and network.ls == WITHOUT and l in (3, 4)) for l in network.ls]
        scores = self.rng.normal(size=(2, SEEDS, len(gain))) * SCORES
        return pd.DataFrame(gain + scores[0] - scores[1], columns=[natural(l) for l in network.ls])

    def use(self, network):
        return {l: Use(0.0, 1.0, Estimate(0.3, 0.01, 4), 1, MAIN, SEEDS) for l in network.ls[1:]}


@pytest.fixture(scope="module")
def simulated(protocol2):
    """Verdicts on a claim in a world, drawn again and again; each world once."""
    known, tables = {}, protocol2.planted(examined=(), run=lambda config, scale: scale == MAIN)

    def verdicts(claim, world):
        if (claim, world) not in known:
            rng = np.random.default_rng(len(known))
            known[claim, world] = [judged(Drawn(tables, world, rng), claim)[0] for _ in range(DRAWS)]
        return known[claim, world]

    return verdicts


@pytest.mark.parametrize("stated", RATES, ids=lambda rate: f"{rate.claim}, {rate.world}, {rate.verdict}")
def test_verdicts_have_their_stated_rates(stated, simulated):
    found = np.mean([verdict == stated.verdict for verdict in simulated(stated.claim, stated.world)])
    error = (max(stated.rate * (1 - stated.rate), 0.01) / DRAWS) ** 0.5
    assert abs(found - stated.rate) <= 4 * error


def test_stated_rates_of_false_verdicts_keep_to_the_level():
    false = {
        ("C1", rates.NO_DIFFERENCE): NOT_SUPPORTED, ("C1", rates.AT_MARGIN): SUPPORTED,
        ("C1", rates.BY_PARAMETERS): NOT_SUPPORTED,
        ("C3", rates.NEITHER): SUPPORTED, ("C3", rates.ONLY_ERROR): SUPPORTED, ("C3", rates.ONLY_STRUCTURE): SUPPORTED,
        ("C5", rates.NO_DIFFERENCE): NOT_SUPPORTED, ("C5", rates.APART): SUPPORTED,
    }  # fmt: skip
    stated = {(rate.claim, rate.world, rate.verdict): rate.rate for rate in RATES}
    assert all(stated[(*world, verdict)] <= ALPHA for world, verdict in false.items())
