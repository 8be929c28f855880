"""The end of a search by trials: whole trainings on the evaluation images, each looked at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latency.device import strict_json
from nas.errors import InputError
from nas.executors.executor import Executor
from nas.executors.messages import Done, Event, Failed, Job, Progress, Stopped
from nas.pipeline.trial_evaluation import EvaluationJob, EvaluationResult
from nas.runs.folder import RunFolder
from nas.runs.trial_evaluations import EvaluatedTraining
from nas.system.interrupt import Interrupter
from nas.tuning.driver import GRACE_SECONDS, POLL_SECONDS
from nas.tuning.leases import LeasePolicy


@dataclass(frozen=True)
class Repetition:
    """One whole training.

    Args:
        trial: Number of the trial.
        seed: Of the training.
    """

    trial: int
    seed: int

    @property
    def name(self) -> str:
        """Of its record and, in another seed than the search's, of its checkpoint."""
        return f"trial_{self.trial:06d}_seed_{self.seed}"


def _tell_nobody(done: int, total: int) -> None:
    """Takes the progress of an evaluation that nobody watches."""


@dataclass
class FinalEvaluation:
    """Trainings that are evaluated, several at a time; what is written is not evaluated again.

    Args:
        folder: Of the run.
        executor: Runs jobs.
        job: Training -> what its worker is told.
        metrics: Texts of what all are judged by.
        interrupter: Asked whether to stop.
        policy: Of silence and retries.
        on_change: Told how many trainings are done, and how many there are.
    """

    folder: RunFolder
    executor: Executor
    job: Callable[[Repetition], EvaluationJob]
    metrics: Sequence[str]
    interrupter: Interrupter
    policy: LeasePolicy = LeasePolicy()
    on_change: Callable[[int, int], None] = _tell_nobody
    _waiting: list[Repetition] = field(default_factory=list, init=False)
    _running: dict[str, Repetition] = field(default_factory=dict, init=False)
    _heard_s: dict[str, float] = field(default_factory=dict, init=False)
    _tries: dict[str, int] = field(default_factory=dict, init=False)

    def run(self, trainings: Sequence[Repetition]) -> tuple[EvaluatedTraining, ...]:
        """What they come to, in their order.

        Args:
            trainings: Each once.

        Raises:
            Interrupted: A signal came; what trained has saved its state.
            InputError: The disk is full.
        """
        self._waiting = [one for one in trainings if not self._is_done(one)]
        total = len(self._waiting)
        with self.interrupter.deferred():
            while not self.interrupter.pending and (self._waiting or self._running):
                self._fill()
                for event in self.executor.events(POLL_SECONDS):
                    self._take(event)
                self._end_silent()
                self.on_change(total - len(self._waiting) - len(self._running), total)
            if self.interrupter.pending:
                for event in self.executor.stop(GRACE_SECONDS):
                    self._take(event)
        self.interrupter.raise_pending()
        return tuple(self.folder.read(EvaluatedTraining, name=one.name) for one in trainings)

    def _is_done(self, training: Repetition) -> bool:
        if not self.folder.has(EvaluatedTraining, name=training.name):
            return False
        return self.folder.read(EvaluatedTraining, name=training.name).tells(self.metrics)

    def _fill(self) -> None:
        while self._waiting and self.executor.free:
            training = self._waiting.pop(0)
            payload: dict[str, Any] = strict_json.encode(self.job(training))
            self.executor.submit(Job(training.name, payload))
            self._running[training.name] = training
            self._heard_s[training.name] = time.monotonic()

    def _take(self, event: Event) -> None:
        if event.id not in self._running:
            return
        if isinstance(event, Progress):
            self._heard_s[event.id] = time.monotonic()
        elif isinstance(event, Done):
            self._keep(self._running.pop(event.id), event.result)
        elif isinstance(event, Failed):
            self._fail(self._running.pop(event.id), event)
        elif isinstance(event, Stopped):
            self._waiting.insert(0, self._running.pop(event.id))

    def _keep(self, training: Repetition, answer: Mapping[str, Any]) -> None:
        found = strict_json.decode(EvaluationResult, answer, "a worker")
        record = EvaluatedTraining(training.trial, training.seed, found.metrics, found.seconds)
        self.folder.write(record, name=training.name)

    def _fail(self, training: Repetition, failure: Failed) -> None:
        """Tries once more, or notes why there is no result; the others go on."""
        if failure.cause == "disk":
            raise InputError(
                "room on the disk for checkpoints",
                failure.message,
                "free some space and use --resume",
            )
        tries = self._tries[training.name] = self._tries.get(training.name, 0) + 1
        if failure.cause != "diverged" and tries <= self.policy.retries:
            self._waiting.append(training)
            return
        why = f"{failure.cause}: {failure.message}"
        record = EvaluatedTraining(training.trial, training.seed, None, 0.0, why)
        self.folder.write(record, name=training.name)

    def _end_silent(self) -> None:
        for name in list(self._running):
            if time.monotonic() - self._heard_s[name] > self.policy.seconds:
                self.executor.kill(name)
                message = f"its worker said nothing for {self.policy.seconds:g} s"
                self._fail(self._running.pop(name), Failed(name, "hung", message))
