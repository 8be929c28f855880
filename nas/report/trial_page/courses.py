"""Learning curves: what trials had reached at the ends of their rungs, and their losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from nas.report.cards import card
from nas.report.trial_page import svg
from nas.report.trial_page.facts import WORDS, ShownTrial, TrialFacts, epochs_text
from nas.report.trials import value_text
from nas.tuning.objectives import parse_objective

MOST_TRIALS = 200
Point = tuple[float, float]


def courses(facts: TrialFacts) -> str:
    """The card with a chart for each judged objective and one of the losses."""
    drawn = facts.trials[:MOST_TRIALS]
    shown = [chart for text in facts.judged if (chart := _reached(facts, drawn, text))]
    losses = _losses(facts, drawn)
    if not shown and not losses:
        return ""
    lead = (
        "Marks are the ends of rungs: a line that goes on behind one was promoted there. Losses "
        "are means over training steps, on augmented images."
    )
    if len(drawn) < len(facts.trials):
        lead += f" The best {len(drawn)} of {len(facts.trials)} trials are drawn."
    standings = [one.standing for one in drawn if one.last is not None]
    return card("Learning curves", lead, svg.legend(standings), *shown, losses)


def _reached(facts: TrialFacts, drawn: Sequence[ShownTrial], text: str) -> str:
    """Values of a judged objective at the ends of rungs."""
    objective = parse_objective(text)
    lines = [
        (one, [(r.epochs, r.reached[text]) for r in one.trial.rungs if text in r.reached])
        for one in drawn
    ]
    return _chart(
        [line for line in lines if line[1]],
        facts.config.scheduler.ladder.epochs,
        text,
        lambda value: f"{text} {value_text(objective.name, value)}",
        partial(svg.tick, objective),
        has_marks=True,
        most=objective.quantity.most,
    )


def _losses(facts: TrialFacts, drawn: Sequence[ShownTrial]) -> str:
    lines = [
        (one, [(p.epoch, p.loss) for p in facts.curves.get(one.number, ()) if p.loss is not None])
        for one in drawn
    ]
    return _chart(
        [line for line in lines if line[1]],
        facts.config.scheduler.ladder.epochs,
        "training loss",
        lambda value: f"loss {value:.4g}",
        "{:.4g}".format,
    )


def _chart(
    lines: Sequence[tuple[ShownTrial, Sequence[Point]]],
    ends: Sequence[float],
    y_label: str,
    told: svg.Told,
    tick: svg.Told,
    has_marks: bool = False,
    most: float = math.inf,
) -> str:
    """Lines over the epochs; empty without any."""
    if not lines:
        return ""
    epochs = [epoch for _, points in lines for epoch, _ in points]
    # Rungs grow by a factor each.
    is_log = min(epochs) > 0 and max(epochs) > min(epochs)
    x = svg.Scale.of(epochs, svg.LEFT, svg.WIDTH - svg.RIGHT, is_log)
    within = tuple(end for end in ends if min(epochs) <= end <= max(epochs))
    x = replace(x, fixed=within)
    values = [value for _, points in lines for _, value in points]
    y = svg.Scale.of(values, svg.HEIGHT - svg.BOTTOM, svg.TOP, most=most)
    parts = []
    # Those of the front lie on top.
    for one, points in sorted(lines, key=lambda line: line[0].standing == "front"):
        places = [(x.place(epoch), y.place(value)) for epoch, value in points]
        last = f"Trial {one.number}, {WORDS[one.standing]}, {told(points[-1][1])} at the end"
        parts.append(svg.path(places, one.standing, last))
        for (epoch, value), place in zip(points, places, strict=True):
            words = f"Trial {one.number}, {epochs_text(epoch)}: {told(value)}"
            # A line of one point cannot be seen.
            if has_marks or len(points) == 1:
                parts.append(svg.mark(*place, one.standing, words))
    told_ends = "; ".join(
        f"trial {one.number} {told(points[-1][1])} after {epochs_text(points[-1][0])}"
        for one, points in lines[:20]
    )
    label = f"{y_label} over epochs"
    return svg.drawing(
        label,
        told_ends,
        svg.frame(x, y, "epochs of the trial", y_label, ("{:g}".format, tick)),
        *parts,
    )
