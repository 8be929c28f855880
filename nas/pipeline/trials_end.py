"""The end of a search by trials: whole trainings on the evaluation images, each looked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from latency.device import strict_json
from nas.executors.batch import Batch
from nas.executors.executor import Executor
from nas.executors.messages import Failed, Job
from nas.metrics import AskedMetrics
from nas.pipeline.trial_evaluation import EvaluationJob, EvaluationResult
from nas.runs.folder import RunFolder
from nas.runs.trial_evaluations import EvaluatedTraining
from nas.system.interrupt import Interrupter
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


def _tell_nobody(done: float, total: int) -> None:
    """Takes the progress of an evaluation that nobody watches."""


@dataclass
class FinalEvaluation:
    """Trainings that are evaluated, several at a time; what is written is not evaluated again.

    A training that failed is tried again when the search goes on, since its worker may have lacked
    memory or died; one whose weights are no numbers is not.

    Args:
        folder: Of the run.
        executor: Runs jobs.
        job: Training -> what its worker is told.
        metrics: What all are judged by.
        class_names: Position is the class index.
        interrupter: Asked whether to stop.
        policy: Of silence and retries.
        on_change: Told how many trainings are done, parts of those that run among them, and how
            many there are.
    """

    folder: RunFolder
    executor: Executor
    job: Callable[[Repetition], EvaluationJob]
    metrics: AskedMetrics
    class_names: Sequence[str]
    interrupter: Interrupter
    policy: LeasePolicy = LeasePolicy()
    on_change: Callable[[float, int], None] = _tell_nobody

    def run(self, trainings: Sequence[Repetition]) -> tuple[EvaluatedTraining, ...]:
        """What they come to, in their order.

        Args:
            trainings: Each once.

        Raises:
            Interrupted: A signal came; what trained has saved its state.
            InputError: The disk is full.
        """
        waiting = {one.name: one for one in trainings if not self._is_done(one)}
        Batch(
            self.executor,
            self.interrupter,
            on_done=lambda job, answer: self._keep(waiting[job.id], answer),
            on_failed=lambda job, failure: self._fail(waiting[job.id], failure),
            silent_s=self.policy.seconds,
            retries=self.policy.retries,
            on_change=lambda done, _: self.on_change(done, len(waiting)),
        ).run([Job(name, strict_json.encode(self.job(one))) for name, one in waiting.items()])
        return tuple(self.folder.read(EvaluatedTraining, name=one.name) for one in trainings)

    def _is_done(self, training: Repetition) -> bool:
        before = self._before(training)
        return before is not None and before.tells(self.metrics, self.class_names)

    def _before(self, training: Repetition) -> EvaluatedTraining | None:
        """What is written already."""
        is_there = self.folder.has(EvaluatedTraining, name=training.name)
        return self.folder.read(EvaluatedTraining, name=training.name) if is_there else None

    def _keep(self, training: Repetition, answer: Mapping[str, Any]) -> None:
        found = strict_json.decode(EvaluationResult, answer, "a worker")
        record = EvaluatedTraining(training.trial, training.seed, found.metrics, found.seconds)
        self.folder.write(record, name=training.name)

    def _fail(self, training: Repetition, failure: Failed) -> None:
        why = f"{failure.cause}: {failure.message}"
        # What it reached by the metrics of before stays true.
        before = self._before(training) or EvaluatedTraining(
            training.trial, training.seed, None, 0.0
        )
        self.folder.write(replace(before, failure=why), name=training.name)
