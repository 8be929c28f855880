"""What the metrics of a trained network came to, with intervals, as records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas.metrics.asked import AskedMetrics
from nas.metrics.bootstrap import CONFIDENCE, RESAMPLES, SEED, interval
from nas.metrics.goals import MetricGoal, MetricSuccess
from nas.metrics.images import ScoredImages
from nas.metrics.metric import Metric


@dataclass(frozen=True)
class MetricValue:
    """One metric of one trained network.

    Args:
        metric: Its text, such as `tpr_at_fpr=0.01`.
        value: Of the evaluation images.
        low: Lower end of the 95 % bootstrap interval: how far it would move with other images of
            the same kind, which is not the spread between seeds.
        high: Upper end.
        threshold_log_odds: Log-odds of the signal class that an image has to exceed to pass; None
            for a metric without a threshold.
        allowed_background: Background images that may pass; None likewise.
        passing_background: Those that do; fewer where scores are equal at the threshold.
    """

    metric: str
    value: float
    low: float
    high: float
    threshold_log_odds: float | None = None
    allowed_background: int | None = None
    passing_background: int | None = None


@dataclass(frozen=True)
class MetricResults:
    """All metrics that were asked for, of one trained network on the evaluation images.

    Args:
        values: One for each metric, in the order in which they were asked for.
        images: Evaluation images.
        signal_class: Name of the class that is looked for; None where no metric looks for one.
        signal_images: Evaluation images of this class; None likewise.
        background_images: Those of all other classes.
        background_rate_hz: Background images that come a second; None where no metric asks.
        resamples: Sets of images that each bootstrap drew, every class or side in its own number.
        resample_seed: Of these draws.
        confidence: Of the intervals, a share.
    """

    values: tuple[MetricValue, ...]
    images: int
    signal_class: str | None
    signal_images: int | None
    background_images: int | None
    background_rate_hz: float | None
    resamples: int
    resample_seed: int
    confidence: float

    def asked_alone(self, asked: AskedMetrics, class_names: Sequence[str]) -> MetricResults | None:
        """The same with the metrics that are asked for alone; None where one of them is lacking.

        Args:
            asked: Now, in the order in which they shall stand.
            class_names: Position is the class index.
        """
        signal = asked.signal_index(class_names)
        name = None if signal is None else class_names[signal]
        known = {value.metric: value for value in self.values}
        if any(text not in known for text in asked.metrics):
            return None
        if asked.needs_signal and name != self.signal_class:
            return None
        if asked.background_rate_hz not in (None, self.background_rate_hz):
            return None
        values = tuple(known[text] for text in asked.metrics)
        if name is None:
            return replace(
                self,
                values=values,
                signal_class=None,
                signal_images=None,
                background_images=None,
                background_rate_hz=None,
            )
        return replace(self, values=values, background_rate_hz=asked.background_rate_hz)

    def value_of(self, metric: str) -> MetricValue:
        """One of the metrics.

        Args:
            metric: Its text, as in the record.
        """
        return next(value for value in self.values if value.metric == metric)


def evaluated(
    asked: AskedMetrics,
    scores: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    resamples: int = RESAMPLES,
) -> MetricResults:
    """Every metric that is asked for, with its interval.

    Args:
        asked: The metrics.
        scores: (n, classes) numbers whose softmax are the probabilities.
        labels: (n,) class indices.
        class_names: Position is the class index.
        resamples: Sets of images that each bootstrap draws, 1 or more.

    Raises:
        InputError: The images cannot tell a metric, or a score is not finite.
    """
    asked.check(labels, class_names)
    signal = asked.signal_index(class_names)
    images = ScoredImages.of(scores, labels, signal)
    signals = None if signal is None else int(images.is_signal.sum())
    return MetricResults(
        tuple(_evaluated(m, images, asked.background_rate_hz, resamples) for m in asked.parsed),
        len(labels),
        None if signal is None else class_names[signal],
        signals,
        None if signals is None else len(labels) - signals,
        asked.background_rate_hz,
        resamples,
        SEED,
        CONFIDENCE,
    )


def _evaluated(
    metric: Metric, images: ScoredImages, background_rate_hz: float | None, resamples: int
) -> MetricValue:
    sample = metric.kind.sample(images, metric.background_share(background_rate_hz))
    low, high = interval(sample, resamples)
    cut = sample.cut
    return MetricValue(
        metric.text,
        sample.value,
        low,
        high,
        None if cut is None else cut.threshold,
        None if cut is None else cut.allowed_background,
        None if cut is None else cut.passing_background,
    )


def metric_value(
    metric: Metric,
    scores: np.ndarray,
    labels: np.ndarray,
    signal: int | None = None,
    background_rate_hz: float | None = None,
) -> float:
    """One metric without its interval, as an objective of many trials needs it.

    Args:
        metric: The metric.
        scores: (n, classes) numbers whose softmax are the probabilities.
        labels: (n,) class indices.
        signal: Index of the class that is looked for; None where the metric looks for none.
        background_rate_hz: Background images that come a second; None where it does not ask.

    Raises:
        InputError: A score is not finite, or the background rate is missing or too small.
    """
    share = metric.background_share(background_rate_hz)
    return metric.kind.sample(ScoredImages.of(scores, labels, signal), share).value


@dataclass(frozen=True)
class MetricSpread:
    """A metric over trainings of one network, each with another seed.

    Args:
        metric: Its text.
        seeds: Of weights, dropout and data order, in the order of the values.
        values: After each training.
        mean: Of these.
        standard_deviation: Between the trainings; None with one training.
        success: How many of them reached what was to be reached; None where nobody asked.
    """

    metric: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float
    standard_deviation: float | None = None
    success: MetricSuccess | None = None

    @classmethod
    def of(
        cls, metric: str, values: Mapping[int, float], goal: MetricGoal | None = None
    ) -> MetricSpread:
        """From what was reached.

        Args:
            metric: Its text.
            values: Seed -> value, one or more.
            goal: What the metric shall reach; None where nobody asked.
        """
        found = tuple(values.values())
        mean = math.fsum(found) / len(found)
        deviation = float(np.std(found, ddof=1)) if len(found) > 1 else None
        success = None if goal is None else MetricSuccess.of(goal, found)
        return cls(metric, tuple(values), found, mean, deviation, success)


def spreads(
    results: Mapping[int, MetricResults | None], goals: Sequence[MetricGoal] = ()
) -> tuple[MetricSpread, ...]:
    """Every metric over seeds; none where a training was not judged by it.

    Args:
        results: Seed -> what its training came to; None where it was not judged.
        goals: What some of the metrics shall reach.
    """
    judged = {seed: found for seed, found in results.items() if found is not None}
    if not judged or len(judged) < len(results):
        return ()
    texts = [value.metric for value in next(iter(judged.values())).values]
    of_metric = {goal.metric: goal for goal in goals}
    return tuple(
        MetricSpread.of(
            text, {s: r.value_of(text).value for s, r in judged.items()}, of_metric.get(text)
        )
        for text in texts
    )
