"""The timing engine: interleaved rounds until everything is certain."""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .clock import Clock
from .errors import WorkerError
from .host import DeviceState
from .journal import Round, append_journal, read_journal
from .plan import DevicePlan
from .sessions import ModelRunner
from .statistics import Quantity, Visits, certain_quantities

ROUNDS_BETWEEN_CHECKS = 3

Progress = Callable[[int, int, float], None]  # visits done, visits at most, seconds left at most
Runners = Mapping[str, Callable[[], Any]]  # key -> function that runs the model once


def time_once(run: Callable[[], Any], key: str, clock: Clock) -> float:
    """Runs once and returns milliseconds, at the clock's resolution of a nanosecond.

    Raises:
        WorkerError: The clock stood still, went backwards or is not a number.
    """
    start = clock()
    run()
    elapsed_ms = round((clock() - start) * 1e3, 6)
    if not (elapsed_ms > 0 and math.isfinite(elapsed_ms)):
        raise WorkerError(
            "every timed run to take more than 0 ms",
            f"{elapsed_ms} ms for {key!r}",
            "use a monotonic clock that is fine enough, such as time.perf_counter",
        )
    return elapsed_ms


@dataclass(frozen=True)
class Outcome:
    """What all rounds gave.

    Args:
        samples_ms: Model -> visit -> run, in ms.
        certain: Whether each quantity became certain.
        rounds: Interleaved rounds.
        seconds: Time spent in them, over all resumed parts.
        log: Device state after each round.
    """

    samples_ms: dict[str, Visits]
    certain: tuple[bool, ...]
    rounds: int
    seconds: float
    log: tuple[DeviceState, ...]


def run_rounds(
    runners: Runners,
    groups: Mapping[str, str],
    quantities: Sequence[Quantity],
    plan: DevicePlan,
    clock: Clock = time.perf_counter,
    journal: tuple[str, str] | None = None,
    progress: Progress | None = None,
    observe: Callable[[], DeviceState] | None = None,
) -> Outcome:
    """Times everything in interleaved rounds until each quantity is certain.

    In every round all groups are visited in random order; in a visit each of the group's models
    drops `drop_per_visit` runs and keeps `runs_per_visit`.

    Args:
        runners: Key -> function that runs the model once.
        groups: Key -> group; a group's models are timed next to each other.
        quantities: What has to become certain; a group stops when all it takes part in is.
        plan: Rounds, runs and when to stop.
        clock: Seconds.
        journal: Path and identity of the record of finished rounds, or None.
        progress: Called after each visit with visits done, visits at most, seconds left.
        observe: Returns the device's state; called after each round, kept in the log.

    Raises:
        WorkerError: The journal is another session's, or the clock stood still.
    """
    samples: dict[str, Visits] = {key: [] for key in runners}
    past = read_journal(*journal) if journal else []
    for record in past:
        _append(samples, record.samples_ms)
    timing = _Timing(runners, groups, plan, clock, _Meter(progress, plan))
    active = timing.groups_of(past[-1].samples_ms if past else runners)
    active -= timing.finished(samples, quantities, len(past))
    spent, started = past[-1].seconds if past else 0.0, clock()
    while active and len(past) < plan.max_rounds and not _late(plan, len(past), spent):
        fresh = timing.round(len(past), active, started)
        _append(samples, fresh)
        state = observe() if observe else None
        now = clock()
        spent, started = spent + now - started, now
        past.append(Round(len(past), fresh, spent, state))
        if journal:
            append_journal(*journal, past[-1])
        active -= timing.finished(samples, quantities, len(past))
    certain = certain_quantities(samples, quantities, plan)
    log = tuple(record.state for record in past if record.state is not None)
    return Outcome(samples, tuple(certain), len(past), spent, log)


class _Timing:
    """Rounds over groups of models."""

    def __init__(
        self,
        runners: Runners,
        groups: Mapping[str, str],
        plan: DevicePlan,
        clock: Clock,
        meter: _Meter,
    ) -> None:
        self._runners, self._plan, self._clock, self._meter = runners, plan, clock, meter
        self._members: dict[str, list[str]] = {}
        for key in runners:
            self._members.setdefault(groups[key], []).append(key)

    def groups_of(self, keys: Iterable[str]) -> set[str]:
        """Names the groups that have one of the models."""
        wanted = set(keys)
        return {name for name, members in self._members.items() if wanted.intersection(members)}

    def round(self, number: int, active: set[str], started: float) -> dict[str, list[float]]:
        """Visits each active group once; returns the runs of each model, in ms."""
        order = np.random.default_rng([self._plan.seed, number])
        names = [name for name in _shuffled(list(self._members), order) if name in active]
        fresh = {}
        for index, name in enumerate(names):
            for key in _shuffled(self._members[name], order):
                fresh[key] = _visit(self._runners[key], key, self._plan, self._clock)
            seconds = self._clock() - started
            self._meter.visited(seconds, len(names) - index - 1, number, len(names))
        self._meter.round_ended()
        return fresh

    def finished(
        self, samples: Mapping[str, Visits], quantities: Sequence[Quantity], rounds: int
    ) -> set[str]:
        """Names the groups that need no further visit; looks only every few rounds, for speed."""
        beyond = rounds - self._plan.min_rounds
        if beyond < 0 or beyond % ROUNDS_BETWEEN_CHECKS:
            return set()
        verdicts = certain_quantities(samples, quantities, self._plan)
        open_keys = {
            key
            for certain, quantity in zip(verdicts, quantities)
            if not certain
            for key in quantity.keys
        }
        return set(self._members) - self.groups_of(open_keys)


def _append(samples: dict[str, Visits], fresh: Mapping[str, list[float]]) -> None:
    for key, runs in fresh.items():
        samples[key].append(runs)


def _shuffled(names: Sequence[str], rng: Any) -> list[str]:
    return [names[index] for index in rng.permutation(len(names))]


def _late(plan: DevicePlan, number: int, spent: float) -> bool:
    return number > 0 and plan.max_seconds is not None and spent >= plan.max_seconds


def _visit(run: Callable[[], Any], key: str, plan: DevicePlan, clock: Clock) -> list[float]:
    with _no_garbage_collection():
        try:
            for _ in range(plan.drop_per_visit):
                run()
            return [time_once(run, key, clock) for _ in range(plan.runs_per_visit)]
        finally:
            if isinstance(run, ModelRunner):
                run.end_visit()


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Meter:
    """Counts visits and estimates the time that the remaining rounds take at most."""

    def __init__(self, progress: Progress | None, plan: DevicePlan) -> None:
        self._progress = progress
        self._plan = plan
        self._done = 0
        self._seconds_before = 0.0
        self._seconds = 0.0

    def visited(self, round_seconds: float, left_in_round: int, number: int, active: int) -> None:
        self._done += 1
        self._seconds = self._seconds_before + round_seconds
        if self._progress is None:
            return
        left = left_in_round + active * (self._plan.max_rounds - number - 1)
        seconds_left = self._seconds / self._done * left
        if self._plan.max_seconds is not None:
            seconds_left = min(seconds_left, max(0.0, self._plan.max_seconds - self._seconds))
        self._progress(self._done, self._done + left, seconds_left)

    def round_ended(self) -> None:
        self._seconds_before = self._seconds
