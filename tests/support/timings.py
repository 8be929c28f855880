"""Timings of networks as several fresh processes would give them, made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latency.device.speed import BUSY, FULL_SPEED, HostSpeed
from latency.device.statistics import Visit
from latency.measurement.measure import Measurement
from latency.measurement.timing import LEAST_KEPT, Timing

FULL_US = 10.0
DISTURBED_US = 14.0
FULL_HOST = HostSpeed(
    "full speed", probe="a probe", full_speed_us=FULL_US, session_us=FULL_US, share_full_speed=0.9
)
STATED_SPEED = HostSpeed(FULL_SPEED, "", "p", 12.0, 12.0, share_full_speed=0.9)
BUSY_HOST = HostSpeed(
    BUSY,
    "at full speed in 5% of the time",
    probe="a probe",
    full_speed_us=FULL_US,
    session_us=FULL_US,
    share_full_speed=0.05,
)


def measurement(
    ms: float, kept: int = LEAST_KEPT, disturbed_ms: float | None = None
) -> Measurement:
    """One process: undisturbed runs of one duration, and disturbed ones of another.

    Args:
        ms: Of the undisturbed runs.
        kept: How many these are.
        disturbed_ms: Of a few others; None for half as long again.
    """
    slow_ms = 1.5 * ms if disturbed_ms is None else disturbed_ms
    runs = [(ms, FULL_US)] * kept + [(slow_ms, DISTURBED_US)] * 4
    visits = tuple(Visit((run,), (us,), (us,)) for run, us in runs)
    return Measurement("network", visits, 0.25, True, FULL_US)


def timing(*process_ms: float, host: HostSpeed = FULL_HOST, **process: Any) -> Timing:
    """A network over several processes.

    Args:
        process_ms: What it takes at full speed in each; one value stands for three processes.
        host: How fast the machine was in each.
        process: Further arguments of `measurement`.
    """
    values: Sequence[float] = process_ms if len(process_ms) > 1 else 3 * process_ms
    return Timing.of([measurement(ms, **process) for ms in values], [host] * len(values))


def stated_timing(low_ms: float | None, high_ms: float | None, reason: str = "") -> Timing:
    """A timing whose interval is stated, as commands print it.

    Args:
        low_ms: Lower end of the interval; None for no interval.
        high_ms: Its upper end.
        reason: Why it cannot be told; empty where it can.
    """
    middle = 1.0 if low_ms is None or high_ms is None else (low_ms + high_ms) / 2
    return Timing(
        latency_ms=middle,
        low_ms=low_ms,
        high_ms=high_ms,
        p50_ms=1.25,
        p90_ms=1.5,
        p99_ms=2.0,
        share_full_speed=0.9,
        kept_count=77,
        count=99,
        noise=None,
        process_ms=(1.0, 1.0, 1.0),
        speeds=(STATED_SPEED,) * 3,
        reason=reason,
    )
