"""Pieces of SVG that the charts of a search by trials are put together from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from nas.report import numbers
from nas.report.front_chart import Axis
from nas.report.trial_page.facts import COLOURS, WORDS, Standing
from nas.tuning.objectives import Objective

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 18, 52
Told = Callable[[float], str]
# Round numbers of epochs and rates on a logarithmic axis.
LOG_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Scale:
    """Values -> pixels, by differences or by ratios.

    Args:
        axis: Of the values, or of their logarithms.
        is_log: Whether equal ratios are equally long.
        fixed: Values to mark; empty for round ones.
    """

    axis: Axis
    is_log: bool = False
    fixed: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        values: Sequence[float],
        start: float,
        end: float,
        is_log: bool = False,
        most: float = math.inf,
    ) -> Scale:
        """A scale that shows all values with a margin.

        Args:
            values: One or more; above 0 where ratios count.
            start: Pixel where it begins.
            end: Pixel where it ends.
            is_log: Whether equal ratios are equally long.
            most: That a value can be, where differences count.
        """
        if not is_log:
            return cls(Axis.of(values, start, end, most))
        numbers = [math.log10(value) for value in values]
        return cls(Axis.of(numbers, start, end), is_log)

    def place(self, value: float) -> float:
        """The pixel of a value."""
        return self.axis.place(math.log10(value) if self.is_log else value)

    def ticks(self, most: int) -> list[float]:
        """Round values along the scale.

        Args:
            most: How many at most.
        """
        if self.fixed:
            return list(self.fixed)
        if not self.is_log:
            return self.axis.ticks(most)
        powers = range(math.floor(self.axis.low), math.ceil(self.axis.high) + 1)
        for steps in (LOG_STEPS, (1,)):
            found = [step * 10.0**power for power in powers for step in steps]
            shown = [v for v in found if self.axis.low <= math.log10(v) <= self.axis.high]
            if 2 <= len(shown) <= most:
                return shown
        # A span below two powers of ten has round values of its own.
        low, high = 10.0**self.axis.low, 10.0**self.axis.high
        return Axis(low, high, self.axis.start, self.axis.end).ticks(most)


def drawing(label: str, description: str, *parts: str, height: float = HEIGHT) -> str:
    """A chart of the page, with words for those who do not see it.

    Args:
        label: What it is, in a few words.
        description: What it shows, in a sentence or two.
        *parts: SVG.
        height: Of the chart in pixels.
    """
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(label)}">'
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}. {escape(description)}">{"".join(parts)}</svg></div>'
    )


def frame(x: Scale, y: Scale, x_label: str, y_label: str, told: Sequence[Told]) -> str:
    """Grid, ticks and names of two axes.

    Args:
        x: Of the level axis.
        y: Of the upright axis.
        x_label: With its unit.
        y_label: With its unit; no longer than the chart is high.
        told: Value -> its text, for each axis.
    """
    told_x, told_y = told
    parts = [upright(x.place(v), HEIGHT - BOTTOM, told_x(v)) for v in x.ticks(8)]
    parts += [level(y.place(v), told_y(v)) for v in y.ticks(6)]
    return "".join(parts) + names(x_label, y_label)


def tick(objective: Objective, value: float) -> str:
    """A round value of an objective along an axis.

    Args:
        objective: Whose axis it is.
        value: As it was measured.
    """
    if objective.name in ("top1", "top5"):
        return f"{100 * value:.3g} %"
    return f"{value:.4g}" if abs(value) < 1e4 else numbers.count(value)


def names(x_label: str, y_label: str, height: float = HEIGHT) -> str:
    """Names of two axes.

    Args:
        x_label: With its unit.
        y_label: With its unit.
        height: Of the chart in pixels.
    """
    middle = (TOP + height - BOTTOM) / 2
    return (
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{height - 8:.0f}" '
        f'text-anchor="middle">{escape(x_label)}</text>'
        f'<text class="axis" transform="translate(15 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text>'
    )


def upright(at: float, bottom: float, text: str) -> str:
    """An upright line of the grid with its value below.

    Args:
        at: Its place on the level axis.
        bottom: Where it ends.
        text: The value.
    """
    return (
        f'<line class="grid" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom:.1f}"/>'
        f'<text class="tick" x="{at:.1f}" y="{bottom + 20:.1f}" text-anchor="middle">'
        f"{escape(text)}</text>"
    )


def level(at: float, text: str) -> str:
    """A level line of the grid with its value at the left.

    Args:
        at: Its place on the upright axis.
        text: The value.
    """
    return (
        f'<line class="grid" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>'
        f'<text class="tick" x="{LEFT - 9}" y="{at + 4:.1f}" text-anchor="end">{escape(text)}'
        "</text>"
    )


def original(x: Scale, value: float | None) -> str:
    """A line where the original stands, whose value after a training nobody knows.

    Args:
        x: Of the level axis.
        value: Of the original; None for no line.
    """
    if value is None:
        return ""
    at = x.place(value)
    return (
        f'<line class="original" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" '
        f'y2="{HEIGHT - BOTTOM}"/><text class="name" x="{at - 6:.1f}" '
        f'y="{TOP + 12}" text-anchor="end">the original</text>'
    )


def path(points: Sequence[tuple[float, float]], standing: Standing, words: str) -> str:
    """A line of a trial; nothing without two points.

    Args:
        points: In pixels.
        standing: Of the trial.
        words: Shown where it is pointed at.
    """
    if len(points) < 2:
        return ""
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline class="line {standing}" points="{text}"><title>{escape(words)}</title>'
        "</polyline>"
    )


def mark(x: float, y: float, standing: Standing, words: str) -> str:
    """The mark of a trial; each standing has a shape of its own.

    Args:
        x: In pixels.
        y: In pixels.
        standing: Of the trial.
        words: Shown where it is pointed at.
    """
    return f'<g class="dot {standing}"><title>{escape(words)}</title>{shape(x, y, standing)}</g>'


def shape(x: float, y: float, standing: Standing) -> str:
    """Outline of a standing's mark.

    Args:
        x: In pixels.
        y: In pixels.
        standing: Of a trial.
    """
    match standing:
        case "front":
            corners = f"{x:.1f},{y - 8:.1f} {x + 8:.1f},{y:.1f} {x:.1f},{y + 8:.1f} "
            return f'<polygon points="{corners}{x - 8:.1f},{y:.1f}"/>'
        case "failed":
            a, b, c, d = x - 5, y - 5, x + 5, y + 5
            return f'<path d="M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}M{a:.1f} {d:.1f}L{c:.1f} {b:.1f}"/>'
        case "running":
            return f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>'


def legend(standings: Sequence[Standing]) -> str:
    """The marks that a chart has, with their words.

    Args:
        standings: Of its trials, any number of times each.
    """
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 20 20" aria-hidden="true"><g class="dot {standing}">'
        f"{shape(10, 10, standing)}</g></svg>{WORDS[standing]}</li>"
        for standing in WORDS
        if standing in standings
    )
    return f'<ul class="legend">{items}</ul>'


def _rules() -> str:
    return "".join(
        f".dot.{name},.line.{name}{{color:{colour}}}\n" for name, colour in COLOURS.items()
    )


STYLE = f"""
.chart{{width:100%;height:auto;display:block;margin-top:6px}}
.chart .grid{{stroke:#e6eaf0;stroke-width:1}}
.chart .tick{{font-size:12.5px;fill:#5f6f84}}
.chart .axis{{font-size:13.5px;fill:#5f6f84}}
.chart .name{{font-size:12px;fill:#1b2a41}}
.chart .frontline{{fill:none;stroke:#1f8a5b;stroke-width:2;opacity:.55}}
.chart .original{{stroke:#1b2a41;stroke-width:1.4;stroke-dasharray:6 4}}
{_rules()}.dot{{fill:currentColor;stroke:#fff;stroke-width:1.3}}
.dot.part{{fill:#fff;stroke:currentColor;stroke-width:1.8}}
.dot.running{{fill:none;stroke:currentColor;stroke-width:1.8}}
.dot.failed{{fill:none;stroke:currentColor;stroke-width:2.4}}
.line{{fill:none;stroke:currentColor;stroke-width:1.3;opacity:.6}}
.line.whole{{opacity:.75;stroke-width:1.6}}
.line.front{{opacity:1;stroke-width:2.6}}
.line.failed{{stroke-dasharray:3 3}}
.line:hover{{opacity:1;stroke-width:4}}
.legend .key{{width:20px;height:20px;vertical-align:-5px;margin-right:3px}}
.scroll:focus-visible{{outline:2px solid var(--accent);outline-offset:3px}}
.scroll+h3,.scroll+.legend{{margin-top:20px}}
.beside td:first-child,.beside th:first-child,.every td:first-child,.every th:first-child
{{position:sticky;left:0;background:var(--card);z-index:1}}
.beside td{{white-space:normal;min-width:104px}}
.beside tbody th{{min-width:124px;vertical-align:middle;border-bottom:1px solid var(--line)}}
.beside tbody tr:last-child th{{border-bottom:0}}
.hero .seen p{{margin:0}}
.beside th small,.every th small{{display:block;font-weight:400}}
.every td{{font-size:13.5px;padding:6px 10px}}
.every td.network{{text-align:left;white-space:normal;min-width:420px;
font:12px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}}
b.smaller{{color:var(--ink);font-weight:750}}
.bars.knobs{{margin:6px 0 22px}}
.bars.knobs .bar{{grid-template-columns:minmax(90px,220px) 1fr 60px}}
.bars.knobs .bar span:first-child{{overflow-wrap:anywhere}}
.chart .upright{{stroke:#c5cdd8;stroke-width:1}}
.chart .plate{{fill:var(--card)}}
@media(max-width:700px){{.chart{{width:640px}}
.bars.knobs .bar{{grid-template-columns:1fr auto}}}}
"""
