"""Models timed in several fresh processes, and what these say together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from statistics import fmean, median
from typing import ClassVar

import numpy as np

from latency.device.meter import Progress
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.speed import SLOWER, HostSpeed
from latency.device.statistics import kept_runs
from latency.errors import LatencyError
from latency.measurement.intervals import block_error, spread_interval
from latency.measurement.measure import Measurement, Model, Readings, measure_fresh_process

# Fewer undisturbed runs than this have no low percentile worth the name.
LEAST_KEPT = 20
# Half an interval, relative to its middle: above this a reading is called not stable.
STABLE_ERROR = 0.02
STATISTICS_SEED = 0


class ProcessError(LatencyError):
    """A rule for processes that measures nothing, or never ends."""


@dataclass(frozen=True)
class ProcessRule:
    """How many fresh processes are made, one after another.

    Args:
        processes: At least so many; 1 or more, 3 by default. Memory lies elsewhere in each, which
            alone changes a reading by 1 to 3 %.
        most: At most so many; 7 by default.
        precision: One process more at a time until half of the 95 % interval of every named
            network is at most this share of its latency; 0.01 by default.
        min_seconds: Wall time that the processes are spread over, so that one quiet or slow
            second does not decide; 3 by default. Pauses between them fill it.
        max_seconds: No process beyond the least number begins after so much wall time; None for
            no limit.

    Raises:
        ProcessError: A value is out of range.
    """

    processes: int = 3
    most: int = 7
    precision: float = 0.01
    min_seconds: float = 3.0
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        rules = {
            "processes": (self.processes >= 1, "1 or more"),
            "most": (self.most >= self.processes, "at least processes"),
            "precision": (self.precision > 0, "above 0"),
            "min_seconds": (self.min_seconds >= 0, "0 or more"),
            "max_seconds": (self.max_seconds is None or self.max_seconds > 0, "above 0 or None"),
        }
        for name, (holds, text) in rules.items():
            if not holds:
                raise ProcessError(
                    f"{name} to be {text}",
                    repr(getattr(self, name)),
                    f"pass {name} {text}, such as the default {getattr(ProcessRule, name)!r}",
                )


@dataclass(frozen=True, kw_only=True)
class Timing:
    """A model's milliseconds at the device's own full speed, over several fresh processes.

    Args:
        latency_ms: Median over processes of the plan's quantile of undisturbed runs.
        low_ms: Lower end of the 95 % interval, which includes the spread between processes; None
            where one process alone tells nothing of it.
        high_ms: Upper end.
        p50_ms: As seen: the median of all runs, disturbed ones too; the median over processes.
        p90_ms: As seen: the 90th percentile.
        p99_ms: As seen: the 99th percentile.
        share_full_speed: Share of the time that the host ran at full speed, from 0 to 1; None
            where nothing was gated.
        kept_count: Undisturbed runs in all processes.
        count: All runs in all processes.
        noise: Relative standard error of a process's reading by itself, the median over
            processes, by resampling blocks of visits; None where no process has two visits.
        process_ms: The reading of each process that had enough undisturbed runs.
        speeds: How fast the host was in each process.
        reason: Why it cannot be told how fast the model is; empty where it can.
        measurements: Raw samples of each process.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        *("latency_ms", "low_ms", "high_ms", "error", "p50_ms", "p90_ms", "p99_ms"),
        *("share_full_speed", "kept_count", "count", "noise", "stable", "process_ms"),
        *("speeds", "reason", "measurements"),
    )

    latency_ms: float
    low_ms: float | None
    high_ms: float | None
    p50_ms: float
    p90_ms: float
    p99_ms: float
    share_full_speed: float | None
    kept_count: int
    count: int
    noise: float | None
    process_ms: tuple[float, ...]
    speeds: tuple[HostSpeed, ...] = ()
    reason: str = ""
    measurements: tuple[Measurement, ...] = field(default=(), repr=False)

    @property
    def error(self) -> float | None:
        """Half of the interval, relative to the latency; None where it is unknown."""
        if self.low_ms is None or self.high_ms is None:
            return None
        return (self.high_ms - self.low_ms) / 2 / self.latency_ms

    @property
    def stable(self) -> bool:
        """Whether the interval is known and narrow, of undisturbed runs."""
        return not self.reason and self.error is not None and self.error <= STABLE_ERROR

    @classmethod
    def of(cls, measurements: Sequence[Measurement], speeds: Sequence[HostSpeed]) -> Timing:
        """From one measurement a process.

        All processes are judged by the fastest full speed that one of them knew. One that lay in
        a slow spell as a whole, and took that for full speed, is noticed like this.

        Args:
            measurements: Of one model, one a process.
            speeds: Of the host in these processes.
        """
        full_us = common_full_speed_us(speeds)
        limit_us = full_us * speeds[0].gate if full_us else None
        judged = [replace(m, limit_us=limit_us) for m in measurements]
        enough = [m.kept_count >= LEAST_KEPT for m in judged]
        full = list(compress(judged, enough))
        # Where no process saw full speed there is nothing better to show, and a reason beside it.
        process_ms = tuple(m.latency_ms for m in full or judged)
        errors = [own_error(m) for m in full]
        below = [below_full_speed(speed, full_us) for speed in compress(speeds, enough)]
        interval = spread_interval([m.latency_ms for m in full], errors, median(below or [0.0]))
        known = [error for error in errors if error is not None]
        shares = [s.share_full_speed for s in speeds if s.share_full_speed is not None]
        return cls(
            latency_ms=median(process_ms),
            low_ms=interval[0] if interval else None,
            high_ms=interval[1] if interval else None,
            p50_ms=median(m.p50_ms for m in judged),
            p90_ms=median(m.p90_ms for m in judged),
            p99_ms=median(m.p99_ms for m in judged),
            share_full_speed=fmean(shares) if shares else None,
            kept_count=sum(m.kept_count for m in judged),
            count=sum(m.count for m in judged),
            noise=median(known) if known else None,
            process_ms=process_ms,
            speeds=tuple(speeds),
            reason=_reason(judged, full, speeds),
            measurements=tuple(judged),
        )


