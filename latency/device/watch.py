"""The speed gate: which runs of a session were made at the device's full speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from .host import DeviceState
from .probe import Gauge
from .speed import BUSY, FULL_SPEED, GATE, SLOWER, BestSpeed, HostSpeed

# A low quantile of many probes is the core at full speed, even where others leave little of it;
# the very lowest ones are the clock's own errors.
FULL_SPEED_QUANTILE = 0.005
# So many probes tell a best speed that is worth keeping.
ENOUGH_PROBES = 1000
# A look at the clock: bursts of probes with pauses, since a slow state lasts for 0.1 s and more.
BURST, PAUSE_S = 20, 0.004
LOOK_S, SHORT_LOOK_S = 2.0, 0.25
# While waiting, the core is left to others between two probes.
WAIT_PAUSE_S = 0.0005
LONGEST_WAIT_S = 1.0
# A machine that is at full speed for less of the time changes its speed, in spells of up to 0.5 s.
STEADY_SHARE, LONGEST_PAUSE_S = 0.9, 0.5
# Probes that gather at their own lowest are those of a device that has become slower. Those of a
# busy one scatter.
GATHERED_SHARE = 0.5
# A frequency lower by this share says by itself that the device has become slower.
FREQUENCY_SHARE = 0.03
QUIET_CORES = 0.25
QUANTILES = (1, 10, 25, 50, 75, 90, 99)


def _unknown() -> float | None:
    return None


@dataclass
class Watch:
    """Reads the probe, learns full speed from it, and waits for it.

    Args:
        gauge: Times the probe.
        best: The best ever seen of this device; None where nothing is known.
        budget_seconds: Longest time in all that may be spent in waiting, 0 or more.
        other_cores: Returns the cores' worth of time that other programs have used so far; None
            where unknown.
        frequency_mhz: Returns the mean frequency of the cores; None where unknown.
    """

    gauge: Gauge
    best: Optional[BestSpeed] = None
    budget_seconds: float = 30.0
    other_cores: Callable[[], Optional[float]] = _unknown
    frequency_mhz: Callable[[], Optional[float]] = _unknown
    waited_seconds: float = 0.0
    _is_slower: bool = False
    _highest_mhz: float = 0.0
    _readings_us: list[float] = field(default_factory=list)
    _plain_us: list[float] = field(default_factory=list)
    _session_us: float = float("inf")
    _learned: int = 0

    def read_us(self, plain: bool = False) -> float:
        """Reads the probe once.

        Args:
            plain: Whether nobody has waited for this moment, so that it tells of the machine.
        """
        value = self.gauge.read_us()
        self._readings_us.append(value)
        if plain:
            self._plain_us.append(value)
        return value

    def look(self) -> None:
        """Looks at the clock before a session, longer where its best is not in sight."""
        wanted = min(LOOK_S, self.budget_seconds / 10)
        short = min(SHORT_LOOK_S, wanted) if self.best else wanted
        self._look(short)
        if self.best and not self._is_near_best():
            self._look(wanted - short)

    def _look(self, seconds: float) -> None:
        end = self.gauge.clock() + seconds
        while True:
            for _ in range(BURST):
                self.read_us(plain=True)
            if self.gauge.clock() >= end:
                break
            self.gauge.sleep(PAUSE_S)
        self.learn()

    def learn(self, *others_us: float) -> None:
        """Learns full speed from all probes so far.

        Args:
            others_us: Full speed of earlier parts of the same session.
        """
        if len(self._readings_us) > self._learned:
            found = float(np.quantile(self._readings_us, FULL_SPEED_QUANTILE))
            self._session_us = min(self._session_us, found)
            self._learned = len(self._readings_us)
        self._session_us = min([self._session_us, *others_us])
        self._highest_mhz = max(self._highest_mhz, self.frequency_mhz() or 0.0)
        self._is_slower = not self._is_near_best() and (
            self._has_lower_frequency() or (self._is_gathered() and self._is_alone())
        )

    def _is_near_best(self) -> bool:
        return self.best is None or self._session_us <= GATE * self.best.probe_us

    def _has_lower_frequency(self) -> bool:
        then = self.best.frequency_mhz if self.best else None
        limit = (1 - FREQUENCY_SHARE) * (then or 0.0)
        return 0 < self._highest_mhz < limit

    def _is_alone(self) -> bool:
        return (self.other_cores() or 0.0) <= QUIET_CORES

    def _is_gathered(self) -> bool:
        values = np.asarray(self._plain_us or self._readings_us)
        return float(np.mean(values <= GATE * self._session_us)) >= GATHERED_SHARE

    @property
    def full_speed_us(self) -> float:
        """The probe at full speed: the best that is known, unless the device became slower."""
        if self.best is None or self._is_slower:
            return self._session_us
        return min(self._session_us, self.best.probe_us)

    @property
    def limit_us(self) -> float:
        """The longest probe beside a run that counts."""
        return GATE * self.full_speed_us

    def pause(self, share: float) -> None:
        """Leaves the moment that a wait has ended at, on a machine that changes its speed.

        Full speed lasts for 0.1 s and more. What is timed right after a wait would say that the
        machine is always so.

        Args:
            share: Of the longest pause, from 0 to 1, drawn at random.
        """
        plain = np.asarray(self._plain_us or self._readings_us)
        is_steady = float(np.mean(plain <= self.limit_us)) >= STEADY_SHARE
        if not is_steady and self.may_wait:
            seconds = min(share * LONGEST_PAUSE_S, self.budget_seconds - self.waited_seconds)
            self.gauge.sleep(seconds)
            self.waited_seconds += seconds

    @property
    def may_wait(self) -> bool:
        """Whether some of the time for waiting is left."""
        return self.waited_seconds < self.budget_seconds

    def wait(self, limit_us: float) -> float | None:
        """Waits until the probe is within the gate; returns it, or None where it never was.

        Args:
            limit_us: The longest probe that will do.
        """
        start = self.gauge.clock()
        allowed = min(LONGEST_WAIT_S, self.budget_seconds - self.waited_seconds)
        waited, found = 0.0, None
        while found is None and waited < allowed:
            value = self.read_us()
            found = value if value <= limit_us else None
            if found is None:
                self.gauge.sleep(WAIT_PAUSE_S)
            waited = self.gauge.clock() - start
        self.waited_seconds += waited
        return found

    def report(self) -> HostSpeed:
        """Says how fast the device was."""
        self.learn()
        plain = np.asarray(self._plain_us or self._readings_us)
        share = float(np.mean(plain <= self.limit_us))
        state, reason = self._state(share)
        return HostSpeed(
            state=state,
            reason=reason,
            probe=self.gauge.probe.name,
            full_speed_us=round(self.full_speed_us, 3),
            session_us=round(self._session_us, 3),
            best=self.best,
            share_full_speed=round(share, 4),
            probe_quantiles_us={
                f"p{percent}": round(float(np.percentile(plain, percent)), 3)
                for percent in QUANTILES
            },
            waited_seconds=round(self.waited_seconds, 3),
        )

    def _state(self, share: float) -> tuple[str, str]:
        cores = self.other_cores()
        used = "" if cores is None else f"; other programs used {cores:.1f} cores"
        if self.best is not None and not self._is_near_best():
            times = self._session_us / self.best.probe_us
            text = f"never faster than {times:.2f} times its best of {self.best.at}"
            if self._has_lower_frequency():
                then_mhz = self.best.frequency_mhz
                text += f"; at most {self._highest_mhz:.0f} MHz, {then_mhz:.0f} MHz then"
            return (SLOWER if self._is_slower else BUSY), text + used
        if share < GATHERED_SHARE:
            return BUSY, f"at full speed in {share:.0%} of the time{used}"
        return FULL_SPEED, ""

    def best_now(self, at: str, state: DeviceState) -> BestSpeed | None:
        """The best speed to keep; None where it is not better, or too few probes tell.

        Args:
            at: Time of day, ISO 8601 in UTC.
            state: Of the device at that time.
        """
        if len(self._readings_us) < ENOUGH_PROBES:
            return None
        if self.best is not None and self._session_us >= self.best.probe_us:
            return None
        return BestSpeed(
            self.gauge.probe.name,
            round(self._session_us, 3),
            at,
            state.frequency_mhz,
            state.temperature_celsius,
        )
