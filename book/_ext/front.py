"""The front page, made from the stored tables: `{main-result}`, `{first-result}`, `{damage-chart}` and `{claims-board}`."""

from functools import cache
from html import escape
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from equinotes.audit.protocol import named
from equinotes.audit.report import front
from equinotes.audit.tables import load_all
from equinotes.figures.style import order_colour
from equinotes.support.templates import sentences
from equinotes.support.text import orders_name, percent

WIDTH, HEAD, ROW, LEFT, MIDDLE, LENGTH = 640, 36, 44, 84, 380, 150
"""Of the chart, in units of its view box: all, what stands above the bars, one bar, where the two sides begin, longest bar."""
HEADS = {"damage": "shuffled", "cost": "trained without"}
"""What the two sides show."""


@cache
def numbers() -> dict[str, Any]:
    """What the stored tables of protocol 2 say."""
    return front.front(load_all(protocol=named("second")))


def chart(shown: list[dict[str, Any]]) -> str:
    """Bars for each order, as SVG that takes the letters' colour from the page: shuffled on the left, left out on the right.

    Both sides have one scale; a line across the end of a bar is its interval (`damage_low`, `damage_high` and so on), if given.

    >>> chart([{"l": 1, "damage": 2.0, "cost": 0.1}]).count("<rect")
    2
    """
    parts, said = [], []
    ends = [row.get(f"{name}{end}", float("nan")) for row in shown for name in HEADS for end in ("", "_low", "_high")]
    most = max((abs(end) for end in ends if end == end), default=1.0)
    for name, left in (("damage", LEFT), ("cost", MIDDLE)):
        parts.append(f'<text x="{left}" y="20" class="head">{HEADS[name]}</text>')
        for k, row in enumerate(shown):
            value, top = row[name], HEAD + ROW * k
            known = value == value
            length = max(2.0, LENGTH * abs(value) / most) if known else 0.0
            words = percent(value) if known else "not trained" if name == "cost" else "not examined"
            if known:
                bar = f'x="{left}" y="{top}" width="{length:.1f}" height="{ROW - 14}"'
                parts.append(f'<rect {bar} fill="{order_colour(row["l"])}"/>')
            between = ""
            low, high = (row.get(f"{name}_{end}", float("nan")) for end in ("low", "high"))
            if known and low == low and high == high:
                first, last = (left + LENGTH * end / most for end in (low, high))
                line = f'x1="{first:.1f}" x2="{last:.1f}" y1="{top + ROW - 9}" y2="{top + ROW - 9}"'
                parts.append(f'<line {line} stroke="currentColor" stroke-width="2"/>')
                between = f" [{100 * low:+.0f}, {100 * high:+.0f}]".replace("-", "−")
            parts.append(f'<text x="{left + length + 8:.1f}" y="{top + 22}">{words}{between if name == "cost" else ""}</text>')
            said.append(f"l = {row['l']} {HEADS[name]}: {words}{between}")
    for k, row in enumerate(shown):
        parts.append(f'<text x="{LEFT - 12}" y="{HEAD + ROW * k + 22}" text-anchor="end">l = {row["l"]}</text>')
    height, label = HEAD + ROW * len(shown), escape(f"Change of the error. {'; '.join(said)}")
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def unbroken(text: str) -> str:
    """Numbers stay on one line with their unit, and an order with its letter.

    >>> unbroken("+1 % (l = 3)").split(" ")
    ['+1\\xa0%', '(l\\xa0=\\xa03)']
    """
    return text.replace(" %", "\u00a0%").replace("l = ", "l\u00a0=\u00a0")


class Passage(SphinxDirective):
    """A passage of the template of the front page, filled from the stored tables."""

    def run(self) -> list[nodes.Node]:
        text, found = nodes.container(), unbroken(self.text(sentences("front")))
        self.state.nested_parse(StringList(found.splitlines(), source="notebooks/templates/front.md"), 0, text)
        return text.children

    def text(self, say: Any) -> str:
        raise NotImplementedError


class MainResult(Passage):
    def text(self, say: Any) -> str:
        return str(say("result", **numbers()))


class FirstResult(Passage):
    def text(self, say: Any) -> str:
        return str(say("before", **front.before(load_all())))


class ClaimsBoard(Passage):
    def text(self, say: Any) -> str:
        return str(say("board", claims=numbers()["claims"]))


class DamageChart(SphinxDirective):
    """The chart with its title; nothing before the networks are examined."""

    def run(self) -> list[nodes.Node]:
        shown, seeds = numbers()["shown"], numbers()["seeds"]
        if not seeds:
            return []
        words = (
            f"Change of the error of the network with orders {orders_name(numbers()['orders'])}, mean over seeds "
            f"({seeds} examined), with 90 % intervals (lines, brackets): on the left one order is shuffled among the atoms of "
            "the trained network, beyond what the same shuffle does to an untrained one; on the right a network is trained "
            "without it, at equal channels, so with fewer parameters. Colours stand for orders throughout the book."
        )
        title = unbroken(str(sentences("front")("chart_title", shown=shown, used=numbers()["used"])))
        html = f'<figure class="chart"><p class="chart-title">{title}</p>{chart(shown)}<figcaption>{words}</figcaption></figure>'
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("main-result", MainResult)
    app.add_directive("first-result", FirstResult)
    app.add_directive("claims-board", ClaimsBoard)
    app.add_directive("damage-chart", DamageChart)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
