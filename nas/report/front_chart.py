"""Accuracy against milliseconds, or a count, as SVG in a page: every point leads to its network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from matplotlib.ticker import MaxNLocator

from nas.cost.units import Unit
from nas.report import numbers
from nas.report.front import has_several_seeds
from nas.report.name_places import Box, names_of
from nas.report.plots import axis_of
from nas.runs.front import Front, FrontNetwork

WIDTH, HEIGHT = 860, 430
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 18, 52
# A margin around all points and intervals, a share of what they span.
MARGIN = 0.08
# An axis of one value still has a length, a share of that value.
LEAST_SPAN = 0.02


@dataclass(frozen=True)
class Axis:
    """Values -> pixels.

    Args:
        low: Least value.
        high: Greatest value, above `low`.
        start: Pixel of `low`.
        end: Pixel of `high`.
        least: That a value can be; no tick lies below it.
        most: Likewise.
    """

    low: float
    high: float
    start: float
    end: float
    least: float = -math.inf
    most: float = math.inf

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float, most: float = math.inf) -> Axis:
        """An axis that shows all values with a margin, in which nothing impossible is marked.

        Args:
            values: One or more; where none is below 0, none can be.
            start: Pixel where it begins.
            end: Pixel where it ends.
            most: That a value can be.
        """
        low, high = min(values), max(values)
        missing = max(LEAST_SPAN * abs(high) - (high - low), 0.0) or (1.0 if high == low else 0.0)
        low, high = low - missing / 2, high + missing / 2
        margin = MARGIN * (high - low)
        least = 0.0 if min(values) >= 0 else -math.inf
        return cls(low - margin, high + margin, start, end, least, most)

    def place(self, value: float) -> float:
        """The pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Round values along the axis.

        Args:
            most: How many at most.
        """
        found = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        low, high = max(self.low, self.least), min(self.high, self.most)
        return [float(value) for value in found if low <= value <= high]


def front_chart(front: Front, ids: dict[str, str]) -> str:
    """The picture as HTML.

    Args:
        front: Of the sweep.
        ids: Name of each network -> id of what the page says of it.
    """
    unit = front.unit
    networks = [network for network in front.networks if network.cost(unit) is not None]
    scale, axis = axis_of(unit, [network.cost(unit) for network in networks])
    reaches = {n.name: [scale * x for x in _reach(n, unit)] for n in networks}
    x = Axis.of([end for reach in reaches.values() for end in reach], LEFT, WIDTH - RIGHT)
    y = Axis.of([p for n in networks for p in _reach_percent(n)], HEIGHT - BOTTOM, TOP, 100.0)
    several = ", mean of seeds" if has_several_seeds(front) else ""
    if unit.is_measured:
        predicted = f"predicted ms of {front.device}"
        axis = "measured ms, at full speed" if front.is_measured else predicted
    parts = [_grid(x, y, axis, f"top-1{several}, %"), _line(networks, reaches, x, y)]
    names = _names(networks, reaches, x, y)
    # Networks of the front lie on top.
    ordered = sorted(networks, key=lambda network: network.standing == "front")
    for network in ordered:
        said = f"{network.name}: {numbers.figure(unit, network.cost(unit))}"
        at = Place(x, y, reaches[network.name], names.get(network.name, ""))
        parts.append(_mark(network, at, said, ids[network.name]))
    return (
        f'<div class="scroll"><svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
        f'aria-label="Accuracy against {unit.plural}">{"".join(parts)}</svg></div>'
    )


@dataclass(frozen=True)
class Place:
    """Where a network is drawn.

    Args:
        x: Axis of what networks are compared by.
        y: Axis of the accuracies, in percent.
        reach: The network's figure on the first of them, and the ends of its interval.
        name: SVG of the network's name; empty where it has none here.
    """

    x: Axis
    y: Axis
    reach: Sequence[float]
    name: str


def _reach(network: FrontNetwork, unit: Unit) -> tuple[float, float, float]:
    cost = network.cost(unit) or 0.0
    if not unit.is_measured:  # counts are exact
        return cost, cost, cost
    low, high = network.measured_low_ms, network.measured_high_ms
    return cost, cost if low is None else low, cost if high is None else high


def _reach_percent(network: FrontNetwork) -> tuple[float, float, float]:
    mean = network.trainings.mean
    low = mean if network.top1_low is None else network.top1_low
    high = mean if network.top1_high is None else network.top1_high
    return 100 * mean, 100 * low, 100 * high


def _grid(x: Axis, y: Axis, x_label: str, y_label: str) -> str:
    parts = []
    for value in x.ticks(8):
        at = x.place(value)
        parts.append(
            f'<line class="grid" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
            f"{value:.4g}</text>"
        )
    for value in y.ticks(6):
        at = y.place(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>'
            f'<text class="tick" x="{LEFT - 9}" y="{at + 4:.1f}" text-anchor="end">'
            f"{value:.4g}</text>"
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text class="axis" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
        f'<text class="axis" transform="translate(15 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text>'
    )
    return "".join(parts)


def _line(
    networks: Sequence[FrontNetwork], reaches: Mapping[str, Sequence[float]], x: Axis, y: Axis
) -> str:
    points = " ".join(
        f"{x.place(reaches[n.name][0]):.1f},{y.place(100 * n.trainings.mean):.1f}"
        for n in networks
        if n.standing == "front"
    )
    return f'<polyline class="frontline" points="{points}"/>'


def _names(
    networks: Sequence[FrontNetwork], reaches: Mapping[str, Sequence[float]], x: Axis, y: Axis
) -> dict[str, str]:
    """Name of each network of the front -> its SVG."""
    drawn = [(n, x.place(reaches[n.name][0]), y.place(100 * n.trainings.mean)) for n in networks]
    marks = sorted((a, b, n.name) for n, a, b in drawn if n.standing == "front")
    others = [(a, b) for n, a, b in drawn if n.standing != "front"]
    frame = Box(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    return {mark[2]: name for mark, name in zip(marks, names_of(frame, marks, others), strict=True)}


def _mark(network: FrontNetwork, place: Place, said: str, target: str) -> str:
    x, y, (cost, left, right) = place.x, place.y, place.reach
    percent, low, high = _reach_percent(network)
    at_x, at_y = x.place(cost), y.place(percent)
    kind = network.standing.replace(" ", "-")
    words = f"{said}, top-1 {percent:.1f} %"
    return (
        f'<a class="mark {kind}" href="#{target}" aria-label="{escape(words)}">'
        f"<title>{escape(words)}</title>"
        f'<line class="reach" x1="{x.place(left):.1f}" y1="{at_y:.1f}" '
        f'x2="{x.place(right):.1f}" y2="{at_y:.1f}"/>'
        f'<line class="reach" x1="{at_x:.1f}" y1="{y.place(low):.1f}" x2="{at_x:.1f}" '
        f'y2="{y.place(high):.1f}"/>'
        f'<circle class="aim" cx="{at_x:.1f}" cy="{at_y:.1f}" r="16"/>'
        f'<circle class="dot" cx="{at_x:.1f}" cy="{at_y:.1f}" r="7"/>{place.name}</a>'
    )
