"""Who went on to which rung and when, and what they had reached there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nas.report.cards import card
from nas.report.trial_page import svg
from nas.report.trial_page.facts import ShownTrial, Standing, TrialFacts, epochs_text
from nas.report.trials import value_text
from nas.runs.trials_record import RungReached

LANE = 74
# A chart of more cannot be read, and a page of more is slow; the best are drawn.
MOST_TRIALS = 400


def rungs(facts: TrialFacts) -> str:
    """The card: a lane for each rung, from the shortest training at the bottom up."""
    ladder = facts.config.scheduler.ladder
    drawn = facts.trials[:MOST_TRIALS]
    if not drawn:
        return ""
    begun = begun_after(facts)
    height = svg.TOP + LANE * len(ladder.epochs) + svg.BOTTOM
    lanes = [height - svg.BOTTOM - LANE * (rung + 0.5) for rung in range(len(ladder.epochs))]
    x = svg.Scale.of([0.0, *begun.values()], svg.LEFT + 40, svg.WIDTH - svg.RIGHT)
    parts = [svg.upright(x.place(v), height - svg.BOTTOM, f"{v:g}") for v in x.ticks(8) if v >= 0]
    parts += [
        svg.level(at, f"{epochs:.3g} ep.") for at, epochs in zip(lanes, ladder.epochs, strict=True)
    ]
    # Those of the front lie on top.
    for one in sorted(drawn, key=lambda one: one.standing == "front"):
        parts += _course(one, [(x.place(begun[r.leg]), lanes[r.rung]) for r in one.trial.rungs])
    title = "Rungs over time"
    return card(
        title,
        _lead(facts, len(drawn)),
        svg.legend([_state(one, rung) for one in drawn for rung in one.trial.rungs]),
        svg.drawing(
            title,
            _description(facts),
            *parts,
            svg.names("epochs of all trials that had been handed out before", "", height),
            height=height,
        ),
    )


def _lead(facts: TrialFacts, drawn: int) -> str:
    lead = (
        "Each mark is a training up to the end of a rung, at the moment when it was handed out. "
        "Lines lead from a trial's training to the one that it was promoted to."
    )
    left_out = len(facts.trials) - drawn
    return f"{lead} The best {drawn} of {len(facts.trials)} trials are drawn." if left_out else lead


def _description(facts: TrialFacts) -> str:
    counts: dict[int, int] = {}
    for one in facts.trials:
        for rung in one.trial.rungs:
            counts[rung.rung] = counts.get(rung.rung, 0) + 1
    epochs = facts.config.scheduler.ladder.epochs
    told = (
        f"{count} trainings up to {epochs_text(epochs[rung])}" for rung, count in counts.items()
    )
    return "; ".join(told)


def begun_after(facts: TrialFacts) -> Mapping[int, float]:
    """Leg -> epochs of all legs that began before it.

    A killed search has gaps in its hours, and none in these.

    Args:
        facts: Of the search.
    """
    lengths: dict[int, float] = {}
    for trial in facts.record.trials:
        before = 0.0
        for rung in trial.rungs:
            lengths[rung.leg] = rung.epochs - before
            before = rung.epochs
    found, spent = {}, 0.0
    for leg in sorted(lengths):
        found[leg] = spent
        spent += lengths[leg]
    return found


def _course(one: ShownTrial, points: Sequence[tuple[float, float]]) -> list[str]:
    parts = [svg.path(points, one.standing, f"Trial {one.number}")]
    for number, (rung, (x, y)) in enumerate(zip(one.trial.rungs, points, strict=True)):
        parts.append(svg.mark(x, y, _state(one, rung), _words(one, rung, number > 0)))
    return parts


def _state(one: ShownTrial, rung: RungReached) -> Standing:
    """The mark of one training: the trial's own where it is done."""
    if rung.state == "done":
        return "part" if one.standing in ("failed", "running") else one.standing
    return "failed" if rung.state == "failed" else "running"


def _words(one: ShownTrial, rung: RungReached, is_promoted: bool) -> str:
    how = "promoted" if is_promoted else "begun"
    reached = ", ".join(
        f"{text} {value_text(text.partition('=')[0], value)}"
        for text, value in rung.reached.items()
    )
    failed = f"{len(rung.failures)} failed: {rung.message}" if rung.failures else ""
    said = "; ".join(filter(None, (reached, failed))) or rung.state
    return f"Trial {one.number}, {how} to rung {rung.rung}, {epochs_text(rung.epochs)}: {said}"