def is_slower(speeds: Sequence[HostSpeed]) -> bool:
    """Whether the host was slower than its own best in most processes."""
    return 2 * sum(speed.state == SLOWER for speed in speeds) > len(speeds)


def common_full_speed_us(speeds: Sequence[HostSpeed]) -> float | None:
    """The probe at full speed by which all processes are judged; None where nothing was gated.

    A host that has become slower is judged by its speed of today, and a reason says so. Any other
    is judged by its best.

    Args:
        speeds: Of the processes.
    """
    known = [speed.full_speed_us for speed in speeds if speed.full_speed_us is not None]
    if not is_slower(speeds):
        known += [speed.best.probe_us for speed in speeds if speed.best]
    return min(known, default=None)


def below_full_speed(speed: HostSpeed, full_speed_us: float | None) -> float:
    """How far below full speed a process may have been as a whole, a share; 0 for not at all.

    A run counts with probes a few percent above full speed. A device that drifts within the gate
    makes all of its runs a little slower. The shortest probes of the process tell by how much,
    since full speed is told by the shortest ones, too.

    Args:
        speed: Of the process.
        full_speed_us: The probe at full speed; None where nothing was gated.
    """
    if speed.session_us is None or full_speed_us is None:
        return 0.0
    return max(0.0, speed.session_us / full_speed_us - 1)


def own_error(measurement: Measurement) -> float | None:
    """Relative standard error of one process's reading; None where it is unknown."""
    kept_ms = kept_runs(measurement.visits, measurement.limit_us)
    return block_error(kept_ms, measurement.quantile, STATISTICS_SEED)


