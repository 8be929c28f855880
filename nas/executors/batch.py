"""Jobs that do not depend on each other, all of them done: as many at a time as there is room."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.errors import InputError
from nas.executors.executor import Executor
from nas.executors.messages import Done, Event, Failed, Job, Progress, Stopped
from nas.system.interrupt import Interrupter

POLL_SECONDS = 1.0
# What a training needs to come to its next checkpoint.
GRACE_SECONDS = 60.0
# A worker may say nothing for so long: frameworks trace a network at its first steps.
SILENT_SECONDS = 900.0
RETRIES = 1


def _tell_nobody(done: float, running: int) -> None:
    """Takes the progress of jobs that nobody watches."""


@dataclass
class Batch:
    """Does jobs; each ends in a result or in a failure, whatever becomes of its workers.

    Args:
        executor: Runs jobs.
        interrupter: Asked whether to stop.
        on_done: Told a job and its result.
        on_failed: Told a job that failed for good, and its last failure; the others go on.
        silent_s: Seconds after which a worker that says nothing is taken for hung, above 0.
        retries: Further tries of a job that failed, 0 or more. A loss that is no number comes
            again, so that it is not tried again.
        on_change: Told how many jobs are done, parts of those that run among them, and how many
            run.
    """

    executor: Executor
    interrupter: Interrupter
    on_done: Callable[[Job, Mapping[str, Any]], None]
    on_failed: Callable[[Job, Failed], None]
    silent_s: float = SILENT_SECONDS
    retries: int = RETRIES
    on_change: Callable[[float, int], None] = _tell_nobody
    _waiting: list[Job] = field(default_factory=list, init=False)
    _running: dict[str, Job] = field(default_factory=dict, init=False)
    _heard_s: dict[str, float] = field(default_factory=dict, init=False)
    _shares: dict[str, float] = field(default_factory=dict, init=False)
    _tries: dict[str, int] = field(default_factory=dict, init=False)

    def run(self, jobs: Sequence[Job]) -> None:
        """Does all of them.

        Args:
            jobs: With an id of its own each; earlier ones begin first.

        Raises:
            Interrupted: A signal came; what ran has saved its state.
            InputError: The disk is full.
        """
        self._waiting = list(jobs)
        with self.interrupter.deferred():
            while not self.interrupter.pending and (self._waiting or self._running):
                self._fill()
                for event in self.executor.events(POLL_SECONDS):
                    self._take(event)
                self._end_silent()
                ended = len(jobs) - len(self._waiting) - len(self._running)
                parts = sum(self._shares.get(name, 0.0) for name in self._running)
                self.on_change(ended + parts, len(self._running))
            if self.interrupter.pending:
                for event in self.executor.stop(GRACE_SECONDS):
                    self._take(event)
        self.interrupter.raise_pending()

    def _fill(self) -> None:
        while self._waiting and self.executor.free:
            job = self._waiting.pop(0)
            self.executor.submit(job)
            self._running[job.id] = job
            self._heard_s[job.id] = time.monotonic()

    def _take(self, event: Event) -> None:
        if event.id not in self._running:
            return
        if isinstance(event, Progress):
            self._heard_s[event.id] = time.monotonic()
            step, of = event.fields.get("step", 0), event.fields.get("of", 0)
            self._shares[event.id] = min(1.0, step / of) if of else 0.0
        elif isinstance(event, Done):
            self.on_done(self._running.pop(event.id), event.result)
        elif isinstance(event, Failed):
            self._fail(self._running.pop(event.id), event)
        elif isinstance(event, Stopped):
            self._waiting.insert(0, self._running.pop(event.id))

    def _fail(self, job: Job, failure: Failed) -> None:
        """Tries once more, or says why there is no result; the others go on."""
        if failure.cause == "disk":
            raise InputError(
                "room on the disk for checkpoints",
                failure.message,
                "free some space and use --resume",
            )
        tries = self._tries[job.id] = self._tries.get(job.id, 0) + 1
        if failure.cause != "diverged" and tries <= self.retries:
            self._waiting.append(job)
        else:
            self.on_failed(job, failure)

    def _end_silent(self) -> None:
        for name in list(self._running):
            if time.monotonic() - self._heard_s[name] > self.silent_s:
                self.executor.kill(name)
                message = f"its worker said nothing for {self.silent_s:g} s"
                self._fail(self._running.pop(name), Failed(name, "hung", message))
