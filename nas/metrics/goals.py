"""A value that a metric shall reach, as `auc>=0.95`, and how often trainings reach it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nas.errors import InputError
from nas.metrics.bootstrap import CONFIDENCE
from nas.metrics.metric import Metric

# Values that differ by less are equal, as shares of the evaluation images are in other goals.
EQUAL = 1e-9


@dataclass(frozen=True)
class MetricGoal:
    """What a metric shall reach.

    Args:
        metric: Its text, such as `tpr_at_fpr=0.01`.
        value: At least, or at most where lower is better.

    Raises:
        InputError: The value is not finite, or the metric never comes to it.
    """

    metric: str
    value: float

    def __post_init__(self) -> None:
        kind = Metric.parse(self.metric).kind
        most = 1.0 if kind.is_share else math.inf
        if not math.isfinite(self.value) or not 0 <= self.value <= most:
            wanted = "from 0 to 1" if kind.is_share else "of 0 or more"
            raise InputError(
                f"a goal of {self.metric} {wanted}", f"{self.value}", f"set it {wanted}"
            )

    @property
    def text(self) -> str:
        """How a flag writes it."""
        return f"{self.metric}{_sign(Metric.parse(self.metric))}{self.value!r}"

    def is_reached(self, value: float) -> bool:
        """Whether a network is as good as that, or better.

        Args:
            value: Of the metric.
        """
        if Metric.parse(self.metric).higher_is_better:
            return value >= self.value - EQUAL
        return value <= self.value + EQUAL


@dataclass(frozen=True)
class MetricSuccess:
    """How many trainings of one network, each with another seed, reached a goal.

    Source of the interval: Wilson 1927, Probable inference, the law of succession, and statistical
    inference.

    Args:
        goal: Value of the metric to reach.
        reached: Trainings that reached it.
        trainings: How many there are, 1 or more.
        low: Lower end of the 95 % interval of their share, 0 to 1.
        high: Upper end.
    """

    goal: float
    reached: int
    trainings: int
    low: float
    high: float

    @classmethod
    def of(cls, goal: MetricGoal, values: Sequence[float]) -> MetricSuccess:
        """From what was reached.

        Args:
            goal: To reach.
            values: After each training, one or more.
        """
        from scipy.stats import binomtest  # takes a moment to load

        reached = sum(map(goal.is_reached, values))
        ends = binomtest(reached, len(values)).proportion_ci(CONFIDENCE, method="wilson")
        return cls(goal.value, reached, len(values), float(ends.low), float(ends.high))


def parse_asked(text: str) -> tuple[Metric, MetricGoal | None]:
    """A metric as a flag writes it, with what it shall reach if that is said.

    Args:
        text: Such as `auc`, `auc>=0.95` or `cross_entropy<=0.2`.

    Raises:
        InputError: It is no metric, the goal is no number, or its sign contradicts the metric.
    """
    found = re.fullmatch(r"(.*?)\s*([<>]=?)\s*(.*)", text)
    if found is None:
        return Metric.parse(text), None
    metric, sign, word = Metric.parse(found[1]), found[2], found[3]
    if sign != _sign(metric):
        better = "higher" if metric.higher_is_better else "lower"
        raise InputError(
            f"a goal of {metric.text} as {metric.text}{_sign(metric)}VALUE, since {better} is "
            "better",
            repr(text),
            f"write {metric.text}{_sign(metric)}{word}",
        )
    try:
        value = float(word)
    except ValueError:
        raise InputError(
            f"a number behind {metric.text}{sign}", repr(text), "write a number there"
        ) from None
    return metric, MetricGoal(metric.text, value)


def _sign(metric: Metric) -> str:
    return ">=" if metric.higher_is_better else "<="
