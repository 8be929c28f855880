"""Which of several models is faster: ratios of runs that were made next to each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import ClassVar

import numpy as np

from latency.device.meter import Progress
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.measurement.intervals import paired_error, spread_interval
from latency.measurement.measure import Measurement, Model, Readings
from latency.measurement.processes import ProcessRule, Repeating, timings_of
from latency.measurement.timing import LEAST_KEPT, STATISTICS_SEED, Timing

FASTER, SLOWER, SAME, UNKNOWN = "faster", "slower", "no difference seen", "cannot tell"
# Differences of a few percent need more processes than milliseconds do: two models lie in memory
# and each of them elsewhere in each process.
RULE = ProcessRule(processes=5, most=9, precision=0.005)


class CompareError(LatencyError):
    """Models that cannot be compared."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How a model's milliseconds relate to the first one's.

    Args:
        key: The model.
        reference: The first model.
        ratio: Median over processes of the model's milliseconds over the first one's; below 1 is
            faster. None where no process had enough undisturbed runs of both.
        low: Lower end of the 95 % interval; None where it is unknown.
        high: Upper end.
        process_ratios: In each process that had enough undisturbed runs of both.
        reason: Why it cannot be told; empty where it can.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        *("key", "reference", "ratio", "low", "high", "smallest", "verdict", "process_ratios"),
        "reason",
    )

    key: str
    reference: str
    ratio: float | None
    low: float | None
    high: float | None
    process_ratios: tuple[float, ...]
    reason: str = ""

    @property
    def smallest(self) -> float | None:
        """The smallest relative difference that could have been seen: half of the interval."""
        if self.ratio is None or self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2 / self.ratio

    @property
    def verdict(self) -> str:
        """'faster', 'slower', 'no difference seen' or 'cannot tell', by the whole interval."""
        if self.low is None or self.high is None:
            return UNKNOWN
        if self.high < 1:
            return FASTER
        return SLOWER if self.low > 1 else SAME

    @classmethod
    def of(cls, key: str, timing: Timing, reference: str, first: Timing) -> Ratio:
        """From the timings of the same processes.

        Args:
            key: The model.
            timing: Its own.
            reference: The first model.
            first: The first model's.
        """
        pairs = [
            pair
            for one, other in zip(first.measurements, timing.measurements, strict=True)
            if (pair := _process_ratio(one, other)) is not None
        ]
        ratios = tuple(ratio for ratio, _ in pairs)
        interval = spread_interval(ratios, [error for _, error in pairs])
        reason = "" if interval else timing.reason or first.reason or "too few undisturbed runs"
        return cls(
            key=key,
            reference=reference,
            ratio=median(ratios) if ratios else None,
            low=interval[0] if interval else None,
            high=interval[1] if interval else None,
            process_ratios=ratios,
            reason=reason,
        )


def _process_ratio(first: Measurement, second: Measurement) -> tuple[float, float | None] | None:
    """Ratio and its own error in one process, over the visits in which both have runs that count.

    Visits of one round lie next to each other: a slow spell that one of them missed would make a
    difference where none is.
    """
    sides = (first.kept_runs_ms, second.kept_runs_ms)
    both = [pair for pair in zip(*sides, strict=False) if all(pair)]
    first_ms, second_ms = [pair[0] for pair in both], [pair[1] for pair in both]
    if min(sum(map(len, first_ms)), sum(map(len, second_ms))) < LEAST_KEPT:
        return None
    quantile = first.quantile
    readings = [
        float(np.quantile(np.concatenate(side), quantile)) for side in (first_ms, second_ms)
    ]
    error = paired_error(first_ms, second_ms, quantile, STATISTICS_SEED)
    return readings[1] / readings[0], error


def ratios_of(timings: Mapping[str, Timing]) -> dict[str, Ratio]:
    """Ratio of each model to the first one.

    Args:
        timings: Of the same processes, the first model first.
    """
    reference, *others = timings
    return {key: Ratio.of(key, timings[key], reference, timings[reference]) for key in others}


def compare_models(
    models: Sequence[Model],
    settings: SessionSettings,
    plan: MeasurePlan,
    rule: ProcessRule = RULE,
    progress: Progress | None = None,
) -> tuple[dict[str, Timing], dict[str, Ratio]]:
    """Times models next to each other in the same fresh processes, until their ratios are precise.

    Args:
        models: Two or more, with unique keys; the first is the one that the others are compared
            with.
        settings: Of the sessions.
        plan: Rounds and runs in each process.
        rule: How many processes; its precision is that of the ratios.
        progress: Called after each process.

    Returns:
        Timings of all models, and ratios of all but the first.

    Raises:
        CompareError: There are fewer than two models.
        MeasureError: A process failed.
    """
    if len(models) < 2:
        raise CompareError(
            "two or more models to compare",
            str(len(models)),
            "name the one that the others are compared with first",
        )
    keys = [model.key for model in models]
    # One group: their visits are adjacent, in random order.
    grouped = [replace(model, group="compared") for model in models]

    def worst_error(runs: Sequence[Readings]) -> float:
        found = ratios_of(timings_of(keys, runs)).values()
        return max(math.inf if r.smallest is None else r.smallest for r in found)

    runs = Repeating(rule, progress).runs(grouped, settings, plan, worst_error)
    timings = timings_of(keys, runs)
    return timings, ratios_of(timings)
