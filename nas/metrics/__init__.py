"""Metrics of scores and labels, with intervals: pure functions that know no network and no run."""

from nas.metrics.asked import AskedMetrics, signal_index
from nas.metrics.goals import MetricGoal, MetricSuccess
from nas.metrics.metric import Metric
from nas.metrics.registry import METRICS, MetricKind, Parameter
from nas.metrics.results import (
    MetricResults,
    MetricSpread,
    MetricValue,
    evaluated,
    metric_value,
    spreads,
)
from nas.metrics.smoothness import Smoothness

__all__ = [
    "METRICS",
    "AskedMetrics",
    "Metric",
    "MetricGoal",
    "MetricKind",
    "MetricResults",
    "MetricSpread",
    "MetricSuccess",
    "MetricValue",
    "Parameter",
    "Smoothness",
    "evaluated",
    "metric_value",
    "signal_index",
    "spreads",
]
