"""The front page, made from the stored tables: `{main-result}`, `{damage-chart}` and `{claims-board}`."""

from functools import cache
from html import escape
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from equinotes.audit.report.front import front
from equinotes.audit.tables import load_all
from equinotes.figures.style import order_colour
from equinotes.support.templates import sentences
from equinotes.support.text import percent

WIDTH, ROW, LEFT, RIGHT = 640, 44, 90, 110
"""Of the chart, in units of its view box: all, one bar, what stands left and right of the bars."""


@cache
def numbers() -> dict[str, Any]:
    """What the stored tables say."""
    return front(load_all())


def chart(damage: list[dict[str, Any]]) -> str:
    """Bars of the damage done by shuffling each order, as SVG that takes the letters' colour from the page.

    >>> chart([{"l": 0, "damage": 2.0}]).count("<rect")
    1
    """
    height, most = ROW * len(damage) + 10, max(row["damage"] for row in damage)
    parts = []
    for k, row in enumerate(damage):
        top, length = 8 + ROW * k, max(2.0, (WIDTH - LEFT - RIGHT) * row["damage"] / most)
        parts += [
            f'<text x="{LEFT - 12}" y="{top + 24}" text-anchor="end">l = {row["l"]}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{ROW - 12}" fill="{order_colour(row["l"])}"/>',
            f'<text x="{LEFT + length + 10:.1f}" y="{top + 24}">{percent(row["damage"])}</text>',
        ]
    said = "; ".join(f"l = {row['l']}: {percent(row['damage'])}" for row in damage)
    label = escape(f"Change of the error when one order is shuffled among the atoms. {said}")
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


class Passage(SphinxDirective):
    """A passage of the template of the front page, filled from the stored tables."""

    def run(self) -> list[nodes.Node]:
        text, found = nodes.container(), self.text(sentences("front"))
        self.state.nested_parse(StringList(found.splitlines(), source="notebooks/templates/front.md"), 0, text)
        return text.children

    def text(self, say: Any) -> str:
        raise NotImplementedError


class MainResult(Passage):
    def text(self, say: Any) -> str:
        return str(say("result", **numbers()))


class ClaimsBoard(Passage):
    def text(self, say: Any) -> str:
        return str(say("board", claims=numbers()["claims"]))


class DamageChart(SphinxDirective):
    """The chart with its title; nothing before the networks are examined."""

    def run(self) -> list[nodes.Node]:
        damage, seeds = numbers()["damage"], numbers()["seeds"]
        if not damage:
            return []
        words = f"Largest change behind one block, mean over {seeds} seeds. Colours stand for orders throughout the book."
        title = "Spoil one order, and the error of the network grows"
        html = f'<figure class="chart"><p class="chart-title">{title}</p>{chart(damage)}<figcaption>{words}</figcaption></figure>'
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("main-result", MainResult)
    app.add_directive("claims-board", ClaimsBoard)
    app.add_directive("damage-chart", DamageChart)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
