"""The timing engine: interleaved rounds until everything is certain at full speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from .clock import Clock
from .host import DeviceState
from .journal import End, Past, Round, append_journal, read_journal
from .meter import Meter, Progress
from .plan import DevicePlan
from .statistics import Quantity, Visit, certain_quantities
from .visiting import visit_model
from .watch import Watch

ROUNDS_BETWEEN_CHECKS = 3
# Every so many rounds nobody waits for full speed: what these show is the machine as it is today.
ROUNDS_TO_PLAIN = 3
# So many of them show it; each costs a pause where the machine changes its speed.
MOST_PLAIN = 12

Runners = Mapping[str, Callable[[], Any]]  # key -> function that runs the model once


@dataclass(frozen=True)
class Outcome:
    """What all rounds gave.

    Args:
        visits: Model -> its visits in order.
        certain: Whether each quantity became certain.
        rounds: Interleaved rounds.
        seconds: Time spent in them, over all resumed parts.
        log: Device state after each round.
        end: How the session ended, as its journal has it; None where nobody said so.
    """

    visits: dict[str, tuple[Visit, ...]]
    certain: tuple[bool, ...]
    rounds: int
    seconds: float
    log: tuple[DeviceState, ...]
    end: Optional[End] = None


@dataclass(frozen=True)
class Instruments:
    """What the engine looks at while it times.

    Args:
        clock: Seconds.
        observe: Returns the device's state; called after each round, kept in the log.
        watch: Tells full speed; None to count every run.
        end: Says how the session ended, which is kept in the journal; None to keep no end.
    """

    clock: Clock = time.perf_counter
    observe: Optional[Callable[[], DeviceState]] = None
    watch: Optional[Watch] = None
    end: Optional[Callable[[], End]] = None


def run_rounds(
    runners: Runners,
    groups: Mapping[str, str],
    quantities: Sequence[Quantity],
    plan: DevicePlan,
    instruments: Instruments,
    journal: tuple[str, str] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Times everything in interleaved rounds until each quantity is certain.

    In every round all groups are visited in random order; in a visit each of the group's models
    drops `drop_per_visit` runs and keeps `runs_per_visit`. With a watch runs are timed between
    probes, and in two of three rounds a visit waits for full speed.

    Args:
        runners: Key -> function that runs the model once.
        groups: Key -> group; a group's models are timed next to each other.
        quantities: What has to become certain; a group stops when all it takes part in is.
        plan: Rounds, runs and when to stop.
        instruments: What is looked at meanwhile.
        journal: Path and identity of the record of finished rounds, or None.
        progress: Called after each visit with visits done, visits at most, seconds left.

    Raises:
        WorkerError: The journal is another session's, or the clock stood still.
    """
    known = read_journal(*journal) if journal else Past()
    visits: dict[str, list[Visit]] = {key: [] for key in runners}
    for record in known.rounds:
        _append(visits, record.visits)
    past, end = list(known.rounds), known.end
    timing = _Timing(runners, groups, plan, instruments, Meter(progress, plan))
    # A model without a visit did not run when the journal was begun.
    if end is None or not all(visits.values()):
        journal = timing.go_on(past, visits, quantities, journal)
        end = instruments.end() if instruments.end else None
        if end and journal:
            append_journal(*journal, end)
    limit_us = end.speed.limit_us if end else timing.limit_us()
    return Outcome(
        {key: tuple(of_key) for key, of_key in visits.items()},
        tuple(certain_quantities(visits, quantities, plan, limit_us)),
        len(past),
        past[-1].seconds if past else 0.0,
        tuple(record.state for record in past if record.state is not None),
        end,
    )


