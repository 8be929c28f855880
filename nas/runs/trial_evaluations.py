"""What trials come to on the evaluation images, which are looked at when all choices are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from nas.metrics import AskedMetrics, MetricResults
from nas.metrics.goals import MetricGoal, MetricSuccess
from nas.metrics.results import MetricSpread


@dataclass(frozen=True)
class EvaluatedTraining:
    """evaluated/NAME.json: one whole training on the evaluation images.

    Args:
        trial: Number of the trial.
        seed: Of weights, dropout and data order; that of the search for the trial itself.
        metrics: What it reaches; None of a training that failed.
        seconds: Of training and evaluating.
        failure: Cause and message of what failed last: the training, or where it has metrics, its
            evaluation by further ones. Empty where nothing did.
    """

    FILE: ClassVar[str] = "evaluated/{name}.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    trial: int
    seed: int
    metrics: MetricResults | None
    seconds: float
    failure: str = ""

    def tells(self, asked: AskedMetrics, class_names: Sequence[str]) -> bool:
        """Whether it says all that is asked, or will say no more, as its weights are no numbers.

        Args:
            asked: The metrics, with the class and the rate that they look at.
            class_names: Position is the class index.
        """
        if self.metrics is not None:
            return self.metrics.asked_alone(asked, class_names) is not None
        return self.failure.partition(":")[0] == "diverged"


@dataclass(frozen=True)
class RepeatedTrial:
    """Trainings of one trial that differ in their seed alone, on the evaluation images.

    Args:
        trial: Number of the trial.
        spreads: Of each metric that all trainings which ended are judged by. A training that failed
            has no value, and has reached no goal.
        failed_seeds: Of the trainings that failed.
    """

    trial: int
    spreads: tuple[MetricSpread, ...]
    failed_seeds: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, trainings: Sequence[EvaluatedTraining], goals: Sequence[MetricGoal] = ()
    ) -> RepeatedTrial:
        """From trainings of one trial.

        Args:
            trainings: One or more.
            goals: What some of the metrics shall reach.
        """
        ended = {one.seed: one.metrics for one in trainings if one.metrics is not None}
        failed = tuple(one.seed for one in trainings if one.metrics is None)
        judged = [[value.metric for value in results.values] for results in ended.values()]
        # A search that went on may have judged some by more metrics than others.
        texts = [text for text in judged[0] if all(text in one for one in judged)] if judged else []
        of_metric = {goal.metric: goal for goal in goals}
        found = []
        for text in texts:
            values = {seed: results.value_of(text).value for seed, results in ended.items()}
            found.append(_spread(text, values, of_metric.get(text), len(failed)))
        return cls(trainings[0].trial, tuple(found), failed)


def _spread(
    text: str, values: Mapping[int, float], goal: MetricGoal | None, failed: int
) -> MetricSpread:
    """Of the trainings that ended; those that failed count among the tries for a goal."""
    spread = MetricSpread.of(text, values)
    if goal is None:
        return spread
    success = MetricSuccess.of(goal, [*values.values(), *[math.nan] * failed])
    return MetricSpread(
        text, spread.seeds, spread.values, spread.mean, spread.standard_deviation, success
    )
