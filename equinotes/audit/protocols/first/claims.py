"""The claims of the paper, what would refute each, and the thresholds by which the first protocol judges them.

Claims and thresholds were written down before the runs that they judge. An error is the mean absolute error on the test
molecules; two sets of orders are compared by the relative change of the error, seed by seed, with Student's interval over the
seeds. A comparison counts only where both networks have left the linear baseline behind that knows composition, bonds and bond
lengths, fitted to the same molecules. Where the target's two references count and lead to different verdicts, the verdict is
open.
"""

from equinotes.audit.protocol import NOT_REPRODUCED, OPEN, REPRODUCED, Claim

MARGIN = 0.05
"""Relative change of the error that matters."""
EQUIVALENT = 0.10
"""Errors are the same when the whole interval of the relative change lies within this."""
LEVEL = 0.95
"""Level of all intervals."""
DAMAGE = 0.05
"""An order is used at a block when shuffling it among atoms raises the error by this share, the interval above zero."""
DOMINANT = 0.5
"""Share of the gradient flow that dominates."""
SIGNIFICANT = 0.01
"""p below which latents are structured: permutations of the complexity score within stoichiometry reach the value that rarely."""
AGREEING = 0.8
"""Share of the seeds that must show a finding of one network."""
THRESHOLDS = {
    "margin": MARGIN, "equivalent": EQUIVALENT, "level": LEVEL, "damage": DAMAGE, "dominant": DOMINANT,
    "significant": SIGNIFICANT, "agreeing": AGREEING,
}  # fmt: skip

ARTEFACT = "artefact of the cut orders"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, ARTEFACT, OPEN)

CLAIMS = (
    Claim(
        "C1",
        "Orders added to 0, 1, 2 do not lower the test error.",
        "A set with more orders whose error is clearly lower at the same number of channels.",
        f"not reproduced if for some added set the whole interval of the relative change lies below {-MARGIN:+.0%}; reproduced "
        f"if for every added set it lies above {-EQUIVALENT:+.0%}; otherwise open. Compared are 0,1,2 with one of 4, 6, 8, 10 at "
        "32 channels and 0..4, 0..6, 0..8 at 16 channels, each with 0,1,2 at the same channels.",
    ),
    Claim(
        "C2",
        "In the network with orders 0 to 6 the latents of l = 1 and 2 show no structure with respect to molecular complexity: "
        "these orders are ignored in training.",
        "Latents of l = 1 and 2, cut where they lie, that are structured and used.",
        f"An order is structured when neighbours in its power spectra (last block, molecule sums, size taken off) agree in "
        f"complexity with p < {SIGNIFICANT} in {AGREEING:.0%} of the seeds, and used when shuffling it at one of the blocks that "
        f"can reach the energy costs {DAMAGE:.0%} in {AGREEING:.0%} of the seeds. Artefact of the cut orders if l = 1 and l = 2 "
        "are both structured and used; reproduced if neither is either; otherwise open.",
    ),
    Claim(
        "C3",
        "Without l = 1 and 2 (orders 0, 3, 4, 5, 6) the error is lower at the same number of parameters.",
        "An error that is not lower than that of orders 0 to 4.",
        f"reproduced if the whole interval of the relative change lies below 0 and its mean below {-MARGIN:+.0%}; not reproduced "
        f"if the whole interval lies above {-MARGIN:+.0%}; otherwise open.",
    ),
    Claim(
        "C4",
        "The l = 0 features dominate the prediction.",
        "Gradient flow, or damage when an order is shuffled, that is larger through orders above 0 at blocks that can reach the "
        "energy.",
        f"In the networks with orders 0 to 6, blocks 1 to 4. Reproduced if in {AGREEING:.0%} of the seeds l = 0 holds more than "
        f"{DOMINANT:.0%} of the gradient flow at every block, and shuffling it costs more than shuffling any other order there; "
        f"not reproduced if in {AGREEING:.0%} of the seeds some other order holds more than l = 0 at two blocks or more; "
        "otherwise open.",
    ),
    Claim(
        "C5",
        "The test error alone does not show which orders are used.",
        "Errors that tell apart all networks that use different orders.",
        f"Among 0,1,2 and 0,3,4 and 0,5,6 at equal parameters: reproduced if some pair has the same error (interval within "
        f"{EQUIVALENT:.0%}) while each of the two uses an order above 0 that the other lacks; not reproduced if for every pair "
        f"the interval lies outside {EQUIVALENT:.0%}; otherwise open.",
    ),
    Claim(
        "C6",
        "A published foundation model shows the same picture.",
        "The same diagnostics on that model.",
        "open: not run, since its weights cannot be had where this book is built.",
    ),
)
"""The claims, C1 to C6, of Lee, Galkin and Miret (arXiv 2410.08131; C6 from the authors' slides)."""
