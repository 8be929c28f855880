"""Records of metrics over images and seeds, and how smooth a curve is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas.metrics import (
    METRICS,
    AskedMetrics,
    Metric,
    MetricGoal,
    MetricResults,
    MetricSpread,
    Smoothness,
    evaluated,
    spreads,
)
from nas.tuning.objectives import parse_objective

NAMES = ("a", "b", "c")


def results(texts: str, signal: str | None = None, rate_hz: float | None = None) -> MetricResults:
    """Of 30 images of three classes."""
    rng = np.random.default_rng(1)
    asked = AskedMetrics.of(texts, signal, rate_hz)
    return evaluated(asked, rng.normal(size=(30, 3)), np.arange(30) % 3, NAMES, resamples=20)


def test_a_part_of_what_is_known_is_told_in_the_order_that_is_asked_for() -> None:
    known = results("top1,auc,tpr_at_rate=1kHz", "b", 4e3)
    part = known.asked_alone(AskedMetrics.of("auc,top1", "1"), NAMES)
    assert part is not None
    assert part == results("auc,top1", "b")
    alone = known.asked_alone(AskedMetrics.of("top1"), NAMES)
    assert alone == results("top1")


@pytest.mark.parametrize(
    "asked",
    [
        AskedMetrics.of("top5"),
        AskedMetrics.of("auc", "c"),
        AskedMetrics.of("tpr_at_rate=1kHz", "b", 5e3),
        AskedMetrics.of("tpr_at_rate=2kHz", "b", 4e3),
    ],
)
def test_what_was_judged_otherwise_is_not_known(asked: AskedMetrics) -> None:
    assert results("top1,auc,tpr_at_rate=1kHz", "b", 4e3).asked_alone(asked, NAMES) is None


def test_metrics_over_seeds_have_mean_and_deviation() -> None:
    one, two = results("auc", "a"), results("auc", "b")
    low, high = sorted(found.values[0].value for found in (one, two))
    (spread,) = spreads({4: one, 5: two})
    assert spread.seeds == (4, 5)
    assert spread.mean == pytest.approx((low + high) / 2)
    # Of two values the deviation with one degree of freedom is their distance over sqrt 2.
    assert spread.standard_deviation == pytest.approx((high - low) / math.sqrt(2))
    assert MetricSpread.of("auc", {0: 0.5}).standard_deviation is None
    assert spreads({4: one, 5: None}) == () == spreads({})


def test_trainings_that_reach_a_goal_are_counted_in_the_direction_of_the_metric() -> None:
    values = {0: 0.25, 1: 0.5, 2: 0.75}
    high = MetricSpread.of("auc", values, MetricGoal("auc", 0.5)).success
    low = MetricSpread.of("cross_entropy", values, MetricGoal("cross_entropy", 0.4)).success
    assert high is not None and (high.goal, high.reached, high.trainings) == (0.5, 2, 3)
    assert low is not None and low.reached == 1
    # Wilson's interval of 2 of 3: (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) over
    # 1 + z^2 / n with z = 1.96; rounding of z is below a thousandth.
    assert (high.low, high.high) == pytest.approx((0.2077, 0.9385), abs=1e-3)
    assert MetricSpread.of("auc", values).success is None


def test_a_curve_that_jumps_is_told_from_one_that_only_rises() -> None:
    rising = Smoothness.of("average", [(0.5, 0.125), (1.0, 0.25), (1.5, 0.5)])
    assert rising == Smoothness("average", 3, 0.1875, 0.0, None)
    assert rising.text.endswith("by 18.75 points on average from one of 3 evaluations to the next; "
                                "it never fell")  # fmt: skip
    jumping = Smoothness.of("last", [(1, 0.5), (2, 0.25), (3, 0.75), (4, 0.625)])
    assert jumping == Smoothness("last", 4, (0.25 + 0.5 + 0.125) / 3, 0.25, 2)
    assert jumping.text.endswith("the largest fall was 25.00 points, to epoch 2")
    assert Smoothness.of("last", [(1, 0.5)]) is None


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_is_an_objective_with_the_same_text_and_direction(name: str) -> None:
    takes = METRICS[name].parameter
    text = f"{name}={takes.example}" if takes else name
    objective = parse_objective(text)
    assert Metric.parse(objective.text) == Metric.parse(text)
    direction = "maximise" if METRICS[name].higher_is_better else "minimise"
    assert objective.direction == direction
