"""Machines whose speed changes while they measure, made up in numpy: runs with probes that tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from latency.device.plan import MeasurePlan
from latency.device.speed import BUSY, FULL_SPEED, GATE, BestSpeed, HostSpeed
from latency.device.statistics import Visit
from latency.device.watch import FULL_SPEED_QUANTILE
from latency.measurement.measure import Measurement, Readings

PROBE_US = 12.0
# The probe at full speed differs by less than 1 % (docs/measuring.md): half of it is one sigma.
PROBE_NOISE = 0.005
JITTER = 0.003
QUANTILE = MeasurePlan.quantile
# What a 1 ms model truly reads at full speed: the jitter is |N(0, 1)| times its size.
FULL_MS = 1.0 + JITTER * NormalDist().inv_cdf((1 + QUANTILE) / 2)
SECONDS = 30.0  # of a made-up machine's life; measurements begin within it


@dataclass
class Machine:
    """A machine that is `speed` times as slow as at its best, at each moment.

    Args:
        rng: Of the noise.
        times_s: Moments at which the speed is told, from 0.
        speed: 1 at full speed, above 1 when slower.
        best_us: The probe at full speed by the best that was seen so far; None at first.
    """

    rng: np.random.Generator
    times_s: np.ndarray
    speed: np.ndarray
    best_us: float | None = None
    _work: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        steps = np.diff(self.times_s, prepend=0.0)
        self._work = np.cumsum(steps * self.speed)

    def slowness(self, start_s: np.ndarray, seconds: float) -> np.ndarray:
        """Mean slowness from each moment on, over so many seconds."""
        ends = np.interp(start_s + seconds, self.times_s, self._work)
        return (ends - np.interp(start_s, self.times_s, self._work)) / seconds

    def probe_us(self, at_s: np.ndarray) -> np.ndarray:
        """What the probe takes at each moment."""
        now = np.interp(at_s, self.times_s, self.speed)
        noise = np.abs(self.rng.normal(0, PROBE_NOISE, at_s.shape))
        return PROBE_US * now * (1 + noise)

    def next_full_s(self, at_s: float) -> float:
        """The next moment at full speed, or the same one where none comes within a second."""
        place = int(np.searchsorted(self.times_s, at_s))
        ahead = np.flatnonzero(self.speed[place : place + 1000] <= 1.02)
        return float(self.times_s[place + ahead[0]]) if len(ahead) else at_s

    def visit(self, key: str, at_s: float, ms: float, plain: bool, runs: int = 3) -> Visit:
        """A visit of a model that takes `ms` at full speed."""
        begin_s = at_s if plain else self.next_full_s(at_s)
        starts = begin_s + np.arange(runs) * (ms + 0.05) / 1e3
        jitter = 1 + np.abs(self.rng.normal(0, JITTER, runs))
        taken = ms * self.slowness(starts, ms / 1e3) * jitter
        after = self.probe_us(starts + ms / 1e3)
        before = self.probe_us(starts)
        return Visit(tuple(taken), tuple(before), tuple(after), plain)

    def process(
        self, models_ms: dict[str, float], begin_s: float, rounds: int = 24, gap_s: float = 0.03
    ) -> Readings:
        """One fresh process: a look at the clock, then rounds in which every third one is plain."""
        look_us = self.probe_us(begin_s - np.linspace(0, 1, 2000))
        session_us = float(np.quantile(look_us, FULL_SPEED_QUANTILE))
        self.best_us = min(session_us, self.best_us or session_us)
        speed = HostSpeed(
            state=FULL_SPEED if np.mean(look_us <= GATE * self.best_us) > 0.5 else BUSY,
            probe="made up",
            full_speed_us=self.best_us,
            session_us=session_us,
            best=BestSpeed("made up", self.best_us, "2026-11-26T00:00:00+00:00", None, None),
            share_full_speed=float(np.mean(look_us <= GATE * self.best_us)),
        )
        found = {}
        for key, ms in models_ms.items():
            visits = tuple(
                self.visit(key, begin_s + number * gap_s, ms, number % 3 == 0)
                for number in range(rounds)
            )
            found[key] = Measurement(key, visits, QUANTILE, True, speed.limit_us)
        return Readings(found, speed)


def _moments() -> np.ndarray:
    return np.arange(0.0, SECONDS, 0.001)


def steady(rng: np.random.Generator) -> Machine:
    """A quiet machine."""
    times = _moments()
    return Machine(rng, times, np.ones_like(times))


def two_speeds(rng: np.random.Generator) -> Machine:
    """A shared machine: full speed and 1.3 to 1.7 times as slow in turn, 50 to 500 ms each."""
    times = _moments()
    dwell = rng.uniform(0.05, 0.5, int(SECONDS / 0.05))
    place = np.searchsorted(np.cumsum(dwell), times)
    slow = rng.uniform(1.3, 1.7, len(dwell) + 1)
    is_slow = (place + rng.integers(2)) % 2 == 1
    return Machine(rng, times, np.where(is_slow, slow[place], 1.0))


def drifting(rng: np.random.Generator) -> Machine:
    """A machine that becomes up to 2 % slower and faster again, within 5 to 60 seconds."""
    times = _moments()
    period, phase = rng.uniform(5, 60), rng.uniform(0, 2 * np.pi)
    depth = rng.uniform(0, 0.02)
    wave = (1 + np.sin(2 * np.pi * times / period + phase)) / 2
    machine = Machine(rng, times, 1 + depth * wave)
    # Such a machine has been seen at its best before.
    machine.best_us = PROBE_US
    return machine


def processes_of(
    machine: Machine, models_ms: dict[str, float], offset: float, begin_s: float = 1.0
) -> Callable[[Sequence[str]], Readings]:
    """Fresh processes of a machine, in each of which memory lies elsewhere.

    Args:
        machine: That they run on.
        models_ms: Key -> ms at full speed.
        offset: Relative standard deviation between processes of each model's milliseconds.
        begin_s: When the first one starts; the others follow after 1.5 seconds each.
    """
    starts = iter(np.arange(begin_s, SECONDS, 1.5))

    def run(keys: Sequence[str]) -> Readings:
        moved = {key: models_ms[key] * (1 + offset * machine.rng.normal()) for key in keys}
        return machine.process(moved, next(starts))

    return run