class _Timing:
    """Rounds over groups of models."""

    def __init__(
        self,
        runners: Runners,
        groups: Mapping[str, str],
        plan: DevicePlan,
        instruments: Instruments,
        meter: Meter,
    ) -> None:
        self._runners, self._plan, self._meter = runners, plan, meter
        self._clock, self._watch = instruments.clock, instruments.watch
        self._observe = instruments.observe
        self._looked_again = False
        self._members: dict[str, list[str]] = {}
        for key in runners:
            self._members.setdefault(groups[key], []).append(key)

    def go_on(
        self,
        past: list[Round],
        visits: Mapping[str, list[Visit]],
        quantities: Sequence[Quantity],
        journal: tuple[str, str] | None,
    ) -> tuple[str, str] | None:
        """Adds rounds until everything is certain, or the plan is at its end.

        Args:
            past: Finished rounds, to which those of now are added.
            visits: Model -> its visits in these, to which those of now are added.
            quantities: What has to become certain.
            journal: Path and identity of the record of finished rounds, or None.

        Returns:
            The same journal; None where rounds can no longer be kept.
        """
        plan = self._plan
        self.begin(past)
        unseen = [key for key in self._runners if not visits[key]]
        active = self.groups_of([*past[-1].visits, *unseen] if past else self._runners)
        active -= self.finished(visits, quantities, len(past))
        spent, started = past[-1].seconds if past else 0.0, self._clock()
        while len(past) < plan.max_rounds and not _late(plan, len(past), spent):
            active = active or self.doubted(visits, quantities, len(past))
            if not active:
                break
            fresh = self.round(len(past), active, started)
            _append(visits, fresh)
            state = self._observe() if self._observe else None
            now = self._clock()
            spent, started = spent + now - started, now
            past.append(Round(len(past), fresh, spent, state, self.full_speed_us()))
            if journal and not append_journal(*journal, past[-1]):
                journal = None  # said once; what is measured goes on without it
            active -= self.finished(visits, quantities, len(past))
        return journal

    def begin(self, past: Sequence[Round]) -> None:
        """Looks at the clock, and remembers how fast it was before an interruption."""
        if self._watch:
            self._watch.look()
            known = [record.full_speed_us for record in past if record.full_speed_us is not None]
            self._watch.learn(*known)

    def full_speed_us(self) -> float | None:
        """The probe at full speed, as far as it is known; None where nothing is gated."""
        return self._watch.full_speed_us if self._watch else None

    def limit_us(self) -> float | None:
        """The longest probe beside a run that counts; None where nothing is gated."""
        return self._watch.limit_us if self._watch else None

    def groups_of(self, keys: Iterable[str]) -> set[str]:
        """Names the groups that have one of the models."""
        wanted = set(keys)
        return {name for name, members in self._members.items() if wanted.intersection(members)}

    def round(self, number: int, active: set[str], started: float) -> dict[str, Visit]:
        """Visits each active group once."""
        order = np.random.default_rng([self._plan.seed, number])
        shows = number % ROUNDS_TO_PLAIN == 0 and number < MOST_PLAIN * ROUNDS_TO_PLAIN
        plain = shows or not (self._watch and self._watch.may_wait)
        names = [name for name in _shuffled(list(self._members), order) if name in active]
        if plain and self._watch:
            self._watch.pause(float(order.random()))
        fresh = {}
        for index, name in enumerate(names):
            for key in _shuffled(self._members[name], order):
                fresh[key] = visit_model(
                    self._runners[key], key, self._plan, self._clock, self._watch, plain
                )
            seconds = self._clock() - started
            self._meter.visited(seconds, len(names) - index - 1, number, len(names))
        self._meter.round_ended()
        if self._watch:
            self._watch.learn()
        return fresh

    def finished(
        self, visits: Mapping[str, Sequence[Visit]], quantities: Sequence[Quantity], rounds: int
    ) -> set[str]:
        """Names the groups that need no further visit; looks only every few rounds, for speed."""
        beyond = rounds - self._plan.min_rounds
        if beyond < 0 or beyond % ROUNDS_BETWEEN_CHECKS:
            return set()
        return set(self._members) - self._open(visits, quantities)

    def _open(
        self, visits: Mapping[str, Sequence[Visit]], quantities: Sequence[Quantity]
    ) -> set[str]:
        verdicts = certain_quantities(visits, quantities, self._plan, self.limit_us())
        open_keys = {
            key
            for certain, quantity in zip(verdicts, quantities)
            if not certain
            for key in quantity.keys
        }
        return self.groups_of(open_keys)

    def doubted(
        self, visits: Mapping[str, Sequence[Visit]], quantities: Sequence[Quantity], rounds: int
    ) -> set[str]:
        """Names the groups that are not certain after all, when the clock is looked at again.

        A session that lay in a slow spell as a whole took that for full speed. Where the device's
        best is known, the gate has noticed; otherwise a second look, later, may.
        """
        is_known = self._watch is None or self._watch.best is not None
        if is_known or self._looked_again or rounds < self._plan.min_rounds:
            return set()
        self._looked_again = True
        if self._watch:
            self._watch.look()
        return self._open(visits, quantities)


def _append(visits: Mapping[str, list[Visit]], fresh: Mapping[str, Visit]) -> None:
    for key, visit in fresh.items():
        if key in visits:  # a journal may know a model that no longer runs
            visits[key].append(visit)


def _shuffled(names: Sequence[str], rng: Any) -> list[str]:
    return [names[index] for index in rng.permutation(len(names))]


def _late(plan: DevicePlan, number: int, spent: float) -> bool:
    return number > 0 and plan.max_seconds is not None and spent >= plan.max_seconds
