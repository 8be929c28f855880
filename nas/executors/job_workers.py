"""Workers that each have one job at a time, whatever they are: how their jobs are ended."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from nas.executors.messages import Event, Stopped


class Worker(Protocol):
    """One that does jobs.

    Attributes:
        job: Id of its job; None where it has none.
    """

    job: str | None


W = TypeVar("W", bound=Worker)


class JobWorkers(ABC, Generic[W]):
    """Workers by their names; those who inherit say how one is told, heard and ended."""

    def __init__(self) -> None:
        self._workers: dict[str, W] = {}
        self._is_stopping = False

    def kill(self, job_id: str) -> None:
        """Ends the worker of a job; no event of it comes any more.

        Args:
            job_id: Of a running job; of another one nothing happens.
        """
        for worker in [w for w in self._workers.values() if w.job == job_id]:
            self._end(worker)

    def stop(self, grace_s: float) -> Sequence[Event]:
        """Tells all workers to save and to stop, and ends those that do not.

        Args:
            grace_s: Seconds that they have for it.

        Returns:
            What became of their jobs.
        """
        self._is_stopping = True
        deadline = time.monotonic() + grace_s
        self._tell_to_stop(grace_s)
        found: list[Event] = []
        while self._stopping() and (left := deadline - time.monotonic()) > 0:
            found += self._wait(left)
        for worker in self._stopping():
            found += [] if worker.job is None else [Stopped(worker.job)]
            self._end(worker)
        return found

    @abstractmethod
    def _tell_to_stop(self, grace_s: float) -> None:
        """Tells all workers to save and to stop; waits for nothing."""

    @abstractmethod
    def _stopping(self) -> Sequence[W]:
        """Workers that have not stopped yet."""

    @abstractmethod
    def _wait(self, timeout_s: float) -> Sequence[Event]:
        """What workers have said; waits for a first event at most so long."""

    @abstractmethod
    def _end(self, worker: W) -> object:
        """Ends a worker at once, and forgets it."""
