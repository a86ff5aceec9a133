"""The page with a verdict for every claim: its table, its rules, and the order in which rules and runs came about."""

import subprocess
from datetime import datetime
from pathlib import Path

import pandas as pd

from equinotes.audit import claims
from equinotes.audit.claims import CLAIMS
from equinotes.audit.remarks import remarks
from equinotes.audit.report import Tables, markdown_table, percent
from equinotes.audit.tables import load_all
from equinotes.support.errors import UserError
from equinotes.support.repository import find_root

COMMITTED = ("55fd4bf93c5025428c71c1a4dcefef4e73699dad", "2026-11-22T23:17:14+00:00")
"""Commit that wrote claims, rules and thresholds down, and its date."""

PAGES_WITH_HEADLINE = ("README.md", "book/index.md")
"""Pages that state the main result; `python -m equinotes.audit.ledger` brings them up to date."""

BADGES = {
    claims.REPRODUCED: "reproduced",
    claims.NOT_REPRODUCED: "refuted",
    claims.ARTEFACT: "artefact",
    claims.OPEN: "open",
}
"""Verdicts, and the look of their badges (book/_static/equinotes.css)."""

FIGURES = {
    "C1": {"errors": "fig-rerun-errors", "changes": "fig-rerun-changes"},
    "C2": {"glance": "fig-glance", "structure": "fig-structure", "the mis-cut orders": "fig-cuts"},
    "C3": {"errors": "fig-rerun-errors", "changes": "fig-rerun-changes"},
    "C4": {"glance": "fig-glance", "gradient flow": "fig-flow"},
    "C5": {"substitutes": "fig-substitutes", "glance": "fig-glance"},
    "C6": {},
}
"""Where the evidence of each claim is drawn: words and the names of the figures."""


def badge(verdict: str) -> str:
    """A verdict that stands out, as HTML; what begins like a known verdict has its look, anything else that of an open one."""
    look = next((look for name, look in BADGES.items() if verdict.startswith(name)), "open")
    return f'<span class="verdict verdict-{look}">{verdict}</span>'


def ledger_table(verdicts: pd.DataFrame) -> str:
    """One row per claim, as Markdown; `verdicts` has `claim`, `verdict`, `sureness`, `evidence`."""
    known, rows = {row["claim"]: row for row in verdicts.to_dict("records")}, []
    for claim in CLAIMS:
        row = known[claim.name]
        links = ", ".join(f"[{words}](#{place})" for words, place in FIGURES[claim.name].items())
        evidence = f"{row['evidence']} {f'*See:* {links}.' if links else ''}".strip()
        rows.append(
            [
                f"**[{claim.name}](#claim-{claim.name.lower()})** {claim.statement}",
                claim.refuted_by,
                evidence,
                badge(row["verdict"]),
                row["sureness"],
            ]
        )
    return markdown_table(["claim", "what would refute it", "evidence", "verdict", "how sure"], rows, "lllll")


def rule(name: str, verdicts: pd.DataFrame, tables: Tables) -> str:
    """A claim with the rule that it is judged by, its verdict, how sure that is, and what the rule does not see, as Markdown."""
    claim = next(claim for claim in CLAIMS if claim.name == name)
    row = next(row for row in verdicts.to_dict("records") if row["claim"] == name)
    verdict = f"*Verdict.* {badge(row['verdict'])} {row['sureness']}."
    parts = [f"*Claim.* {claim.statement}", f"*Rule.* {claim.rule[0].upper()}{claim.rule[1:]}", verdict]
    if beside := remarks(tables, name):
        parts += ["*Beside the rule.*", "\n".join(f"- {sentence}" for sentence in beside)]
    return "\n\n".join(parts)


def thresholds() -> str:
    """The thresholds, as Markdown."""
    rows: list[list[object]] = [
        ["change of the error that matters", percent(claims.MARGIN, sign=False)],
        ["interval within which errors are the same", f"±{percent(claims.EQUIVALENT, sign=False)}"],
        ["level of all intervals", percent(claims.LEVEL, sign=False)],
        ["damage of shuffling from which an order is used", percent(claims.DAMAGE, sign=False)],
        ["share of the gradient flow that dominates", percent(claims.DOMINANT, sign=False)],
        ["p below which latents are structured", claims.SIGNIFICANT],
        ["share of the seeds that must agree", percent(claims.AGREEING, sign=False)],
    ]
    return markdown_table(["threshold", "value"], rows)


def unchanged() -> bool | None:
    """Whether claims, rules and thresholds say what they said when they were written down; None where git cannot tell."""
    place = Path(claims.__file__)
    command = ["git", "show", f"{COMMITTED[0]}:./{place.name}"]
    try:
        source = subprocess.run(command, cwd=place.parent, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    first: dict[str, object] = {}
    exec(compile(source, place.name, "exec"), first)
    names = [name for name in (*first, *vars(claims)) if name.isupper()]
    return all(first.get(name) == getattr(claims, name, None) for name in names)


def order_of_events(tables: Tables) -> str:
    """When the rules were written down, whether they changed since, and when the first of the stored runs began."""
    commit, written = COMMITTED
    said = f"Claims, rules and thresholds were committed on {_day(written)} as `{commit[:10]}` (`equinotes/audit/claims.py`)."
    started = tables["runs"]["started"]
    if len(started):
        first = min(map(datetime.fromisoformat, started))
        word = "after" if first > datetime.fromisoformat(written) else "**before**"
        said += f" The first of the stored runs began on {_day(first.isoformat())}, {word} that."
    said += (
        " Smaller networks of the lessons had been trained before, and what measures and draws was written later, as were the "
        "sentences *beside the rule*."
    )
    words = {True: "The rules say today what they said then.", False: "The rules were **changed** since.", None: ""}
    return f"{said} {words[unchanged()]}".strip()


def with_headline(text: str, headline: str) -> str:
    """A page with the main result between its two marks; ValueError where the marks are missing.

    >>> with_headline("a <!-- result -->old<!-- /result --> b", "new")
    'a <!-- result -->new<!-- /result --> b'
    """
    before, mark, rest = text.partition("<!-- result -->")
    _, end, after = rest.partition("<!-- /result -->")
    if not (mark and end):
        raise UserError("no <!-- result --> ... <!-- /result --> in this page")
    return before + mark + headline + end + after


def put_headline(root: Path) -> None:
    """Write the main result, as the stored tables have it, into the README and the book's front page."""
    from equinotes.audit.verdicts import headline

    said = headline(load_all())
    for place in PAGES_WITH_HEADLINE:
        page = root / place
        page.write_text(with_headline(page.read_text(encoding="utf-8"), said), encoding="utf-8")


def _day(date: str) -> str:
    return datetime.fromisoformat(date).strftime("%Y-%m-%d at %H:%M:%S UTC")


if __name__ == "__main__":
    put_headline(find_root())
