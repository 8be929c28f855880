"""The statistics that decide when a measurement may stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np

from .errors import LatencyError
from .plan import DevicePlan

RESAMPLES = 200
LEAST_VISITS = 2  # one visit has no spread, and so no interval

Runs = Sequence[Sequence[float]]  # visit -> the runs of it that count, in ms; a visit may have none


class VisitError(LatencyError):
    """A visit that no clock can have given."""


@dataclass(frozen=True)
class Visit:
    """One visit of a model: its runs in order, and the probes around them.

    Args:
        runs_ms: Every run, also those that do not count.
        before_us: The last probe before each run; empty where nothing was gated.
        after_us: The next probe after each run; empty where nothing was gated.
        plain: Whether the machine was taken as it was; otherwise the visit waited for full speed.

    Raises:
        VisitError: There is no run, a figure is not above 0, or a run lacks a probe.
    """

    runs_ms: tuple[float, ...]
    before_us: tuple[float, ...] = ()
    after_us: tuple[float, ...] = ()
    plain: bool = True

    def __post_init__(self) -> None:
        probes = {len(self.before_us), len(self.after_us)}
        values = (*self.runs_ms, *self.before_us, *self.after_us)
        is_whole = probes in ({0}, {len(self.runs_ms)}) and bool(self.runs_ms)
        if not is_whole or not all(_is_duration(value) for value in values):
            raise VisitError(
                "a visit of one or more runs above 0 ms, each between two probes or all without",
                f"{len(self.runs_ms)} runs, {len(self.before_us)} probes before and "
                f"{len(self.after_us)} after; the worst figure is {_worst(values)!r}",
                "measure again",
            )

    def kept_ms(self, limit_us: float | None) -> list[float]:
        """Returns the runs that were made at full speed.

        Args:
            limit_us: The longest probe beside a run that counts; None to count every run.
        """
        if limit_us is None or not self.before_us:
            return list(self.runs_ms)
        around = zip(self.runs_ms, self.before_us, self.after_us)
        return [run for run, before, after in around if max(before, after) <= limit_us]


def _is_duration(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 < value < float("inf")  # type: ignore[operator]


def _worst(values: Sequence[object]) -> object:
    return next((value for value in values if not _is_duration(value)), "fine")


@dataclass(frozen=True)
class Quantity:
    """A weighted sum of quantiles that has to become certain: a model, or a row by difference.

    Args:
        keys: Models.
        weights: One factor a model.
    """

    keys: tuple[str, ...]
    weights: tuple[float, ...]


def kept_runs(visits: Sequence[Visit], limit_us: float | None) -> list[list[float]]:
    """Returns the runs of each visit that were made at full speed, in ms.

    Args:
        visits: Of one model.
        limit_us: The longest probe beside a run that counts; None to count every run.
    """
    return [visit.kept_ms(limit_us) for visit in visits]


def bootstrap_interval(
    samples_ms: Sequence[Runs],
    weights: Sequence[float],
    quantile: float,
    seed: int,
) -> tuple[float, float]:
    """Returns the 95 % percentile interval of a weighted sum of quantiles.

    Visits are resampled, not runs: runs of one visit share its disturbance. Several models draw
    the same visits, since they were timed next to each other.

    Args:
        samples_ms: Model -> visit -> run, in ms; each model has one run or more in all.
        weights: One factor a model.
        quantile: From 0 to 1.
        seed: Of the resampling.
    """
    count = min(len(visits) for visits in samples_ms)
    picks = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    times = times_drawn(picks, count)
    total = np.zeros(RESAMPLES)
    for visits, weight in zip(samples_ms, weights):
        total += weight * _resampled_quantiles(visits[:count], times, quantile)
    total = total[~np.isnan(total)]
    if not len(total):
        return float("-inf"), float("inf")
    low, high = np.quantile(total, [0.025, 0.975])
    return float(low), float(high)


def times_drawn(picks: np.ndarray, count: int) -> np.ndarray:
    """Returns (resamples, visits): how often each resample drew each visit.

    Args:
        picks: (resamples, draws) numbers of visits, from 0.
        count: Number of visits.
    """
    resamples = len(picks)
    places = picks + count * np.arange(resamples)[:, None]
    return np.bincount(places.ravel(), minlength=resamples * count).reshape(resamples, count)


def _resampled_quantiles(visits: Runs, times: np.ndarray, quantile: float) -> np.ndarray:
    """Quantiles of samples in which each visit stands so many times; NaN for an empty sample."""
    owner = np.repeat(np.arange(len(visits)), [len(visit) for visit in visits])
    values = np.asarray([run for visit in visits for run in visit], float)
    if not len(values):
        return np.full(len(times), np.nan)
    order = np.argsort(values, kind="stable")
    values, copies = values[order], np.cumsum(times[:, owner[order]], axis=1)
    # As numpy's linear interpolation on a sample that holds each value so many times.
    place = quantile * (copies[:, -1] - 1)
    below = np.floor(place)
    fraction = place - below
    last = len(values) - 1
    low = np.minimum((copies <= below[:, None]).sum(axis=1), last)
    high = np.minimum((copies <= below[:, None] + 1).sum(axis=1), last)
    high = np.where(below + 1 > copies[:, -1] - 1, low, high)
    found = values[low] + fraction * (values[high] - values[low])
    return np.where(copies[:, -1] > 0, found, np.nan)


def weighted_quantile(
    samples_ms: Sequence[Runs], weights: Sequence[float], quantile: float
) -> float:
    """Returns the weighted sum of each model's quantile over all of its runs, in ms."""
    values = [
        float(np.quantile([run for visit in visits for run in visit], quantile))
        for visits in samples_ms
    ]
    return sum(value * weight for value, weight in zip(values, weights))


def certain_quantities(
    visits: Mapping[str, Sequence[Visit]],
    quantities: Sequence[Quantity],
    plan: DevicePlan,
    limit_us: Optional[float] = None,
) -> list[bool]:
    """Tells which quantities have an interval narrower than the plan's tolerances.

    Each of their models also needs runs that count in as many visits as the plan has rounds at
    least, and in two of them: a few runs of one moment agree with each other whatever they took.

    Args:
        visits: Model -> its visits.
        quantities: What has to become certain.
        plan: Tolerances and least rounds.
        limit_us: The longest probe beside a run that counts; None to count every run.
    """
    kept = {key: kept_runs(of_key, limit_us) for key, of_key in visits.items()}
    least = max(LEAST_VISITS, plan.min_rounds)
    enough = {key: sum(bool(runs) for runs in of_key) >= least for key, of_key in kept.items()}
    floor_ms = plan.absolute_floor_ms
    floors = [key for key in plan.floor_keys if any(kept[key])]
    if floors:
        medians = [weighted_quantile([kept[key]], [1], 0.5) for key in floors]
        floor_ms = max(floor_ms, plan.floor_share * float(np.median(medians)))
    verdicts = []
    for quantity in quantities:
        if not all(enough[key] for key in quantity.keys):
            verdicts.append(False)
            continue
        samples = [kept[key] for key in quantity.keys]
        value = weighted_quantile(samples, quantity.weights, plan.quantile)
        interval = bootstrap_interval(samples, quantity.weights, plan.quantile, plan.seed)
        allowed = max(plan.relative_tolerance * abs(value), floor_ms)
        verdicts.append(interval[1] - interval[0] <= allowed)
    return verdicts
