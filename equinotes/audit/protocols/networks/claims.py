"""What the comparison of networks asks, as claims with rules, and its thresholds, which are those of protocol 2.

An error is the mean absolute error on the test molecules under averaged weights. Errors are compared by log ratios over seeds
(Welch), tests are one-sided. These words, the thresholds and the code that applies them were committed before the first run.
"""

from equinotes.audit.protocol import Claim
from equinotes.audit.protocols.second import claims as second
from equinotes.audit.protocols.second.claims import ALPHA, MARGIN, MIN_SEEDS

THRESHOLDS = {"alpha": ALPHA, "margin": MARGIN, "min_seeds": MIN_SEEDS}
IMPOSSIBLE, MISSING = "impossible by construction", "not run yet"
ANSWERS = (*second.ANSWERS, IMPOSSIBLE, MISSING)
"""Answers to "is this order used?", of one network, target and graph."""

_M, _A = f"{MARGIN:.0%}", f"{ALPHA:.0%}"
RULE = (
    "Supported: every part is shown. Not supported: the opposite of every part is shown. Supported in part: some part and the "
    f"opposite of another are shown after Holm's correction. Otherwise open. Tests are one-sided at {_A}, and a comparison needs "
    f"{MIN_SEEDS} seeds of each network."
)
"""How the parts of a claim lead to its verdict."""
_IGNORED = (
    f"Eight parts: l = 1 and l = 2 in each of the four networks with orders 0-2. l is ignored: its calibrated damage is less "
    f"than {_M}, or exceeds that of the untrained trunk by less, behind every layer from which it reaches the output. The "
    f"opposite: behind one layer both are {_M} or more, and above zero after Holm's correction over orders and layers. " + RULE
)
_COSTLESS = (
    f"Four parts, one for each network: l = 0 alone against orders 0-2 at equal parameters; an increase of the error by {_M} is "
    f"excluded. The opposite: it rises by {_M} or more. " + RULE
)

CLAIMS = (
    Claim(
        "N1",
        "Whatever the network, orders 1 and 2 are ignored when it is trained on energies.",
        "Networks that use both.",
        _IGNORED,
    ),
    Claim(
        "N2",
        "Whatever the network, orders 1 and 2 are ignored when it is trained on the anisotropy of the polarisability.",
        "Networks that use both.",
        _IGNORED,
    ),
    Claim(
        "N3",
        "Whatever the network, energies do not need orders 1 and 2: without both, the error is not higher.",
        f"Errors that rise by {_M} or more without them.",
        _COSTLESS,
    ),
    Claim(
        "N4",
        "Whatever the network, the anisotropy of the polarisability does not need orders 1 and 2.",
        f"Errors that rise by {_M} or more without them.",
        _COSTLESS,
    ),
    Claim(
        "N5",
        "Orders 1 and 2 are worth less on a graph whose distances say angles.",
        f"A cost of leaving them out that is not lower by {_M} on the radius graph.",
        f"Four parts, one for each network. What leaving out both orders costs on energies (log ratio of the errors of l = 0 "
        f"alone and of orders 0-2) is lower on the radius graph than on the bonds by {_M} or more. The opposite: that much less "
        "is excluded. " + RULE,
    ),
    Claim(
        "N6",
        "A network that multiplies its features needs orders 1 and 2 less.",
        f"A cost of leaving them out that is not lower by {_M} with many-body products.",
        "Two parts, the paper's network and NequIP. What leaving out both orders costs on energies is lower by "
        f"{_M} or more with squares of the features behind each block (body order 3) than without. The opposite: that much less "
        "is excluded. " + RULE,
    ),
)
