"""A verdict for every claim, from the stored tables and the rules that were written down before the runs.

Each rule is applied under both references of the target. A reference counts where all runs that the rule needs are there and
their networks have left the linear baseline behind; a finding that refutes a claim counts on its own.
"""

from collections.abc import Iterable

import pandas as pd

from equinotes.audit import protocol
from equinotes.audit.claims import ARTEFACT, CLAIMS, NOT_REPRODUCED, OPEN, REPRODUCED, VERDICTS
from equinotes.audit.evidence import MANY, comparisons, dominance, last_block, orders_structured, orders_used
from equinotes.audit.report import NOT_RUN, Tables, listed, orders_name, percent
from equinotes.audit.rules import RULES, Evidence, Judgement
from equinotes.audit.scale import steps
from equinotes.config import RunConfig

__all__ = ["comparisons", "dominance", "headline", "orders_structured", "orders_used", "verdicts"]

NAMES = tuple(claim.name for claim in CLAIMS)
IN_SHORT = {
    "C1": "that orders above 2 do not lower the error",
    "C2": "that l = 1 and 2 are ignored",
    "C3": "that leaving out l = 1 and 2 lowers the error",
    "C4": "that l = 0 dominates",
    "C5": "that the error alone does not show which orders are used",
    "C6": "that a foundation model shows the same",
}
"""The claims as a clause each."""
WORDS = {
    REPRODUCED: ("is reproduced", "are reproduced"),
    NOT_REPRODUCED: ("is not reproduced", "are not reproduced"),
    ARTEFACT: tuple(
        f"{verb} not hold (an {ARTEFACT} by its rule; that the cut is the cause is inferred)" for verb in ("does", "do")
    ),
    OPEN: ("is open at this scale", "are open at this scale"),
    NOT_RUN: ("was not tested", "were not tested"),
}
"""What the headline says of one claim with a verdict, and of several."""


def verdicts(tables: Tables, claims: Iterable[str] = NAMES) -> pd.DataFrame:
    """One row per claim: `claim`, `verdict`, `sureness` (seeds, references, scale) and `evidence` (from the stored numbers).

    `tables` are the stored ones by name, as `equinotes.audit.tables.load_all` gives them; what is not there leaves a claim open.
    A claim without a rule was not run.
    """
    return _judged(Evidence(tables), claims)


def _judged(known: Evidence, claims: Iterable[str]) -> pd.DataFrame:
    rows = []
    for claim in (claim for claim in CLAIMS if claim.name in claims):
        judge = RULES.get(claim.name)
        if judge is None:
            rows.append((claim.name, NOT_RUN, "no evidence", claim.rule.removeprefix("open: ").capitalize()))
            continue
        said = {reference: judge(known, reference) for reference in protocol.REFERENCES}
        counting = {reference: judgement for reference, judgement in said.items() if judgement.verdict is not None}
        found = list(dict.fromkeys(str(judgement.verdict) for judgement in counting.values()))
        text = " ".join(f"Reference {reference}: {judgement.text}." for reference, judgement in counting.items())
        if not counting:
            text = " ".join(f"Reference {reference} does not count: {judgement.text}." for reference, judgement in said.items())
        elif len(found) > 1:
            text += f" The references disagree ({listed(found)})."
        rows.append((claim.name, found[0] if len(found) == 1 else OPEN, _sureness(known, said), text))
    return pd.DataFrame(rows, columns=["claim", "verdict", "sureness", "evidence"])


def headline(tables: Tables) -> str:
    """The main result in two sentences, for the front page and the README."""
    known = Evidence(tables)
    table, parts = _judged(known, NAMES), []
    for verdict in (*VERDICTS, NOT_RUN):
        if names := table.loc[table["verdict"] == verdict, "claim"].tolist():
            parts.append(f"{listed([f'{IN_SHORT[name]} ({name})' for name in names])} {WORDS[verdict][len(names) > 1]}")
    own, papers = steps(RunConfig.from_dict(protocol.REDUCED)), [steps(config) for config in protocol.full()]
    first = (
        f"Of the paper's claims, rerun with seeds and controls at a small scale ({protocol.REDUCED['num_train']:,} training "
        f"molecules, {own} steps where the paper has {min(papers):,} to {max(papers):,}, energies less those of the elements): "
        f"{'; '.join(parts)}."
    )
    used = known.used
    used = used[(used["ls"].map(tuple) == MANY) & (used["reference"] == "composition") & (used["seeds"] == used["planned"])]
    if used.empty:
        return f"{first} Which orders the network with orders {orders_name(MANY)} uses has not been examined yet."
    worst = used[used["block"] < last_block(tables)].groupby("l")["damage"].max()
    words = [f"{percent(worst[l])} for l = {l}" for l in worst.index]
    seeds = int(used["planned"].max())
    second = (
        f"In the network with orders {orders_name(MANY)}, shuffling one order among the atoms behind one block changes the error "
        f"by up to {listed(words)} (means over {seeds} seeds)."
    )
    return f"{first} {second}"


def _sureness(known: Evidence, said: dict[str, Judgement]) -> str:
    """Seeds, references that counted, and the scale."""
    counting = {reference: judgement for reference, judgement in said.items() if judgement.verdict is not None}
    full = int((known.tables["runs"]["experiment"] == "full").sum())
    scale = f"reduced protocol ({full} runs at the paper's scale stand beside it)" if full else "reduced protocol only"
    if not counting:
        return f"no reference counts; {scale}"
    seeds = listed(list(dict.fromkeys(judgement.seeds for judgement in counting.values())))
    left = [reference for reference in said if reference not in counting]
    words = f"reference {listed(list(counting))}" + (f" ({listed(left)} does not count)" if left else "")
    return f"{seeds}; {words}; {scale}"
