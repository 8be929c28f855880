"""The one loop of a search by trials: asks the scheduler, hands out legs, keeps what comes back.

Every decision follows from what is stored. A program that was killed at any moment therefore goes
on with the same rungs and promotions: legs that ran are trained on from their checkpoints, first of
all, and nothing else was lost.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nas.errors import InputError
from nas.executors.batch import GRACE_SECONDS, POLL_SECONDS
from nas.executors.executor import Executor
from nas.executors.messages import Cause, Done, Event, Failed, Job, Progress
from nas.system.interrupt import Interrupter
from nas.tuning.budgets import Budget, violation
from nas.tuning.candidates import (
    MOST_DRAWS,
    Candidates,
    NothingLeft,
    Sampler,
    margin,
    new_proposal,
)
from nas.tuning.leases import LeasePolicy
from nas.tuning.legs import Leg, Plan, SearchState
from nas.tuning.scheduler import Scheduler
from nas.tuning.scores import Pause
from nas.tuning.storage import TrialStore

# So many legs that failed for good, and none that is done: it is not their configurations.
MOST_FAILURES = 5
# The loop itself comes by at least as often, whatever the sampler does.
LONGEST_LOOK_SECONDS = 60.0


def _tell_nobody(state: SearchState) -> None:
    """Takes the state of a search that nobody watches."""


@dataclass
class Driver:
    """A search by trials.

    Args:
        store: Where legs are kept; nobody else writes it.
        state: What it holds.
        scheduler: Decides what trains next.
        sampler: Proposes configurations.
        candidates: What there is to choose from.
        executor: Runs legs.
        payload: Leg -> what its worker is told.
        budgets: Of quantities that are known after a training alone.
        policy: Of leases and retries.
        interrupter: Asked whether to stop.
        on_change: Told the state whenever a leg has begun or ended.
        clock: Seconds since 1970.
    """

    store: TrialStore
    state: SearchState
    scheduler: Scheduler
    sampler: Sampler
    candidates: Candidates
    executor: Executor
    payload: Callable[[Leg], Mapping[str, Any]]
    budgets: Sequence[Budget] = ()
    policy: LeasePolicy = LeasePolicy()
    interrupter: Interrupter = field(default_factory=Interrupter)
    on_change: Callable[[SearchState], None] = _tell_nobody
    clock: Callable[[], float] = time.time
    is_exhausted: bool = field(default=False, init=False)
    _waiting: list[int] = field(default_factory=list, init=False)
    _looked_s: float = field(default=0.0, init=False)

    def run(self) -> SearchState:
        """Runs until nothing is left to train.

        Raises:
            Interrupted: A signal came; what trained has saved its state.
            InputError: No configuration keeps the budgets, or trainings fail one and all.
        """
        # Nobody trains them any more: their workers ended with the program that was killed.
        self._waiting = sorted(self.state.running)
        self._looked_s = self.clock()
        with self.interrupter.deferred():
            while not self.interrupter.pending and self._fill():
                for event in self.executor.events(POLL_SECONDS):
                    self._take(event)
                self._end_silent()
            if self.interrupter.pending:
                for event in self.executor.stop(GRACE_SECONDS):
                    self._take(event)
        self.interrupter.raise_pending()
        return self.state

    def _fill(self) -> bool:
        """Hands out legs as long as somebody takes them; says whether there is more to come."""
        while self.executor.free:
            leg = self._next_leg()
            if leg is None:
                return bool(self.state.running)
            place = self.executor.submit(Job(str(leg.number), self.payload(leg)))
            self.state.change(self.store.lease(leg, self.policy.lease(place, self.clock())))
            self.on_change(self.state)
        return True

    def _next_leg(self) -> Leg | None:
        """A leg that waits, else what the scheduler says; None where there is none now."""
        if self._waiting:
            return self.state.legs[self._waiting.pop(0)]
        plan = self._next_plan()
        if plan is None and self.is_exhausted:
            plan = self._next_plan()  # of trials that are there
        if plan is None:
            return None
        leg = self.store.begin(plan)
        self.state.begin(leg)
        return leg

    def _next_plan(self) -> Plan | None:
        """What the scheduler says; None for nothing, or where no configuration is left for it."""
        running = self.state.running.values()
        job = self.scheduler.next_job(self.state.table, running, can_begin=not self.is_exhausted)
        if isinstance(job, Pause):
            return None
        if job.trial is None:
            return self._new_plan(job.rung, job.epochs, job.bracket)
        before = self.state.last_leg(job.trial).plan
        return replace(before, rung=job.rung, epochs=job.epochs)

    def _new_plan(self, rung: int, epochs: float, bracket: int) -> Plan | None:
        """The first leg of a new trial; None where no configuration is left."""
        trial = len(self.state.trials)
        found = new_proposal(self.sampler, self.candidates, trial, self.state)
        if not isinstance(found, NothingLeft):
            return Plan(
                trial,
                rung,
                epochs,
                bracket,
                found.configuration,
                found.known,
                found.margins,
                sum(found.refusals.values()),
                found.refusals,
            )
        self.is_exhausted = True
        if found.is_whole_list:
            self.state.refused_at_end = found.refusals
        if not self.state.trials:
            raise self._nothing_to_train(found)
        return None

    def _nothing_to_train(self, found: NothingLeft) -> InputError:
        drawn = self.sampler.propose(0, 0, self.state)
        conditions = {} if drawn is None else self.candidates.margins(drawn)
        names = dict.fromkeys([*conditions, *found.refusals])
        many = sum(found.refusals.values()) if found.is_whole_list else MOST_DRAWS
        broken = ", ".join(f"{count:,} break {name}" for name, count in found.refusals.items())
        return InputError(
            f"a configuration that keeps {', '.join(names)}",
            f"none among {many:,} that were drawn: {broken}",
            "loosen a budget",
        )

    def _take(self, event: Event) -> None:
        """What a worker said."""
        leg = self.state.legs[int(event.id)]
        if leg.number not in self.state.running:
            return
        if isinstance(event, Progress):
            self._renew(leg)
        elif isinstance(event, Done):
            self._finish(leg, event.result)
        elif isinstance(event, Failed):
            self._fail(leg, event.cause, event.message)
        else:
            self.state.change(self.store.lease(leg, None))

    def _renew(self, leg: Leg) -> None:
        lease, now_s = leg.lease, self.clock()
        if lease is None or not self.policy.is_due(lease, now_s):
            return
        renewed = type(lease)(lease.worker, lease.pid, now_s + self.policy.seconds)
        self.state.change(self.store.lease(leg, renewed))

    def _finish(self, leg: Leg, result: Mapping[str, Any]) -> None:
        given = {**result["values"], **leg.plan.known}
        reached = {name: float(v) for name, v in given.items() if v is not None}
        wanted = (*self.state.table.objectives, *(b.objective for b in self.budgets))
        lost = [o.text for o in wanted if not math.isfinite(reached.get(o.text, math.nan))]
        if lost:
            self._fail(leg, "diverged", f"no finite {', '.join(lost)}")
            return
        ended = replace(
            leg,
            values=tuple(reached[o.text] for o in self.state.table.objectives),
            reached=reached,
            violation=violation(self.budgets, reached),
            curve=tuple(result["curve"]),
            facts=result["facts"],
        )
        margins = {budget.text: margin(budget, reached) for budget in self.budgets}
        self.state.end(self.store.finish(ended, margins))
        self.on_change(self.state)

    def _fail(self, leg: Leg, cause: Cause, message: str) -> None:
        """Trains a leg once more, or gives it up; the search goes on."""
        if cause == "disk":
            # It would fail the others, too, and each of them has kept its last checkpoint.
            raise InputError(
                "room on the disk for checkpoints", message, "free some space and use --resume"
            )
        leg = self.store.failed_once(leg, cause, message)
        self.state.change(leg)
        if self.policy.tries_again(leg, cause):
            self._waiting.append(leg.number)
        else:
            self.state.end(self.store.give_up(leg))
            self._check_failures(message)
        self.on_change(self.state)

    def _check_failures(self, message: str) -> None:
        """Ends a search of which nothing succeeds."""
        legs = self.state.legs.values()
        # A loss that is no number comes of a configuration, and another one may have a number.
        failed = [leg for leg in legs if leg.state == "failed" and "diverged" not in leg.attempts]
        if any(leg.state == "done" for leg in legs) or len(failed) < MOST_FAILURES:
            return
        raise InputError(
            "trainings of which some succeed",
            f"{len(failed)} that failed and none that is done; the last one: {message}",
            "mend its cause, which the logs in the run's folder `workers` tell, and go on with "
            "--resume",
        )

    def _end_silent(self) -> None:
        """Ends workers that have said nothing for too long."""
        now_s = self.clock()
        # A machine that slept let nobody speak.
        slept_s = max(0.0, now_s - self._looked_s - LONGEST_LOOK_SECONDS)
        self._looked_s = now_s
        for number in list(self.state.running):
            leg = self.state.legs[number]
            if slept_s:
                self._renew(leg)
            elif leg.lease is not None and self.policy.is_over(leg.lease, now_s):
                self.executor.kill(str(number))
                self._fail(leg, "hung", f"its worker said nothing for {self.policy.seconds:g} s")
