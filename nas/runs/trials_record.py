"""Legs of trials -> the records that are kept of a search and that reports are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nas.runs.trials import Original, RungReached, Trial, TrialsConfig, TrialsRecord
from nas.tuning.legs import Leg, SearchState
from nas.tuning.order import order_of
from nas.tuning.parameters import Configuration, Parameter


@dataclass(frozen=True)
class Searched:
    """What a search is of, which does not change while it runs.

    Args:
        run_id: Of the run.
        config: What was asked for.
        parameters: Of every configuration.
        original: What trials stand beside.
        network: Configuration -> architecture as text.
    """

    run_id: str
    config: TrialsConfig
    parameters: tuple[Parameter, ...]
    original: Original
    network: Callable[[Configuration], str]


def trials_record(state: SearchState, searched: Searched, is_finished: bool) -> TrialsRecord:
    """All trials of a search as a record.

    Args:
        state: Of the search.
        searched: What it is of.
        is_finished: Whether it has come to its end.
    """
    config = searched.config
    front = front_of(state, config)
    trials = tuple(
        _trial([state.legs[n] for n in numbers], trial in front, searched.network)
        for trial, numbers in sorted(state.trials.items())
    )
    failures: Counter[str] = Counter()
    for leg in state.legs.values():
        failures.update(leg.attempts)
    return TrialsRecord(
        searched.run_id,
        is_finished,
        tuple(objective.text for objective in config.parsed_objectives),
        tuple(objective.direction for objective in config.parsed_objectives),
        searched.parameters,
        searched.original,
        trials,
        front,
        sum(trained_epochs(state, trial) for trial in state.trials),
        config.max_epochs * len(state.trials),
        state.refused,
        dict(failures),
    )


def front_of(state: SearchState, config: TrialsConfig) -> tuple[int, ...]:
    """Trials that were trained whole, keep all budgets, and that none such dominates.

    Args:
        state: Of the search.
        config: What was asked for.

    Returns:
        The best in the first objective first.
    """
    values = state.values_at(config.scheduler.ladder.last)
    first = config.parsed_objectives[0]
    reached = {value.trial: value.values[0] for value in values}
    order = order_of(config.parsed_objectives, values)
    return tuple(sorted(order.front(), key=lambda trial: (first.cost(reached[trial]), trial)))


def trained_epochs(state: SearchState, trial: int) -> float:
    """Epochs that a trial was trained, those of legs that are done.

    Args:
        state: Of the search.
        trial: Number of the trial.
    """
    legs = (state.legs[number] for number in state.trials[trial])
    return max((leg.plan.epochs for leg in legs if leg.state == "done"), default=0.0)


def _trial(legs: list[Leg], is_on_front: bool, network: Callable[[Configuration], str]) -> Trial:
    plan = legs[0].plan
    return Trial(
        plan.trial,
        network(plan.configuration),
        plan.configuration,
        plan.known,
        plan.bracket,
        is_on_front,
        tuple(
            RungReached(
                leg.number,
                leg.state,
                leg.plan.rung,
                leg.plan.epochs,
                leg.reached,
                float(leg.facts.get("seconds") or 0.0),
                leg.attempts,
                leg.message,
            )
            for leg in legs
        ),
    )


def csv_rows(record: TrialsRecord) -> Iterator[dict[str, Any]]:
    """A row for each trial at each of its rungs, for other programs.

    Args:
        record: Of the search.
    """
    for trial in record.trials:
        for rung in trial.rungs:
            yield {
                "id": record.id_of(trial.number),
                "trial": trial.number,
                "bracket": trial.bracket,
                "rung": rung.rung,
                "epochs": rung.epochs,
                "leg": rung.leg,
                "state": rung.state,
                "is_on_front": trial.is_on_front,
                "seconds": rung.seconds,
                "failures": " ".join(rung.failures),
                **trial.known,
                **rung.reached,
                **trial.configuration,
                "network": trial.network,
            }


def curve_rows(state: SearchState) -> Iterator[dict[str, Any]]:
    """The learning curves of all trials, a row for each of the training's history.

    Args:
        state: Of the search.
    """
    for trial, numbers in sorted(state.trials.items()):
        for leg in (state.legs[number] for number in numbers):
            for row in leg.curve:
                yield {"trial": trial, "rung": leg.plan.rung, **row}
