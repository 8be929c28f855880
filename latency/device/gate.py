"""The speed gate of one session: its watch, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from .clock import Clock, now_text
from .host import Host, current_frequency_mhz, device_state
from .load import OtherLoad
from .probe import Gauge, make_probe
from .settings import CPU_PROVIDER, SessionSettings
from .speed import (
    NOT_GATED,
    HostSpeed,
    best_speed_path,
    keep_best_speed,
    read_best_speed,
)
from .watch import Watch


@dataclass(frozen=True)
class Gate:
    """What tells full speed in one session.

    Args:
        watch: Reads the probe; None where nothing is gated.
        path: Of the device's best speed; None where nothing is gated, or has no past.
        reason: Why nothing is gated; empty otherwise.
    """

    watch: Optional[Watch]
    path: Optional[Path]
    reason: str

    @classmethod
    def of(
        cls,
        settings: SessionSettings,
        budget_seconds: float,
        host: Host,
        clock: Clock,
        has_past: bool = True,
    ) -> Gate:
        """Makes the gate that fits the settings.

        Args:
            settings: Of the sessions.
            budget_seconds: Longest time in all that may be spent in waiting.
            host: The device.
            clock: Seconds.
            has_past: Whether the device's best speed is read and kept; a clock that is not the
                machine's own says nothing to other sessions.
        """
        if settings.intra_op_num_threads > 1:
            reason = "several threads run on cores of which a probe on one core says nothing"
            return cls(None, None, reason)
        if settings.provider != CPU_PROVIDER:
            return cls(None, None, f"a probe on the CPU says nothing of {settings.provider}")
        probe = make_probe()
        path = best_speed_path(host, probe.name) if has_past else None
        best = read_best_speed(path, probe.name) if path else None
        watch = Watch(
            Gauge(probe, clock), best, budget_seconds, OtherLoad().cores, current_frequency_mhz
        )
        return cls(watch, path, "")

    def close(self) -> HostSpeed:
        """Says how fast the device was, and keeps its best if this was better."""
        if self.watch is None:
            return HostSpeed(NOT_GATED, self.reason)
        speed = self.watch.report()
        best = self.watch.best_now(now_text(), device_state())
        if best and self.path:
            keep_best_speed(self.path, best)
            return replace(speed, best=best)
        return speed
