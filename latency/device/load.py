"""How much of the processor other programs use meanwhile."""

from __future__ import annotations

import os
import time


class OtherLoad:
    """Processor time of everything but this process, from /proc/stat (Linux)."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._start = self._busy_seconds()

    def _busy_seconds(self) -> float | None:
        try:
            with open("/proc/stat", encoding="ascii") as stream:
                ticks = [int(text) for text in stream.readline().split()[1:9]]
        except (OSError, ValueError):
            return None
        if len(ticks) < 8:
            return None
        user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        own = os.times()
        return busy - own.user - own.system

    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._begun

    def cores(self) -> float | None:
        """Cores' worth of time that others used since the start; None where unknown."""
        now = self._busy_seconds()
        if now is None or self._start is None:
            return None
        return round(max(0.0, now - self._start) / max(self.seconds(), 1e-6), 2)
