"""The statistics that decide when a measurement may stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .plan import DevicePlan

RESAMPLES = 200

Visits = list[list[float]]  # one list of milliseconds a visit


@dataclass(frozen=True)
class Quantity:
    """A weighted sum of quantiles that has to become certain: a model, or a row by difference.

    Args:
        keys: Models.
        weights: One factor a model.
    """

    keys: tuple[str, ...]
    weights: tuple[float, ...]


def bootstrap_interval(
    samples_ms: Sequence[Sequence[Sequence[float]]],
    weights: Sequence[float],
    quantile: float,
    seed: int,
) -> tuple[float, float]:
    """Returns the 95 % percentile interval of a weighted sum of quantiles.

    Visits are resampled, not runs: runs of one visit share its disturbance. Several models draw
    the same visits, since they were timed next to each other.

    Args:
        samples_ms: Model -> visit -> run, in ms; all models have the same number of visits.
        weights: One factor a model.
        quantile: From 0 to 1.
        seed: Of the resampling.
    """
    count = min(len(visits) for visits in samples_ms)
    picks = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    total = np.zeros(RESAMPLES)
    for visits, weight in zip(samples_ms, weights):
        values = np.asarray(visits[:count], float)
        drawn = values[picks].reshape(RESAMPLES, -1)
        total += weight * np.quantile(drawn, quantile, axis=1)
    low, high = np.quantile(total, [0.025, 0.975])
    return float(low), float(high)


def weighted_quantile(
    samples_ms: Sequence[Sequence[Sequence[float]]], weights: Sequence[float], quantile: float
) -> float:
    """Returns the weighted sum of each model's quantile over all of its runs, in ms."""
    values = [float(np.quantile(np.ravel(visits), quantile)) for visits in samples_ms]
    return sum(value * weight for value, weight in zip(values, weights))


def certain_quantities(
    samples_ms: Mapping[str, Visits], quantities: Sequence[Quantity], plan: DevicePlan
) -> list[bool]:
    """Tells which quantities have an interval narrower than the plan's tolerances."""
    floor_ms = plan.absolute_floor_ms
    if plan.floor_keys:
        medians = [weighted_quantile([samples_ms[key]], [1], 0.5) for key in plan.floor_keys]
        floor_ms = max(floor_ms, plan.floor_share * float(np.median(medians)))
    verdicts = []
    for quantity in quantities:
        samples = [samples_ms[key] for key in quantity.keys]
        value = weighted_quantile(samples, quantity.weights, plan.quantile)
        interval = bootstrap_interval(samples, quantity.weights, plan.quantile, plan.seed)
        allowed = max(plan.relative_tolerance * abs(value), floor_ms)
        verdicts.append(interval[1] - interval[0] <= allowed)
    return verdicts
