"""Parallel coordinates: what trials differ in and what they came to, a line for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from nas.report.cards import card
from nas.report.trial_page import svg
from nas.report.trial_page.dimensions import Dimension, dimensions
from nas.report.trial_page.facts import WORDS, ShownTrial, TrialFacts, epochs_text
from nas.tuning.objectives import Objective
from nas.tuning.parameters import OneOfList, Value

MOST_TRIALS = 300
HEIGHT = 400
TOP, BOTTOM, SIDE = 58, 34, 74
CHARACTERS = 15  # of a value or a word of a name
CHARACTER_WIDTH = 6.6  # pixels, on average, of the letters of a value


@dataclass(frozen=True)
class Coordinate:
    """One upright axis.

    Args:
        name: Of the knob or objective.
        note: Below the name.
        value: Trial -> its value; None where it has none.
        place: Value -> pixel.
        ticks: (pixel, text) along it.
    """

    name: str
    note: str
    value: Callable[[ShownTrial], Value]
    place: Callable[[Value], float]
    ticks: Sequence[tuple[float, str]]


def parallel(facts: TrialFacts) -> str:
    """The card with the chart; empty without trials that ended a rung."""
    every = [one for one in facts.trials if one.last is not None]
    drawn = every[:MOST_TRIALS]
    if not drawn:
        return ""
    shown = dimensions(facts.record)
    axes = [_knob(dimension, drawn) for dimension in shown]
    axes += [_objective(objective, drawn) for objective in facts.objectives]
    step = (svg.WIDTH - 2 * SIDE) / max(len(axes) - 1, 1)
    places = [SIDE + step * number for number in range(len(axes))]
    lines = [_line(one, axes, places) for one in sorted(drawn, key=lambda o: o.standing == "front")]
    title = "Knobs and objectives"
    lead = "A line is a trial. Objectives stand at the right, with the better end at the top."
    if any(dimension.members for dimension in shown):
        lead += " Of decisions that are made for each block, the mean over all blocks is shown."
    if len(drawn) < len(every):
        lead += f" The best {len(drawn)} of {len(every)} trials are drawn."
    return card(
        title,
        lead,
        svg.legend([one.standing for one in drawn]),
        svg.drawing(
            title,
            f"{len(drawn)} trials over {', '.join(axis.name for axis in axes)}",
            *lines,
            # Values lie on top of the lines, so that they can be read.
            *(_axis(axis, x, step) for axis, x in zip(axes, places, strict=True)),
            height=HEIGHT,
        ),
    )


def _knob(dimension: Dimension, drawn: Sequence[ShownTrial]) -> Coordinate:
    parameter = dimension.parameter

    def value(one: ShownTrial) -> Value:
        return dimension.value(one.trial.configuration)

    if isinstance(parameter, OneOfList):
        options = list(map(json.dumps, parameter.options))
        room = HEIGHT - BOTTOM - TOP
        spots = [HEIGHT - BOTTOM - room * (i + 0.5) / len(options) for i in range(len(options))]

        def spot(found: Value) -> float:
            return spots[options.index(json.dumps(found))]

        words = [_word(option) for option in parameter.options]
        return Coordinate(dimension.name, "", value, spot, list(zip(spots, words, strict=True)))
    numbers = [float(v) for one in drawn if (v := value(one)) is not None]
    if not dimension.members:
        numbers += [parameter.low, parameter.high]
    scale = svg.Scale.of(numbers or [0.0], HEIGHT - BOTTOM, TOP, parameter.is_log)
    return _numbers(dimension.name, "", value, scale, lambda v: f"{v:.3g}")


def _objective(objective: Objective, drawn: Sequence[ShownTrial]) -> Coordinate:
    values = [v for one in drawn if (v := one.value(objective.text)) is not None]
    ends = (HEIGHT - BOTTOM, TOP) if objective.direction == "maximise" else (TOP, HEIGHT - BOTTOM)
    note = "more is better" if objective.direction == "maximise" else "less is better"
    return _numbers(
        objective.text,
        note,
        lambda one: one.value(objective.text),
        svg.Scale.of(values or [0.0], *ends, most=objective.quantity.most),
        partial(svg.tick, objective),
    )


def _numbers(
    name: str,
    note: str,
    value: Callable[[ShownTrial], Value],
    scale: svg.Scale,
    text: Callable[[float], str],
) -> Coordinate:
    ticks = [(scale.place(tick), text(tick)) for tick in scale.ticks(6)]
    return Coordinate(name, note, value, lambda found: scale.place(float(found or 0.0)), ticks)


def _word(value: Value) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…"


def _axis(axis: Coordinate, x: float, step: float) -> str:
    head = "".join(
        f'<text class="tick" x="{x:.1f}" y="{16 + 14 * number}" text-anchor="middle">'
        f"{escape(line)}</text>"
        for number, line in enumerate(_lines(axis, step))
    )
    ticks = "".join(
        f"{_plate(x - 6, y, text)}"
        f'<text class="tick" x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">'
        f"{escape(text)}</text>"
        f'<line class="grid" x1="{x - 3:.1f}" y1="{y:.1f}" x2="{x + 3:.1f}" y2="{y:.1f}"/>'
        for y, text in axis.ticks
    )
    return (
        f'<line class="upright" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>'
        f"{head}{ticks}"
    )


def _plate(right: float, middle: float, text: str) -> str:
    """What hides the lines behind a value, between its letters and around them."""
    width = len(text) * CHARACTER_WIDTH + 4
    return (
        f'<rect class="plate" x="{right + 2 - width:.1f}" y="{middle - 8:.1f}" '
        f'width="{width:.1f}" height="16" rx="3"/>'
    )


def _lines(axis: Coordinate, step: float) -> list[str]:
    """A name in lines that have room beside the next axis."""
    most = max(8, int(step / 7))
    lines = [""]
    name = f"{axis.name}," if axis.note else axis.name
    for word in [*name.replace("_", " ").replace(".", ". ").split(), *axis.note.split()]:
        if lines[-1] and len(lines[-1]) + len(word) + 1 > most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:3]


def _line(one: ShownTrial, axes: Sequence[Coordinate], places: Sequence[float]) -> str:
    """A line through all axes, interrupted where a trial has no value."""
    words = [f"Trial {one.number}, {WORDS[one.standing]}, {epochs_text(one.epochs)}"]
    points: list[tuple[float, float]] = []
    for axis, x in zip(axes, places, strict=True):
        value = axis.value(one)
        # None is a value of some knobs, and no number of any range.
        if value is None and not any(text == "null" for _, text in axis.ticks):
            continue
        points.append((x, axis.place(value)))
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        words.append(f"{axis.name} {shown}")
    return svg.path(points, one.standing, ", ".join(words))
