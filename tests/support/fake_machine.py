"""A machine whose speed is a function of time: models, probes and pauses take its seconds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latency.device.engine import Instruments
from latency.device.probe import Gauge, Probe
from latency.device.speed import BestSpeed
from latency.device.watch import Watch

PROBE_US = 9.0
JITTER = 0.002
PAST = "2026-05-04T10:20:30+00:00"

Slowness = Callable[[float], float]  # seconds since the start -> how many times as slow


class FakeMachine:
    """Runs models and probes on a clock of its own.

    Args:
        slowness: Seconds -> how many times its full speed everything takes; 1 or more.
        seed: Of the jitter of each run, `JITTER` of it and always upwards.
    """

    def __init__(self, slowness: Slowness, seed: int = 0) -> None:
        self.seconds = 0.0
        self._slowness = slowness
        self._rng = np.random.default_rng(seed)

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def _take(self, seconds: float) -> None:
        jitter = 1 + JITTER * abs(float(self._rng.standard_normal()))
        self.seconds += seconds * self._slowness(self.seconds) * jitter

    def model(self, full_speed_ms: float) -> Callable[[], None]:
        """A model that takes so long at full speed."""
        return lambda: self._take(full_speed_ms / 1e3)

    def watch(
        self,
        best_us: float | None = None,
        budget_seconds: float = 30.0,
        cores: float | None = None,
        mhz: float | None = None,
    ) -> Watch:
        """A watch on this machine.

        Args:
            best_us: The shortest probe of earlier sessions; None for a machine without a past.
            budget_seconds: Longest time in all that may be spent in waiting.
            cores: What other programs use; None where unknown.
            mhz: Frequency, 3000 at its best; None where unknown.
        """
        probe = Probe("fake probe", lambda: self._take(PROBE_US / 1e6))
        gauge = Gauge(probe, self.clock, self.sleep)
        past = BestSpeed("fake probe", best_us, PAST, 3000.0, 50.0) if best_us else None
        return Watch(gauge, past, budget_seconds, lambda: cores, lambda: mhz)

    def instruments(
        self, best_us: float | None = None, budget_seconds: float = 30.0
    ) -> Instruments:
        """What the engine looks at on this machine; see `watch`."""
        return Instruments(self.clock, watch=self.watch(best_us, budget_seconds))


def two_speeds(share_full: float, slow: float = 1.45, seed: int = 0) -> Slowness:
    """Switches between full speed and a slower one, staying for 50 to 500 ms at the slower.

    Args:
        share_full: Share of the time at full speed, above 0 and below 1.
        slow: How many times as slow the other state is.
        seed: Of the durations.
    """
    rng = np.random.default_rng(seed)
    slow_s = rng.uniform(0.05, 0.5, 4000)
    full_s = slow_s * share_full / (1 - share_full)
    ends = np.cumsum(np.stack([full_s, slow_s], axis=1).ravel())

    def slowness(seconds: float) -> float:
        place = int(np.searchsorted(ends, seconds % ends[-1], side="right"))
        return 1.0 if place % 2 == 0 else slow

    return slowness
