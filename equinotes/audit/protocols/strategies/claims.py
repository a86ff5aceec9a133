"""What each strategy promises, what would refute it, and the thresholds. Written before any run of this protocol."""

from equinotes.audit.protocol import Claim

ALPHA = 0.05
"""Level of each verdict's one-sided tests: half of it for the mean over networks, half for single networks and orders."""
MARGIN = 0.05
"""Relative change of an error that matters."""
USE = 0.1
"""Change of an order's use (a log ratio of errors, about 1 in a plain network) that matters."""
TIE = 0.02
"""Validation errors within this of the lowest count as equal: then the larger coefficient is chosen."""
MIN_SEEDS = 3
"""Seeds that a comparison needs, each with both sides."""
THRESHOLDS = {"alpha": ALPHA, "margin": MARGIN, "use": USE, "tie": TIE, "min_seeds": MIN_SEEDS}

HELPS, HARMS = "helps", "harms"
SHRINKS, RAISES = "only shrinks use", "only raises use"
NOTHING, LIKE_CONTROL = "does nothing at this scale", "no more than its control"
NULL, OPEN, NOT_RUN = "nothing by construction", "open at this scale", "not run"
VERDICTS = (HELPS, HARMS, SHRINKS, RAISES, NOTHING, LIKE_CONTROL, NULL, OPEN, NOT_RUN)

MEANT = {"dipole": (1,), "anisotropy": (2,)}
"""Orders whose mean use decides; all orders above 0 for every other strategy."""

COMPARED = (
    "Networks: orders 0-2 and 0-4, linear and gated; a verdict needs all that a strategy is planned for. Errors are those of "
    "averaged weights on the test molecules, compared as log ratios seed by seed with the same network trained plainly, and "
    "with its control. Use of an order: calibrated damage, averaged over the blocks whose orders above 0 reach the energy, "
    "compared in the same way; its mean is over the orders above 0 (of the dipole l = 1 alone, of the anisotropy l = 2)."
)
DECIDED = {
    f"{HELPS} ({HARMS})": "on average over the networks or in one of them the error is lower (higher) than both, by "
    f"{MARGIN:.0%} or more, and nowhere the opposite",
    "only shrinks (raises) use": "otherwise, the mean use, or the use of one order above 0 in one network, is lower (higher) "
    f"than both by {USE:g} or more, nowhere the opposite, and an average error lower by {MARGIN:.0%} than the plain one is "
    "excluded",
    NOTHING: f"nothing of this is shown, and on average the error is the plain one within {MARGIN:.0%} and the mean use within "
    f"{USE:g}",
    LIKE_CONTROL: "likewise of the control, where the plain network differs or may",
    OPEN: "everything else",
}
"""What each verdict asks for."""
TESTED = (
    f"Tests are one-sided and paired over seeds, at {ALPHA:.0%}: half of it for the average, half for single networks and orders "
    "after Holm's correction."
)
RULE = " ".join([COMPARED, *(f"{verdict[0].upper()}{verdict[1:]}: {when}." for verdict, when in DECIDED.items()), TESTED])
"""The rule of every strategy."""
_LAW = (
    "By the law of free scales it asks for nothing of a network: nothing by construction, unless the runs show an effect by the "
    "rule of the other strategies. Then training did not find the free way."
)


def _claim(name: str, statement: str, refuted_by: str) -> Claim:
    return Claim(name, statement, refuted_by, RULE)


CLAIMS = (
    _claim("denoise", "Pre-training by denoising positions lowers the error.", "Noise of other atoms does as well."),
    _claim("denoise, l = 0 anew", "The gain of denoising survives when paths from l = 0 to l = 0 start anew.", "It is gone."),
    _claim("denoise, l > 0 anew", "The gain of denoising is gone when all other paths start anew.", "It survives."),
    _claim("dipole", "Fitting the dipole by vectors makes l = 1 used more.", "Dipoles of other molecules do so too."),
    _claim("anisotropy", "Fitting the anisotropy of the polarisability by l = 2 makes it used more.", "Shuffled ones do so too."),
    _claim(
        "curriculum", "Orders that join from the lowest up are used otherwise in the end.", "From the highest down: the same."
    ),
    _claim("adversarial", "Hiding the order from a discriminator changes the use of orders.", "Use stays: the scale did it all."),
    _claim("consistency", "Orders that must agree on unlabelled molecules are used more.", "Shares of scalars do as well."),
    _claim(
        "skips none", "Without skips the use of orders above 0 differs.", "Skips beside equally large convolutions do as well."
    ),
    _claim("skips scalars", "Skips of l = 0 alone lower the use of orders above 0.", "They do not."),
    _claim("skips directed", "Skips of l > 0 alone raise the use of orders above 0.", "They do not."),
    _claim("skips dense", "Dense skips lower the error (use is not measured: they pass by the spoilt block).", "They do not."),
    Claim("feature_l1", "A penalty on the lengths of features of l > 0 makes them used less.", "The law of free scales.", _LAW),
    Claim("feature_l2", "A penalty on the squares of features of l > 0 makes them used less.", "The law of free scales.", _LAW),
    _claim("weight_l1", "A penalty on absolute weights of orders above 0 makes them used less.", "Random weights do as well."),
    _claim("weight_l2", "A penalty on squared weights of orders above 0 makes them used less.", "Random weights do as well."),
    _claim("weights_apart", "Pushing the weights of orders apart makes them used otherwise.", "Random pieces do as well."),
    _claim("attention_entropy", "A sharper attention lowers the error.", "A uniform one does as well."),
    _claim("bottleneck", "Paying for nats removes the use of orders that are not needed.", "Noise of other orders does as well."),
)
