"""An executor whose jobs are done by this process: what is told is told in lines, as by others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nas.executors.executor import Place
from nas.executors.messages import (
    Done,
    Event,
    Failed,
    Job,
    Message,
    Progress,
    Stopped,
    from_line,
    to_line,
)
from nas.executors.worker import outcome, task_named
from nas.pipeline import trials
from nas.system.interrupt import Interrupter


class InProcessExecutor:
    """Does one job at a time, when it is asked for events.

    Args:
        task: MODULE:FUNCTION that does a job.
        folder: Of logs; it gets one, as that of processes does.
        workers: Jobs that it takes.
    """

    def __init__(self, task: str, folder: Path, workers: int) -> None:
        self._task, self._workers = task_named(task), workers
        self._lines: list[bytes] = []
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def free(self) -> int:
        return self._workers - len(self._lines)

    def submit(self, job: Job) -> Place:
        self._lines.append(to_line(job))
        return Place("worker_0", 1)

    def events(self, timeout_s: float) -> Sequence[Event]:
        if not self._lines:
            return []
        job = from_line(self._lines.pop(0), "the driver")
        if not isinstance(job, Job):
            raise TypeError("a message that is no job")
        said: list[Message] = []
        said.append(outcome(self._task, job, Interrupter(), said.append))
        told = [from_line(to_line(message), "a worker") for message in said]
        return [event for event in told if isinstance(event, Progress | Done | Failed | Stopped)]

    def kill(self, job_id: str) -> None:
        raise NotImplementedError("nothing hangs here")

    def stop(self, grace_s: float) -> Sequence[Event]:
        return []

    def close(self) -> None:
        self._lines.clear()


def train_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches by trials begin no workers: jobs are done by `tests.support.fake_legs`.

    Processes are tested in tests/executors, and with all of a search in tests/programs.

    Args:
        monkeypatch: Of the test.
    """
    monkeypatch.setattr(trials, "TASK", "tests.support.fake_legs:leg")
    monkeypatch.setattr(
        trials,
        "executor_of",
        lambda asked, task, folder, workers, shared: InProcessExecutor(task, folder, workers),
    )
