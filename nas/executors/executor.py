"""What a driver asks of whatever runs its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nas.executors.messages import Event, Job

# Of a run's folder: logs and locks, one of each a worker.
WORKERS_FOLDER = "workers"


@dataclass(frozen=True)
class Place:
    """Where a job runs.

    Args:
        worker: Name of the worker, which stays the same when its process is a new one.
        pid: Number of its process.
    """

    worker: str
    pid: int


class Executor(Protocol):
    """Runs jobs; says what becomes of each of them exactly once, beside their progress."""

    @property
    def free(self) -> int:
        """How many more jobs it takes now."""

    def submit(self, job: Job) -> Place:
        """Begins a job.

        Args:
            job: With an id that no running job has.
        """

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What has happened since the last call.

        Args:
            timeout_s: Seconds to wait for a first event at most.
        """

    def kill(self, job_id: str) -> None:
        """Ends a job at once; no event of it comes any more.

        Args:
            job_id: Of a running job; of another one nothing happens.
        """

    def stop(self, grace_s: float) -> Sequence[Event]:
        """Tells all workers to save and to stop, and ends those that do not.

        Args:
            grace_s: Seconds that they have for it.

        Returns:
            What became of their jobs.
        """
