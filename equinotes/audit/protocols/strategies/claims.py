"""What each strategy promises, what would refute it, and the thresholds. Written before any run of this protocol."""

from equinotes.audit.protocol import Claim

ALPHA = 0.05
"""Level of each one-sided test, and of Holm's correction over the networks (and orders) of one strategy."""
MARGIN = 0.05
"""Relative change of an error that matters."""
USE = 0.05
"""Change of an order's use (a log ratio of errors) that matters."""
TIE = 0.02
"""Validation errors within this of the lowest count as equal: then the larger coefficient is chosen."""
MIN_SEEDS = 3
"""Seeds that a comparison needs, each with both sides."""
THRESHOLDS = {"alpha": ALPHA, "margin": MARGIN, "use": USE, "tie": TIE, "min_seeds": MIN_SEEDS}

HELPS, HARMS = "helps", "harms"
SHRINKS, RAISES = "only shrinks use", "only raises use"
NOTHING, NULL, OPEN, NOT_RUN = "does nothing at this scale", "nothing by construction", "open at this scale", "not run"
VERDICTS = (HELPS, HARMS, SHRINKS, RAISES, NOTHING, NULL, OPEN, NOT_RUN)

RULE = (
    "Networks: orders 0-2 and 0-4, linear and gated. Errors are those of averaged weights on the test molecules, compared as log "
    "ratios seed by seed with the same network trained plainly, and with its control. Use of an order: calibrated damage, "
    "averaged over the blocks whose orders above 0 reach the energy, compared in the same way. "
    f"Helps (harms): in one network the error is lower (higher) than both, by {MARGIN:.0%} or more on average, and in none the "
    "opposite. Only shrinks (raises) use: otherwise, in one network the use of an order above 0 is lower (higher) than both by "
    f"{USE:g} or more on average, not the opposite for any, and in all networks an error lower by {MARGIN:.0%} than the plain "
    f"one is excluded. Does nothing: in all networks errors are the same within {MARGIN:.0%} and uses within {USE:g}; else open. "
    f"Tests are one-sided at {ALPHA:.0%}, paired over seeds, after Holm's correction where one network (or order) alone decides."
)
"""The rule of every strategy that is not null by construction."""
_LAW = "None: by the law of free scales it asks for nothing of a network. Its numbers are shown, and decide nothing."


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
    _claim("skips none", "Without skips the use of orders above 0 differs.", "It does not."),
    _claim("skips scalars", "Skips of l = 0 alone lower the use of orders above 0.", "They do not."),
    _claim("skips directed", "Skips of l > 0 alone raise the use of orders above 0.", "They do not."),
    _claim("skips dense", "Dense skips change the use of orders.", "They do not."),
    Claim("feature_l2", "A penalty on the size of features of l > 0 makes them used less.", "The law of free scales.", _LAW),
    _claim("weight_l2", "A penalty on the weights of orders above 0 makes them used less.", "Random slices do as well."),
    _claim("weights_apart", "Pushing the weights of orders apart makes them used otherwise.", "Random pieces do as well."),
    _claim("attention_entropy", "A sharper attention lowers the error.", "A uniform one does as well."),
    _claim("bottleneck", "Paying for nats removes the use of orders that are not needed.", "Noise of other orders does as well."),
)
