"""Objectives against each other: a chart for each pair, with the front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations

from nas.report.cards import card
from nas.report.name_places import Box, names_of
from nas.report.trial_page import svg
from nas.report.trial_page.facts import WORDS, ShownTrial, TrialFacts, epochs_text
from nas.report.trials import value_text
from nas.tuning.objectives import Objective

# Charts beyond these are of objectives that hardly anybody looks at in pairs.
MOST_CHARTS = 10
NO_OBJECTIVE = Objective("params")


def fronts(facts: TrialFacts) -> str:
    """The card with all charts; empty where there is nothing to draw."""
    pairs = list(_pairs(facts))[:MOST_CHARTS]
    shown = [chart for pair in pairs if (chart := _chart(facts, *pair))]
    if not shown:
        return ""
    standings = [one.standing for one in facts.trials if one.last is not None]
    return card("Objectives against each other", _lead(facts), svg.legend(standings), *shown)


def _lead(facts: TrialFacts) -> str:
    what = "No whole training is better than one of the front in every objective."
    if len(facts.objectives) == 1:
        return (
            f"The search looked at {facts.objectives[0].text} alone; what it costs in parameters "
            "decided nothing."
        )
    if len(facts.objectives) > 2:
        what += " With more than two objectives it need not be at the edge of each chart."
    return f"{what} Values of other trials are those after their last training."


def _pairs(facts: TrialFacts) -> Iterator[tuple[Objective, Objective]]:
    """Pairs of (level, upright): costs lie along the level axis."""
    if len(facts.objectives) == 1:
        only = facts.objectives[0]
        sizes = {one.value(NO_OBJECTIVE.text) for one in facts.trials}
        # Where all trials have one network there is nothing to see.
        if only != NO_OBJECTIVE and len(sizes - {None}) > 1:
            yield NO_OBJECTIVE, only
        return
    for first, second in combinations(facts.objectives, 2):
        is_cost = first.direction == "minimise" and second.direction == "maximise"
        yield (first, second) if is_cost else (second, first)


def _chart(facts: TrialFacts, level: Objective, upright: Objective) -> str:
    """One pair; empty where no trial has both values."""
    places = [
        (one, x, y)
        for one in facts.trials
        if (x := one.value(level.text)) is not None
        and (y := one.value(upright.text)) is not None
        and one.last is not None
    ]
    if not places:
        return ""
    original = facts.record.original.known.get(level.text)
    known = [] if original is None else [original]
    xs, ys = [place[1] for place in places], [place[2] for place in places]
    along = svg.Scale.of([*xs, *known], svg.LEFT, svg.WIDTH - svg.RIGHT)
    up = svg.Scale.of(ys, svg.HEIGHT - svg.BOTTOM, svg.TOP, most=upright.quantity.most)
    # Those of the front lie on top.
    ordered = sorted(places, key=lambda place: place[0].standing == "front")
    marks = [
        svg.mark(along.place(a), up.place(b), one.standing, _words(one, (level, a), (upright, b)))
        for one, a, b in ordered
    ]
    return svg.drawing(
        f"{upright.text} against {level.text}",
        _description(places, level, upright),
        svg.frame(
            along,
            up,
            f"{_name(level)}: {level.quantity.text}",
            _name(upright),
            (partial(svg.tick, level), partial(svg.tick, upright)),
        ),
        svg.original(along, original),
        _line(facts, level, places, along, up),
        *marks,
        *_numbers(places, along, up),
    )


def _name(objective: Objective) -> str:
    better = "more is better" if objective.direction == "maximise" else "less is better"
    return f"{objective.text}, {better}"


def _words(one: ShownTrial, *values: tuple[Objective, float]) -> str:
    reached = ", ".join(f"{o.text} {value_text(o.name, value)}" for o, value in values)
    return f"Trial {one.number}, {WORDS[one.standing]}, {epochs_text(one.epochs)}: {reached}"


def _description(
    places: Sequence[tuple[ShownTrial, float, float]], level: Objective, upright: Objective
) -> str:
    on_front = [place for place in places if place[0].standing == "front"]
    reached = "; ".join(_words(one, (level, x), (upright, y)) for one, x, y in on_front[:20])
    return f"{len(places)} trials, {len(on_front)} of them on the front. {reached}"


def _line(
    facts: TrialFacts,
    level: Objective,
    places: Sequence[tuple[ShownTrial, float, float]],
    x: svg.Scale,
    y: svg.Scale,
) -> str:
    """Steps along the front: between two networks of it, the better one on the level axis holds."""
    if len(facts.objectives) != 2:
        return ""
    points = sorted((x.place(a), y.place(b)) for one, a, b in places if one.standing == "front")
    is_less = level.direction == "minimise"
    steps = [
        corner
        for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False)
        for corner in ((x0, y0), (x1, y0) if is_less else (x0, y1), (x1, y1))
    ]
    text = " ".join(f"{a:.1f},{b:.1f}" for a, b in steps)
    return f'<polyline class="frontline" points="{text}"/>' if steps else ""


def _numbers(
    places: Sequence[tuple[ShownTrial, float, float]], x: svg.Scale, y: svg.Scale
) -> list[str]:
    """Numbers of the trials on the front, which the table has, where they do not overlap."""
    drawn = [(one, x.place(a), y.place(b)) for one, a, b in places]
    marks = sorted((a, b, str(one.number)) for one, a, b in drawn if one.standing == "front")
    others = [(a, b) for one, a, b in drawn if one.standing != "front"]
    frame = Box(svg.LEFT, svg.TOP, svg.WIDTH - svg.RIGHT, svg.HEIGHT - svg.BOTTOM)
    return names_of(frame, marks, others)
