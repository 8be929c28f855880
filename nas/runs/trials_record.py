"""What trials came to: the record of a search, made of its legs, that reports are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nas.runs.outcome import Outcome
from nas.runs.trial_evaluations import EvaluatedTraining, RepeatedTrial
from nas.runs.trials import TrialsConfig
from nas.tuning.legs import Leg, SearchState
from nas.tuning.legs import State as LegState
from nas.tuning.order import order_of
from nas.tuning.parameters import Configuration, OneOfList, Parameter, Range, Value

# Facts of a leg -> where a row of its curve has them.
VAL_CELLS = {"last_top1": "val_top1", "average_top1": "val_top1_average"}


@dataclass(frozen=True)
class RungReached:
    """What a trial had reached at the end of a rung.

    Args:
        leg: Number of its training, from 0 in the order in which all of the search began.
        state: `done`, `failed` for good, or `running` when the record was written.
        rung: Number of the rung, from 0.
        epochs: Of the trial in all.
        reached: Quantity -> value; empty of a training that is not done.
        seconds: Of training and evaluating in this rung.
        failures: Why trainings of this rung failed, in order; the last one was for good where the
            state is `failed`.
        message: Of the last failure; empty where there was none.
    """

    leg: int
    state: LegState
    rung: int
    epochs: float
    reached: Mapping[str, float]
    seconds: float
    failures: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class Trial:
    """One configuration and how far it came.

    Args:
        number: Of the trial, from 0.
        network: Its architecture.
        configuration: Parameter -> value.
        known: Quantity -> value, of those that are known without training.
        bracket: Number of its bracket; 0 where there is one alone.
        is_on_front: Whether no whole training within all budgets is better in every objective.
        rungs: From the first to the last that it came to.
    """

    number: int
    network: str
    configuration: Mapping[str, Value]
    known: Mapping[str, float]
    bracket: int
    is_on_front: bool
    rungs: tuple[RungReached, ...]


@dataclass(frozen=True)
class Original:
    """What trials stand beside: the largest network of the space, with the recipe's own values.

    Args:
        network: Its architecture; that of all trials where they differ in the recipe alone.
        configuration: Parameter -> value.
        known: Quantity -> value, of those that are known without training.
        name: Of the network, where the space names one in place of its largest; empty otherwise.
    """

    network: str
    configuration: Mapping[str, Value]
    known: Mapping[str, float]
    name: str = ""


@dataclass(frozen=True)
class TrialsRecord:
    """trials.json: all trials of a search, and which of them are the best.

    It is written while the search runs, too, at most once a minute.

    Args:
        run_id: Of the run; with the number of a trial it is that trial's id.
        is_finished: Whether the search has come to its end.
        objectives: Texts of what trials are judged by.
        directions: `maximise` or `minimise` for each of them.
        parameters: Of every configuration.
        original: What they stand beside.
        trials: In the order of their numbers.
        front: Numbers of the trials that no whole training within all budgets is better than in
            every objective, best in the first objective first.
        epochs_trained: Of all trials together.
        epochs_of_whole_trainings: That training every trial to its end would have taken.
        refused: Configurations that were drawn and not trained, since they break a budget or
            another condition, such as a kernel that its map has room for.
        failures: Cause -> trainings that failed by it, those that were tried again included.
        evaluated: The trials of the front on the evaluation images, in its order.
        repeated: The first of them with further seeds; None where nobody asked.
        refusals: Condition -> how many of `refused` break it, the most first; one that breaks
            several counts in the first. Empty in files of earlier versions.
    """

    FILE: ClassVar[str] = "trials.json"
    SCHEMA_VERSION: ClassVar[int] = 2

    run_id: str
    is_finished: bool
    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    parameters: tuple[OneOfList | Range, ...]
    original: Original
    trials: tuple[Trial, ...]
    front: tuple[int, ...]
    epochs_trained: float
    epochs_of_whole_trainings: float
    refused: int
    failures: Mapping[str, int]
    evaluated: tuple[EvaluatedTraining, ...] = ()
    repeated: RepeatedTrial | None = None
    refusals: Mapping[str, int] = field(default_factory=dict)

    def id_of(self, trial: int) -> str:
        """A trial's id, which no trial of another run has.

        Args:
            trial: Its number.
        """
        return f"{self.run_id}-{trial}"

    @property
    def outcome(self) -> Outcome:
        """Whether there is a front; without one no whole training keeps what was asked for."""
        return Outcome.MET if self.front else Outcome.NOT_MET


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
        state.refused + sum(state.refused_at_end.values()),
        dict(failures),
        refusals=_refusals(state),
    )


def _refusals(state: SearchState) -> dict[str, int]:
    """Condition -> configurations that break it, the most first."""
    found = state.refusals + Counter(state.refused_at_end)
    return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


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

    The last row of a leg tells what the judging images said of the last weights and of their
    average, whichever of the two the rung was decided by.

    Args:
        state: Of the search.
    """
    for trial, numbers in sorted(state.trials.items()):
        for leg in (state.legs[number] for number in numbers):
            ends = {cell: leg.facts[name] for name, cell in VAL_CELLS.items() if name in leg.facts}
            for number, row in enumerate(leg.curve, 1):
                more = ends if number == len(leg.curve) else {}
                yield {"trial": trial, "rung": leg.plan.rung, **row, **more}
