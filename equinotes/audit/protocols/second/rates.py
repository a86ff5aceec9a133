"""How often the rules err, and how often they find what is there: rates of the verdicts in worlds whose truth is known.

Simulated: five seeds a network, independent, errors that scatter by 3% over seeds (as averaged weights do after 4,000 steps),
a structure score that scatters by .04. 2,000 draws each; the tests draw each world again.
"""

from typing import NamedTuple

from equinotes.audit.protocols.second.claims import NOT_SUPPORTED, PARTLY, SUPPORTED


class Rate(NamedTuple):
    """Probability of a verdict on a claim in a world."""

    claim: str
    world: str
    verdict: str
    rate: float


NO_DIFFERENCE, AT_MARGIN, LOWER = "no difference", "orders 0-6 lower by the margin", "orders 0-6 lower by 10%"
BY_PARAMETERS = "orders 0-6 lower by 10%, and 0-2 with as many parameters too"
NEITHER, BOTH = "no difference, no structure gained", "error lower by 10%, structure gained"
ONLY_ERROR, ONLY_STRUCTURE = "error lower by 10%, no structure gained", "no difference, structure gained"
STEADY, APART = "no difference, errors scatter by 2%", "errors 10% apart"

TOGETHER = "no difference, errors of one seed correlated by .9"

RATES = (
    Rate("C1", NO_DIFFERENCE, NOT_SUPPORTED, 0.0),
    Rate("C1", NO_DIFFERENCE, SUPPORTED, 0.23),
    Rate("C1", STEADY, SUPPORTED, 0.82),
    Rate("C1", AT_MARGIN, SUPPORTED, 0.02),
    Rate("C1", LOWER, NOT_SUPPORTED, 0.93),
    Rate("C1", BY_PARAMETERS, NOT_SUPPORTED, 0.0),
    Rate("C3", NEITHER, SUPPORTED, 0.0),
    Rate("C3", NEITHER, NOT_SUPPORTED, 0.42),
    Rate("C3", BOTH, SUPPORTED, 0.99),
    Rate("C3", ONLY_ERROR, SUPPORTED, 0.02),
    Rate("C3", ONLY_ERROR, PARTLY, 0.37),
    Rate("C3", ONLY_STRUCTURE, SUPPORTED, 0.0),
    Rate("C3", ONLY_STRUCTURE, PARTLY, 0.58),
    Rate("C5", NO_DIFFERENCE, NOT_SUPPORTED, 0.0),
    Rate("C5", NO_DIFFERENCE, SUPPORTED, 0.15),
    Rate("C5", TOGETHER, SUPPORTED, 1.0),
    Rate("C5", APART, NOT_SUPPORTED, 0.91),
    Rate("C5", APART, SUPPORTED, 0.0),
)
"""Of each world the rates of the verdict that is false there, and of the one that is true, rounded to 1%. Rates of true verdicts
show what five seeds can decide: at a scatter of 3% C1 stays open in three of four draws without a difference."""
