"""The paper's claims, what would refute each, and the thresholds of protocol 2.

An error is the mean absolute error on the test molecules under averaged weights; the last iterate stands beside it. Two sets of
orders are compared by the log ratio of their errors over seeds (Welch; paired where C5's seeds are correlated). All tests are
one-sided at `ALPHA`, and every printed interval is the one at level 1 - 2 ALPHA: a test rejects what lies outside it. One margin
says which change of an error matters: a factor of 1 + `MARGIN`, up or down. Between comparisons of one claim, Holm's correction
holds wherever one of them alone would decide.

These words and numbers were written after the results of protocol 1 were known, and before any run of protocol 2.
"""

from equinotes.audit.protocol import Claim

ALPHA = 0.05
"""Level of each one-sided test, and of Holm's correction over the comparisons of one claim."""
MARGIN = 0.05
"""Relative change of an error that matters, and damage from which an order counts as used: a factor of 1.05."""
STRUCTURE = 0.05
"""Change of the structure score (a rank correlation) that matters."""
SHARE = 0.05
"""Damage to a foundation model's own predictions that matters, as a share of what composition and bonds leave of them."""
MIN_SEEDS = 3
"""Seeds of each network that a comparison needs."""
THRESHOLDS = {"alpha": ALPHA, "margin": MARGIN, "structure": STRUCTURE, "share": SHARE, "min_seeds": MIN_SEEDS}

SUPPORTED = "supported at this scale"
PARTLY = "supported in part at this scale"
NOT_SUPPORTED = "not supported at this scale"
OPEN = "open at this scale"
VERDICTS = (SUPPORTED, PARTLY, NOT_SUPPORTED, OPEN)

NEEDED, REPLACEABLE, USED = "needed", "used but replaceable", "used"
UNUSED, UNDECIDED = "not used", "undecided"
ANSWERS = (NEEDED, REPLACEABLE, USED, UNUSED, UNDECIDED)
"""Answers to "is this order used?": `USED` alone where the cost of retraining without it is undecided."""

_M, _S, _A, _R = f"{MARGIN:.0%}", f"{STRUCTURE:g}", f"{ALPHA:.0%}", f"{SHARE:.0%}"
_PARTS = (
    "Supported: every part is shown. Not supported: the opposite of every part is shown. Supported in part: some part and the "
    f"opposite of another are shown after Holm's correction. Otherwise open. Tests are one-sided at {_A}."
)

CLAIMS = (
    Claim(
        "C1",
        "Orders added to 0, 1, 2 do not lower the test error.",
        f"One added set whose error is lower by {_M} or more, at equal channels and at matched parameters.",
        "Seven sets are compared with 0, 1, 2 at the same channels: 0, 1, 2 with one of 4, 6, 8, 10 at 32; 0-4, 0-6, 0-8 at 16. "
        f"Supported: for each set, a reduction of {_M} is excluded at equal channels. Equal channels decide, since they give "
        f"the larger set more parameters. Not supported: one set has an error lower by {_M} or more, after Holm's correction, at "
        "equal channels and against 0, 1, 2 with as many parameters. Both decide here, since equal channels alone would credit "
        f"orders with what parameters do. Otherwise open. Tests are one-sided at {_A}.",
    ),
    Claim(
        "C2",
        "In the network with orders 0 to 6 the latents of l = 1 and 2 show no structure with respect to molecular complexity: "
        "these orders are ignored in training.",
        "Training that uses l = 1 and 2, and adds structure to both.",
        "Orders 0-6 at 16 channels, four parts. Two parts, l = 1 and l = 2: l is ignored. Behind every block whose orders "
        f"above 0 reach the energy, its calibrated damage is less than {_M}, or exceeds that of the untrained trunk by less. The "
        f"opposite: behind one block, it is {_M} or more and exceeds that of the untrained trunk by {_M} or more, both above "
        "zero after Holm's correction over orders and blocks. Two parts, l = 1 and l = 2: l gains no structure. "
        "Training raises the score of its power spectra behind the last such block by less than "
        f"{_S}. The opposite: by {_S} or more, above zero. " + _PARTS,
    ),
    Claim(
        "C3",
        "Without l = 1 and 2 (orders 0, 3-6) the error is lower at the same number of parameters, and latents are better "
        "structured.",
        f"A reduction of the error by {_M} is excluded, and so is a gain of structure at l = 3 and 4 that is {_S} larger.",
        f"Orders 0, 3-6 against 0-4 at 16 channels, two parts. Error: lower by {_M} or more. The opposite: a reduction of {_M} "
        f"is excluded. It is judged at the highest rung of the ladder with {MIN_SEEDS} seeds. Equal channels decide: 0, 3-6 then "
        "has 6% more parameters, which favours the claim. Orders 0-6 at equal channels and at matched parameters stand beside. "
        f"Structure: training adds {_S} or more above what it adds to l = 3 and 4 (mean) in 0-4. The opposite: {_S} more is "
        "excluded. " + _PARTS,
    ),
    Claim(
        "C4",
        "The l = 0 features dominate the prediction.",
        f"Behind every such block, an order above 0 whose shuffling costs as much as that of l = 0, within {_M}, or more.",
        "Orders 0-6 at 16 channels, one part for each block whose orders above 0 reach the energy. The calibrated damage of "
        f"l = 0 exceeds the largest of the other orders by {_M} or more. The opposite: an excess of {_M} is excluded. " + _PARTS,
    ),
    Claim(
        "C5",
        "The test error alone does not show which orders are used.",
        f"Errors that differ by {_M} or more between all networks that use different orders.",
        "Three parts, the pairs of 0, 1, 2 and 0, 3, 4 and 0, 5, 6 at 16 channels and equal parameters, seeds paired. The errors "
        f"are the same within {_M} (two one-sided tests), and each network uses an order that the other lacks. The opposite: the "
        f"errors differ by {_M} or more. " + _PARTS,
    ),
    Claim(
        "C6",
        "A published foundation model shows the same picture.",
        "A foundation model that uses l = 1 and 2 and gives them structure, and in which l = 0 does not dominate.",
        "Five parts for each model. l = 1 and l = 2: l is ignored. Conditional shuffles move its own predictions by less "
        f"than {_R} of what composition and bonds leave of them, behind every layer. The opposite: by {_R} or more behind one, "
        "after Holm's correction over orders and layers. l = 1 and l = 2: l has no structure. Its score at the last layer "
        f"exceeds that of random weights by less than {_S}. The opposite: by {_S} or more. l = 0 dominates: shuffling it moves "
        "predictions most behind every layer. The opposite: another order does behind one, after Holm's correction. Replicates "
        "are groups of molecules, and random weights. " + _PARTS,
    ),
)
"""The claims, C1 to C6, of Lee, Galkin and Miret (arXiv 2410.08131; C6 from the authors' slides)."""
