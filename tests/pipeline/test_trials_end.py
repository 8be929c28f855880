"""The end of a search by trials: what becomes of each training, whatever becomes of its worker."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latency.device import strict_json
from latency.shell import Interrupted
from nas.errors import InputError
from nas.executors import batch
from nas.executors.batch import GRACE_SECONDS
from nas.executors.executor import Place
from nas.executors.messages import Done, Event, Failed, Job, Progress, Stopped
from nas.metrics import AskedMetrics, MetricResults, evaluated
from nas.pipeline.trial_evaluation import EvaluationJob, EvaluationResult
from nas.pipeline.trials_end import FinalEvaluation, Repetition
from nas.recipes import RECIPES
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.runs.trial_evaluations import EvaluatedTraining
from nas.system.interrupt import Interrupter
from nas.tuning.leases import LeasePolicy

A, B, C = (Repetition(trial, 0) for trial in (3, 5, 8))
METRICS = AskedMetrics(("top1",))
LABELS = np.arange(20) % 10
NAMES = [f"class {i}" for i in range(10)]
SECONDS = 10.0


def results(asked: AskedMetrics) -> MetricResults:
    return evaluated(asked, np.eye(10)[LABELS], LABELS, NAMES, resamples=10)


FOUND = results(METRICS)


def done(training: Repetition, found: MetricResults = FOUND) -> Done:
    result: dict[str, Any] = strict_json.encode(EvaluationResult(found, 0.5))
    return Done(training.name, result)


@dataclass
class Scripted:
    """An executor with one place to work; what happens is written down, a turn a call.

    Args:
        script: Events of each call of `events`, or a function that is called in place of it.
        at_stop: What a stop gives.
    """

    script: list[Any]
    at_stop: Sequence[Event] = ()
    places: int = 1
    now_s: float = 0.0
    submitted: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    killed: list[str] = field(default_factory=list)
    grace_s: list[float] = field(default_factory=list)

    @property
    def free(self) -> int:
        return self.places - len(self.running)

    def submit(self, job: Job) -> Place:
        strict_json.decode(EvaluationJob, job.payload, "a test")
        self.submitted.append(job.id)
        self.running.add(job.id)
        return Place("worker_0", 1)

    def events(self, timeout_s: float) -> Sequence[Event]:
        self.now_s += 0.6 * SECONDS
        turn = self.script.pop(0)
        events: Sequence[Event] = (turn() or ()) if callable(turn) else turn
        self.running -= {event.id for event in events if not isinstance(event, Progress)}
        return events

    def kill(self, job_id: str) -> None:
        self.killed.append(job_id)
        self.running.discard(job_id)

    def stop(self, grace_s: float) -> Sequence[Event]:
        self.grace_s.append(grace_s)
        return self.at_stop


@dataclass
class End:
    """An evaluation at work, and what it has told."""

    path: Path
    patch: pytest.MonkeyPatch
    interrupter: Interrupter = field(default_factory=Interrupter)
    told: list[tuple[float, int]] = field(default_factory=list)

    def run(
        self, executor: Scripted, *trainings: Repetition, metrics: AskedMetrics = METRICS
    ) -> tuple[EvaluatedTraining, ...]:
        self.patch.setattr(batch, "time", SimpleNamespace(monotonic=lambda: executor.now_s))
        found = FinalEvaluation(
            RunFolder(self.path),
            executor,
            lambda one: EvaluationJob(
                str(self.path),
                DataSource(),
                one.name,
                one.seed,
                "in_s16 gap fc_c10",
                RECIPES["smoke"].resolved(),
                metrics,
            ),
            metrics,
            NAMES,
            self.interrupter,
            LeasePolicy(seconds=SECONDS, retries=1),
            on_change=lambda done, total: self.told.append((done, total)),
        ).run(trainings)
        assert not executor.script, "all of it happened"
        return found

    def record(self, training: Repetition) -> EvaluatedTraining | None:
        folder = RunFolder(self.path)
        is_there = folder.has(EvaluatedTraining, name=training.name)
        return folder.read(EvaluatedTraining, name=training.name) if is_there else None


@pytest.fixture
def end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> End:
    return End(tmp_path, monkeypatch)


def test_results_come_in_order_and_progress_is_told_to_the_end(end: End) -> None:
    executor = Scripted([[done(B)], [done(A)], [done(C)]], places=2)
    found = end.run(executor, A, B, C)
    assert [(one.trial, one.metrics, one.failure) for one in found] == [
        (training.trial, FOUND, "") for training in (A, B, C)
    ]
    assert executor.submitted == [A.name, B.name, C.name]
    assert end.told == [(1, 3), (2, 3), (3, 3)]
    # What is written down is not evaluated again.
    end.told.clear()
    assert end.run(Scripted([]), A, B, C) == found and end.told == []


def test_worker_that_says_nothing_is_ended_and_its_training_tried_once_more(end: End) -> None:
    # 6 s a turn: a sign of life in the second one, then silence for longer than 10 s, twice.
    executor = Scripted([[], [Progress(A.name, {"step": 1})], [], [], [], []])
    (found,) = end.run(executor, A)
    assert executor.killed == executor.submitted == [A.name] * 2
    assert found.metrics is None and found.seconds == 0.0
    assert found.failure == "hung: its worker said nothing for 10 s"
    assert end.told[-2:] == [(0, 1), (1, 1)]


def test_training_whose_worker_died_is_tried_again_behind_the_others(end: End) -> None:
    died = Failed(A.name, "died", "ended by SIGKILL")
    executor = Scripted([[died], [done(B)], [done(A)]])
    first, second = end.run(executor, A, B)
    assert executor.submitted == [A.name, B.name, A.name]
    assert (first.metrics, second.metrics) == (FOUND, FOUND)


def test_failures_are_written_down_and_the_others_go_on(end: End) -> None:
    diverged = Failed(A.name, "diverged", "no number")
    error = Failed(B.name, "error", "a defect")
    executor = Scripted([[diverged], [error], [done(C)], [error]])
    first, second, third = end.run(executor, A, B, C)
    # A loss that is no number comes again.
    assert executor.submitted == [A.name, B.name, C.name, B.name]
    assert (first.failure, second.failure) == ("diverged: no number", "error: a defect")
    assert first.metrics is second.metrics is None and third.metrics == FOUND
    # When the search goes on, what may have been the machine's fault is tried again.
    again = Scripted([[done(B)]])
    assert [one.metrics for one in end.run(again, A, B)] == [None, FOUND]
    assert again.submitted == [B.name]


def test_failure_by_further_metrics_leaves_what_is_known_and_is_tried_again(end: End) -> None:
    end.run(Scripted([[done(A)]]), A)
    further = AskedMetrics(("top1", "top5"))
    error = Failed(A.name, "error", "a defect")
    (found,) = end.run(Scripted([[error], [error]]), A, metrics=further)
    assert (found.metrics, found.failure) == (FOUND, "error: a defect")
    assert found == end.record(A)
    more = results(further)
    (found,) = end.run(Scripted([[done(A, more)]]), A, metrics=further)
    assert (found.metrics, found.failure) == (more, "")


def test_training_is_judged_anew_by_another_class_or_rate(end: End) -> None:
    third, fourth = (AskedMetrics(("auc",), f"index={index}") for index in (3, 4))
    end.run(Scripted([[done(A, results(third))]]), A, metrics=third)
    end.run(Scripted([]), A, metrics=third)
    (found,) = end.run(Scripted([[done(A, results(fourth))]]), A, metrics=fourth)
    assert found.metrics is not None and found.metrics.signal_class == NAMES[4]
    slow, fast = (AskedMetrics(("tpr_at_rate=1kHz",), "index=4", hz) for hz in (1e4, 2e4))
    end.run(Scripted([[done(A, results(slow))]]), A, metrics=slow)
    end.run(Scripted([[done(A, results(fast))]]), A, metrics=fast)


def test_full_disk_ends_everything_and_is_no_result(end: End) -> None:
    full = Failed(B.name, "disk", "No space left on device")
    with pytest.raises(InputError) as caught:
        end.run(Scripted([[done(A)], [full]]), A, B, C)
    error = caught.value
    assert error.expected == "room on the disk for checkpoints"
    assert error.received == "No space left on device" and "--resume" in error.fix
    assert end.record(A) is not None and end.record(B) is end.record(C) is None


def test_signal_stops_the_workers_and_keeps_what_they_end_with(end: End) -> None:
    stopped = Scripted(
        [lambda: signal.raise_signal(signal.SIGTERM)],
        at_stop=[done(A), Progress(B.name, {}), Stopped(B.name)],
        places=2,
    )
    with pytest.raises(Interrupted), end.interrupter.installed():
        end.run(stopped, A, B, C)
    assert stopped.grace_s == [GRACE_SECONDS]
    assert end.record(A) is not None and end.record(B) is None
    assert stopped.submitted == [A.name, B.name], "nothing begins after the signal"
    end.interrupter = Interrupter()
    again = Scripted([[done(B)], [done(C)]])
    assert [one.trial for one in end.run(again, A, B, C)] == [3, 5, 8]
    assert again.submitted == [B.name, C.name]


def test_training_that_a_worker_gave_back_is_the_next_one(end: End) -> None:
    executor = Scripted([[Stopped(A.name)], [done(A)], [done(B)]])
    assert [one.metrics for one in end.run(executor, A, B)] == [FOUND, FOUND]
    assert executor.submitted == [A.name, A.name, B.name]


def test_events_of_what_runs_no_more_are_nobodys(end: End) -> None:
    executor = Scripted([[], [], [done(B), done(A)], [done(B), done(A)]])
    first, second = end.run(executor, A, B)
    # Silent for 12 s, A was ended and its turn came after B's; its late answer says nothing.
    assert executor.killed == [A.name] and first.failure == ""
    assert second.metrics == FOUND
