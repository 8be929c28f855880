"""A model's milliseconds at full speed over several fresh processes, and as seen today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from statistics import fmean, median
from typing import ClassVar

from latency.device.speed import SLOWER, HostSpeed
from latency.measurement.intervals import block_error, spread_interval
from latency.measurement.measure import Measurement

# Fewer undisturbed runs than this have no low percentile worth the name.
LEAST_KEPT = 20
# Half an interval, relative to its middle: above this a reading is called not stable.
STABLE_ERROR = 0.02
STATISTICS_SEED = 0


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
        judged = [_judged(m, limit_us) for m in measurements]
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


def _judged(measurement: Measurement, limit_us: float | None) -> Measurement:
    """The measurement by another limit; the same one, with all it has worked out, by its own."""
    if measurement.limit_us == limit_us:
        return measurement
    return replace(measurement, limit_us=limit_us)


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
    return block_error(measurement.kept_runs_ms, measurement.quantile, STATISTICS_SEED)


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
