"""Importance of knobs, where there are trials enough to tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from nas.errors import InputError
from nas.report.cards import card
from nas.report.trial_page.dimensions import dimensions
from nas.report.trial_page.facts import ShownTrial, TrialFacts, epochs_text
from nas.tuning.importance import importances, needed_trials
from nas.tuning.objectives import Objective
from nas.tuning.parameters import Configuration, Parameter

TITLE = "Importance of knobs"
MOST_BARS = 12


def shares(facts: TrialFacts) -> str:
    """The card: bars of each objective, or why there are none."""
    every = list(facts.record.parameters)
    grouped = [dimension.parameter for dimension in dimensions(facts.record)]
    for parameters in (every, grouped):
        found = _compared(facts, needed_trials(parameters))
        if not found:
            continue
        rung, trials = found
        configurations = _configurations(facts, trials, parameters is grouped)
        if configurations is None:
            continue
        try:
            parts = [
                _bars(objective, _importances(parameters, objective, configurations, trials, rung))
                for objective in facts.objectives
            ]
        except InputError as error:
            return card(TITLE, str(error).replace("\n", " "))
        return card(TITLE, _lead(facts, rung, len(trials)), *parts)
    return card(TITLE, _refusal(facts, grouped))


def _refusal(facts: TrialFacts, parameters: Sequence[Parameter]) -> str:
    most = max(
        sum(_at(one, rung) is not None for one in facts.trials)
        for rung in range(len(facts.config.scheduler.ladder.epochs))
    )
    return (
        f"Not shown: {most} trials have ended the same rung, and {needed_trials(parameters)} are "
        "needed. With fewer, chance alone puts knobs in an order."
    )


def _compared(facts: TrialFacts, needed: int) -> tuple[int, list[ShownTrial]] | None:
    """The highest rung that enough trials have ended, and they; None for none."""
    for rung in reversed(range(len(facts.config.scheduler.ladder.epochs))):
        trials = [one for one in facts.trials if _at(one, rung) is not None]
        if len(trials) >= needed:
            return rung, sorted(trials, key=lambda one: one.number)
    return None


def _at(one: ShownTrial, rung: int) -> Mapping[str, float] | None:
    """All quantities of a trial at the end of a rung; None where it has not ended it."""
    for reached in one.trial.rungs:
        if reached.rung == rung and reached.state == "done":
            return {**one.trial.known, **reached.reached}
    return None


def _configurations(
    facts: TrialFacts, trials: Sequence[ShownTrial], is_grouped: bool
) -> list[Configuration] | None:
    """Values of each trial; None where one has no number for a group."""
    if not is_grouped:
        return [one.trial.configuration for one in trials]
    shown = dimensions(facts.record)
    found = [{d.name: d.value(one.trial.configuration) for d in shown} for one in trials]
    groups = {d.name for d in shown if d.members}
    lacks = any(values[name] is None for values in found for name in groups)
    return None if lacks else list(found)


def _importances(
    parameters: Sequence[Parameter],
    objective: Objective,
    configurations: Sequence[Configuration],
    trials: Sequence[ShownTrial],
    rung: int,
) -> dict[str, float]:
    values = [(_at(one, rung) or {})[objective.text] for one in trials]
    return importances(parameters, objective, configurations, values)


def _lead(facts: TrialFacts, rung: int, count: int) -> str:
    epochs = facts.config.scheduler.ladder.epochs
    text = (
        f"What sets the best fifth of {count} trials apart from all of them, by PED-ANOVA "
        f"(arXiv 2304.10255) of Optuna, after {epochs_text(epochs[rung])}. Shares of all knobs "
        "sum to 100 %. What two knobs do together is not seen, and the order of small shares is "
        "chance."
    )
    if rung < len(epochs) - 1:
        text += " Longer trainings may make other knobs important."
    return text


def _bars(objective: Objective, found: Mapping[str, float]) -> str:
    most = max(found.values(), default=0.0)
    if not most:
        return f"<h3>{escape(objective.text)}</h3><p>Nothing sets the best trials apart.</p>"
    best = sorted(found.items(), key=lambda pair: -pair[1])[:MOST_BARS]
    bars = "".join(
        f'<div class="bar own"><span>{escape(name.replace("_", " "))}</span><span class="track">'
        f'<span class="fill" style="width:{100 * share / most:.1f}%"></span></span>'
        f"<b>{100 * share:.0f} %</b></div>"
        for name, share in best
    )
    more = f", the first {MOST_BARS} of {len(found)}" if len(found) > MOST_BARS else ""
    return f'<h3>{escape(objective.text)}{more}</h3><div class="bars knobs">{bars}</div>'
