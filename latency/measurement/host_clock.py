"""Watching the host's clock for a while: full speed, busy, or slower than its own best."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from latency.device.gate import Gate
from latency.device.host import DeviceState, current_host, device_state
from latency.device.load import OtherLoad
from latency.device.probe import make_probe
from latency.device.settings import SessionSettings
from latency.device.speed import BestSpeed, HostSpeed, best_speed_path
from latency.errors import LatencyError

BURST, PAUSE_S = 20, 0.004


class ClockError(LatencyError):
    """A clock that cannot be watched."""


@dataclass(frozen=True)
class ClockWatch:
    """What the probe said of the host.

    Args:
        speed: Of the host.
        seconds: Time that it was watched for.
        other_cores: Cores' worth of time that other programs used; None where unknown.
        state: Frequency, temperature and load at the end.
        before: The best that was known before; None where there was none.
    """

    speed: HostSpeed
    seconds: float
    other_cores: float | None
    state: DeviceState
    before: BestSpeed | None

    @property
    def times_slower(self) -> float | None:
        """How many times its best the shortest probes took; None where no best is known."""
        if self.speed.best is None or self.speed.session_us is None:
            return None
        return self.speed.session_us / self.speed.best.probe_us


def watch_clock(seconds: float) -> ClockWatch:
    """Reads the probe in short bursts for a while, and keeps the best speed if it was seen.

    Args:
        seconds: Above 0.

    Raises:
        ClockError: No time was given.
    """
    if not 0 < seconds < float("inf"):
        raise ClockError("a time above 0 seconds", repr(seconds), "pass --seconds 5")
    meter = OtherLoad()
    gate = Gate.of(SessionSettings(), 0.0, current_host(), time.perf_counter)
    watch = gate.watch
    if watch is None:
        raise ClockError("a host whose speed can be told", gate.reason, "watch it on its CPU")
    before, begun = watch.best, time.monotonic()
    while time.monotonic() - begun < seconds:
        for _ in range(BURST):
            watch.read_us(plain=True)
        # The core is left to others for most of the time, as in a measurement of many models.
        time.sleep(PAUSE_S)
    state = device_state()
    speed = gate.close()
    return ClockWatch(speed, round(meter.seconds(), 3), meter.cores(), state, before)


def forget_best_speed() -> Path | None:
    """Drops the stored best speed of this host; returns its file, or None where there was none."""
    path = best_speed_path(current_host(), make_probe().name)
    if path is None or not path.is_file():
        return None
    path.unlink()
    return path