def _reason(
    judged: Sequence[Measurement], full: Sequence[Measurement], speeds: Sequence[HostSpeed]
) -> str:
    """Why the readings do not tell how fast a model is at full speed; empty where they do."""
    if is_slower(speeds):
        last = [speed for speed in speeds if speed.state == SLOWER][-1]
        return f"the host is slower than its own best: {last.reason}"
    if len(full) < min(2, len(judged)):
        kept, count = sum(m.kept_count for m in judged), sum(m.count for m in judged)
        return (
            f"too few undisturbed runs: {kept} of {count}, and {len(full)} of {len(judged)} "
            f"processes have {LEAST_KEPT} or more"
        )
    return "" if len(judged) > 1 else "one process alone does not tell its interval"


def measure_processes(
    models: Sequence[Model],
    settings: SessionSettings,
    plan: MeasurePlan,
    rule: ProcessRule | None = None,
    *,
    named: Sequence[str] = (),
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> dict[str, Timing]:
    """Times models in fresh processes one after another, visits interleaved at random in each.

    Args:
        models: With unique keys.
        settings: Of the sessions.
        plan: Rounds and runs in each process.
        rule: How many processes; `ProcessRule()` by default.
        named: Keys of the networks that have to become precise; all of them by default.
        progress: Called after each process with processes done, processes at most, seconds left
            at most.
        clock: Seconds.
        wait: Pauses for seconds.

    Raises:
        MeasureError: A process failed.
    """
    rule = rule or ProcessRule()
    keys = [model.key for model in models]

    def worst_error(runs: Sequence[Readings]) -> float:
        timings = timings_of(keys, runs)
        errors = [timings[key].error for key in named or keys]
        return max(math.inf if error is None else error for error in errors)

    again = Repeating(rule, progress, clock, wait)
    return timings_of(keys, again.runs(models, settings, plan, worst_error))


@dataclass(frozen=True)
class Repeating:
    """Fresh processes until they are precise.

    Args:
        rule: How many.
        progress: Called after each process with processes done, processes at most, seconds left
            at most.
        clock: Seconds.
        wait: Pauses for seconds.
    """

    rule: ProcessRule
    progress: Progress | None = None
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep

    def runs(
        self,
        models: Sequence[Model],
        settings: SessionSettings,
        plan: MeasurePlan,
        error: Callable[[Sequence[Readings]], float],
    ) -> list[Readings]:
        """Makes one process after another.

        Every process has another seed, and so other integer inputs and another order of visits,
        and loads the models in another order.

        Args:
            models: With unique keys.
            settings: Of the sessions.
            plan: Rounds and runs in each process.
            error: Relative error of what has to become precise, after so many processes.

        Raises:
            MeasureError: A process failed.
        """
        rule, begun, runs = self.rule, self.clock(), list[Readings]()
        while len(runs) < rule.most:
            if runs:
                missing = rule.min_seconds - (self.clock() - begun)
                self.wait(max(0.0, missing / max(1, rule.processes - len(runs))))
            number = len(runs)
            order = np.random.default_rng([plan.seed, number]).permutation(len(models))
            own_plan = replace(plan, seed=plan.seed + number)
            runs.append(measure_fresh_process([models[i] for i in order], settings, own_plan))
            spent = self.clock() - begun
            if self.progress:
                left = rule.most - len(runs)
                self.progress(len(runs), rule.most, left * spent / len(runs))
            if len(runs) >= rule.processes:
                late = rule.max_seconds is not None and spent >= rule.max_seconds
                if late or error(runs) <= rule.precision:
                    break
        return runs


def timings_of(keys: Sequence[str], runs: Sequence[Readings]) -> dict[str, Timing]:
    """Joins processes to one timing a model.

    Args:
        keys: Of the models, in the order of the result.
        runs: One a process.
    """
    speeds = [run.speed for run in runs]
    return {key: Timing.of([run[key] for run in runs], speeds) for key in keys}
